"""One bot, event by event: candles in; signals, orders, fills and the account into the ledger.

Every result is a pure fold of the stored tape: the same candles give the same orders, ids and numbers, so after a crash
the runner starts from the last stored state, folds the candles since then by the very same path, and the ledger ignores
what it knows already. It sees the outside only through `ports`.

Within a fill candle: the broker matches it, its fills are folded into the account and stored (with the orders that
changed, in one transaction). When it completes a strategy candle: signals, decision, intent stored, then sent, then the
equity is marked.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final, NamedTuple, Protocol

import msgspec

from onetape.core import state as col
from onetape.core.portfolio import apply_fill, heard, watched
from onetape.core.step import on_signal, protected
from onetape.domain import topics
from onetape.domain.accounts import Account, Exits, RiskLimits, Rules, Sizing
from onetape.domain.bots import BotSpec
from onetape.domain.errors import Halt, Refused
from onetape.domain.frame import CandleFrame, Floats
from onetape.domain.instrument import Instrument
from onetape.domain.market import Candle
from onetape.domain.orders import Fill, Order, OrderEvent, OrderStatus, Role
from onetape.domain.signals import SignalRow
from onetape.domain.units import Micros, Timeframe, rfc3339
from onetape.observe import log
from onetape.ports import BotState, Bus, SignalView, TradeStore
from onetape.strategies.contract import Strategy, evaluate
from onetape.strategies.market import Market
from onetape.trading.rows import BotMarket, order_of
from onetape.trading.sim_broker import SimBroker, changes
from onetape.trading.window import SPARE, Window, fill_timeframe

BREATH: Final = 500  # candles folded in one go before others get their turn


class Tape(Protocol):
    """The reading half of ports.CandleStore."""

    async def load(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros | None, end_ts: Micros | None
    ) -> CandleFrame: ...

    async def tail(
        self, exchange: str, symbol: str, timeframe: Timeframe, n: int, before_ts: Micros | None = None
    ) -> CandleFrame: ...


class Outside(NamedTuple):
    """What a runner needs of the world."""

    candles: Tape
    ledger: TradeStore
    bus: Bus


def rules_of(spec: BotSpec, instrument: Instrument) -> Rules:
    how = spec.reality
    return Rules(
        costs=how.costs,
        sizing=Sizing.parse(spec.sizing, "$.sizing"),
        limits=RiskLimits(*spec.risk),
        exits=Exits(*spec.exits),
        terms=spec.terms(instrument),
        execution=how.execution,
    )


def compile_kernels(rules: Rules) -> None:
    """The first call of a kernel may take many seconds, in which nothing else would run: make it before trading."""
    account, book = Account(cash=1.0), col.empty_book()
    col.watch(col.book_of([]))
    account, _ = on_signal(account, book, (1.0, 0.1, 0.1, 0.1, float("nan")), 1.0, rules)
    broker = SimBroker(BotMarket("none", "none", "none"), rules, account)
    broker.book = col.book_of(list(col.resting(book)))
    broker.match(Candle("none", "none", "1m", 0, 60_000_000, 1.0, 1.0, 1.0, 1.0, 0.0))
    account, _ = apply_fill(account, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    protected(heard(watched(account, 0.0, 0.0, 0.0, 1.0), 0.0, 0.0, 1.0), book, rules)
    col.drop_role(book, 1.0)


class Runner:
    """Call `begin` once, then `catch_up` or `on_candle` for ever; `pause`, `resume` and `stop` at any time."""

    def __init__(self, spec: BotSpec, strategy: Strategy, instrument: Instrument, outside: Outside) -> None:
        self.spec, self.strategy, self.rules = spec, strategy, rules_of(spec, instrument)
        self.candles, self.ledger, self.bus = outside
        self.series = BotMarket(spec.name, spec.exchange, spec.symbol)
        timeframe = Timeframe.parse(spec.timeframe)
        self.fills = fill_timeframe(timeframe)
        size = strategy.warmup() + SPARE
        self.window = Window(spec.exchange, spec.symbol, timeframe, self.fills, size)
        self.account = Account(cash=float(spec.capital), peak=float(spec.capital))
        self.book = col.empty_book()
        self.matched_ts: Micros = 0
        self.decided_ts: Micros = 0
        self.price = 0.0
        self.broker = SimBroker(self.series, self.rules, self.account, self._row)
        self.stopped = False
        self._turn = asyncio.Lock()  # one candle or one wish at a time

    # -- life ---------------------------------------------------------------------------------------------------------

    async def begin(self, start_ts: Micros | None = None) -> bool:
        """Takes up the stored state. Without `start_ts` the bot was interrupted, and every candle since then will be
        folded; False when it is not on the tape (never started, or stopped). With `start_ts` it comes back to the tape:
        the first candle that counts opens then, a position is protected again, and what was said and a halt of before
        are forgotten: the first signal acts, the drawdown counts from here."""
        async with self._turn:
            state = await self.ledger.restore(self.spec.name)
            if start_ts is None and (state is None or not state.matched_ts):
                return False
            if state is not None:
                self._restore(state)
            if start_ts is not None:
                self.matched_ts = self.decided_ts = start_ts
                self._forgive()
                await self._protect()
            await self._load_window()
            await self._send_planned()
            if start_ts is None:
                await self._finish_interrupted()
            return True

    def _restore(self, state: BotState) -> None:
        self.account, self.matched_ts = state.account, state.matched_ts
        self.decided_ts, self.price = state.decided_ts, state.price
        self.broker = SimBroker(self.series, self.rules, self.account, self._row)  # its orders follow: `_send_planned`
        self.broker.book = col.book_of([], self._clock())
        self.book = col.book_of(state.book, self._clock())

    def _clock(self) -> Floats:
        """A book that knows when the last candle was over: orders are on their way from then on."""
        book, length = col.empty_book(), float(self.fills.micros)
        book[col.SLOTS, col.NOW], book[col.SLOTS, col.SPAN] = self.matched_ts - length, length
        return book

    def _row(self, number: int) -> Floats | None:
        """The order of that number as the core has placed it: its delay, life and force are not part of an Order."""
        return next((row for row in col.resting(self.book) if int(row[col.ID]) == number), None)

    async def _load_window(self) -> None:
        window = self.window
        window.load(await self._tail(self.fills, window.rows_needed(), self.matched_ts), self.matched_ts)
        if window.timeframe != self.fills and len(window.frame) < window.size:
            window.prepend(await self._tail(window.timeframe, window.size, window.whole_ts))

    def _forgive(self) -> None:
        a = self.account
        peak = a.equity(self.price) if a.halted == col.HALTED else a.peak
        self.account = heard(watched(a, a.best, peak, 0.0, a.next_id), math.nan, a.target, a.next_id)
        self.broker.account = self.account

    async def _protect(self) -> None:
        """A position that comes back to the tape gets the exits of the bot's limits: `stop` has cancelled its own."""
        before = col.resting(self.book).copy()
        self.account = protected(self.account, self.book, self.rules)
        orders = [_planned(order) for order in changes(before, self.book, (), self.series, self.matched_ts)]
        if orders:
            await self.ledger.plan(self.spec.name, self.matched_ts, None, orders, self.state())
            self._announce(orders, [])

    async def _send_planned(self) -> None:
        """What the state says is resting is sent (again): the same id is the same order."""
        for row in col.resting(self.book).copy():
            await self._send(order_of(row, self.series, OrderStatus.PLANNED, self.matched_ts))

    async def _finish_interrupted(self) -> None:
        """A crash between a candle's fills and its decision, or between decision and mark."""
        closed = self.window.frame
        if len(closed) and self.decided_ts < (due := int(closed.close_ts[-1])) <= self.matched_ts:
            await self._decide(due)
        elif self.decided_ts == self.matched_ts:
            await self.ledger.mark(self.spec.name, self.decided_ts, self.state())

    async def catch_up(self) -> None:
        """Folds all stored candles that were not seen yet."""
        spec = self.spec
        frame = await self.candles.load(spec.exchange, spec.symbol, self.fills, self.matched_ts, None)
        for i in range(len(frame)):
            await self.on_candle(frame.candle(i))
            if i % BREATH == BREATH - 1:
                await asyncio.sleep(0)

    async def on_candle(self, candle: Candle) -> None:
        """The next closed fill candle; one that was seen already is ignored. Raises Halt when a limit ended the bot."""
        async with self._turn:
            if self.stopped or candle.close_ts <= self.matched_ts:
                return
            due = self.window.due_ts
            if due and candle.open_ts >= due:  # the bucket's last fill candle never came
                await self._decide(self.window.close())
            await self._match(candle)
            self.window.add(candle)
            if candle.close_ts >= self.window.due_ts:
                await self._decide(self.window.close())
            self._check_halted()

    async def listed(self, instrument: Instrument) -> None:
        """The venue has changed its steps: orders from now on are snapped to these."""
        async with self._turn:
            self.rules = self.rules._replace(terms=self.spec.terms(instrument))
            self.broker.rules = self.rules

    def follows(self, candle: Candle) -> bool:
        """Whether no candle is missing between the last one seen and this one."""
        return candle.open_ts <= self.matched_ts

    # -- one candle ---------------------------------------------------------------------------------------------------

    async def _match(self, candle: Candle) -> None:
        account, said = self.account, self.account.said
        self.broker.account = heard(self.broker.account, said, account.target, self.broker.account.next_id)
        matched = self.broker.match(candle)
        for fill in matched.fills:
            account, _ = apply_fill(
                account, float(fill.side), fill.qty, fill.price, fill.fee, fill.slippage, self.rules.terms.lot
            )
        venue = self.broker.account
        if account[:6] != venue[:6]:
            raise Halt(f"the account folded from the fills ({account}) is not the broker's ({venue})")
        halted = venue.halted if venue.halted == col.HALTED else account.halted
        account = watched(account, venue.best, venue.peak, halted, max(account.next_id, venue.next_id))
        self.account = heard(account, said, venue.target, account.next_id)._replace(delay=venue.delay)
        self.book = self.broker.book.copy()
        self.matched_ts, self.price = candle.close_ts, candle.close
        if matched.fills or matched.orders:
            await self.ledger.filled(self.spec.name, matched.fills, matched.orders, self.state())
            self._announce(matched.orders, matched.fills)

    async def _decide(self, due: Micros) -> None:
        """At the close of a strategy candle; nothing is said before the window holds the strategy's warm-up."""
        self.decided_ts = due
        if len(self.window.frame) >= self.strategy.warmup():
            await self._say(self._signal(), due)
        await self.ledger.mark(self.spec.name, due, self.state())

    async def _say(self, signal: SignalRow, due: Micros) -> None:
        """What follows from the strategy's newest row, stored before it is sent."""
        before = col.resting(self.book).copy()
        known = (signal.target, signal.stop, signal.take, signal.trail, signal.limit)
        self.account, code = on_signal(self.account, self.book, known, self.price, self.rules)
        orders = [_planned(order) for order in changes(before, self.book, (), self.series, due)]
        if orders or signal.says_something:
            reason = col.REASONS[code]
            stored = signal if signal.says_something else None
            await self.ledger.plan(self.spec.name, due, stored, orders, self.state(), reason)
            self._announce(orders, [])
            if stored is not None:
                self.bus.publish(topics.signal(self.spec.name), self._view_of(signal, due, reason))
        await self._act(orders)

    def _signal(self) -> SignalRow:
        signals = evaluate(self.strategy, Market(self.window.frame))
        return signals.row(len(signals) - 1)

    async def _act(self, orders: list[Order]) -> None:
        for order in orders:
            if order.status is OrderStatus.CANCELLED:
                await self.broker.cancel(order)
            else:
                await self._send(order)

    async def _send(self, order: Order) -> None:
        try:
            await self.broker.submit(order)
        except Refused as refused:
            moved = msgspec.structs.replace(order, status=OrderStatus.REFUSED, reason=refused.reason)
        else:
            moved = msgspec.structs.replace(order, status=OrderStatus.OPEN)
        await self.ledger.moved(moved)
        self._announce([moved], [])

    def _check_halted(self) -> None:
        if self.account.halted == col.HALTED and self.account.qty == 0.0:
            rate = self.rules.limits.max_drawdown
            raise Halt(
                f"the equity fell more than {rate:.2%} below its highest close, {self.account.peak:,.2f}; "
                f"the position was closed at {rfc3339(self.matched_ts)}. Starting the bot again counts from there."
            )

    # -- wishes -------------------------------------------------------------------------------------------------------

    async def pause(self) -> None:
        """No new entries: resting ones are cancelled. Protective exits stay, signals to leave are obeyed."""
        async with self._turn:
            self.account = self._allowed(float(col.PAUSED))
            await self._drop((Role.ENTRY,))

    async def resume(self) -> None:
        """Entries again, from the next signal that says something new."""
        async with self._turn:
            if self.account.halted == col.PAUSED:
                self.account = self._allowed(0.0)
                await self._drop(())

    async def stop(self) -> None:
        """Leaves the tape: all resting orders are cancelled, protective exits too; the position is kept as it is."""
        async with self._turn:
            self.stopped = True
            at, self.matched_ts = self.matched_ts, 0
            await self._drop(tuple(Role), at)

    def _allowed(self, code: float) -> Account:
        a = self.account
        return watched(a, a.best, a.peak, code, a.next_id)

    async def _drop(self, roles: tuple[Role, ...], ts: Micros | None = None) -> None:
        at = self.matched_ts if ts is None else ts
        before = col.resting(self.book).copy()
        for role in roles:
            col.drop_role(self.book, float(role))
        col.watch(self.book)
        orders = changes(before, self.book, (), self.series, at)
        await self.ledger.plan(self.spec.name, at, None, orders, self.state())
        await self._act(orders)
        self._announce(orders, [])

    # -- what others see ----------------------------------------------------------------------------------------------

    def state(self) -> BotState:
        return BotState(
            account=self.account,
            book=[[float(x) for x in row] for row in col.resting(self.book)],
            matched_ts=self.matched_ts,
            decided_ts=self.decided_ts,
            price=self.price,
        )

    @property
    def waits_for(self) -> str:
        """Why it cannot decide yet, "" when it can."""
        missing = self.strategy.warmup() - len(self.window.frame)
        return f"waits for {missing} more {self.spec.timeframe} candles to warm up" if missing > 0 else ""

    def _view_of(self, signal: SignalRow, ts: Micros, reason: str) -> SignalView:
        return SignalView(
            id=0, bot=self.spec.name, ts=ts, symbol=self.spec.symbol, target=signal.target,
            confidence=signal.confidence, price=self.price, tag=signal.tag, reason=reason,
        )  # fmt: skip

    def _announce(self, orders: list[Order], fills: list[Fill]) -> None:
        for order in orders:
            self.bus.publish(topics.order(self.spec.name), OrderEvent(order))
        for fill in fills:
            log.info("fill_stored", bot=fill.bot, id=fill.id, side=fill.side.name, qty=fill.qty, price=fill.price)
            self.bus.publish(topics.fill(self.spec.name), fill)

    async def _tail(self, timeframe: Timeframe, n: int, before_ts: Micros) -> CandleFrame:
        return await self.candles.tail(self.spec.exchange, self.spec.symbol, timeframe, n, before_ts)


def _planned(order: Order) -> Order:
    """Orders that a decision placed are planned until the broker has them."""
    if order.status is OrderStatus.OPEN:
        return msgspec.structs.replace(order, status=OrderStatus.PLANNED)
    return order
