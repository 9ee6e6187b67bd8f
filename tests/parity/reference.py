"""The fill model once more: slow, in exact decimals, one plain rule after the other, written from the decisions in
docs/decisions/0003 and not from the kernels. Tests hold the kernels against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

D = Decimal
ZERO, ONE = D(0), D(1)
ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT, TRAILING, HALT = 1, 2, 3, 4, 5, 6  # roles


class Candle(NamedTuple):
    open: D
    high: D
    low: D
    close: D


class Wish(NamedTuple):
    """A signal row; None = nothing said."""

    target: D | None
    stop: D | None
    take: D | None
    trail: D | None
    limit: D | None


class World(NamedTuple):
    """Costs, sizing, limits and steps."""

    maker: D
    taker: D
    slippage: D
    mode: str  # fraction, quote, qty, risk
    value: D
    max_exposure: D
    max_notional: D | None
    max_drawdown: D
    shorts: bool
    stop: D | None
    take: D | None
    trail: D | None
    tick: D
    lot: D
    min_qty: D
    min_notional: D


class Done(NamedTuple):
    """A fill."""

    bar: int
    role: int
    side: int
    qty: D
    price: D
    fee: D


@dataclass
class Entry:
    side: int
    qty: D
    limit: D | None  # None: at the market
    stop: D | None
    take: D | None
    trail: D | None


def floored(x: D, step: D) -> D:
    return (x / step).to_integral_value(ROUND_FLOOR) * step if step else x


def ceiled(x: D, step: D) -> D:
    return (x / step).to_integral_value(ROUND_CEILING) * step if step else x


def toward(x: D, step: D, way: int) -> D:
    """On the tick, rounded up for way 1 and down for way -1."""
    return ceiled(x, step) if way > 0 else floored(x, step)


@dataclass
class Reference:
    """`candle` for each closed candle, `wish` for each signal row known at its close."""

    world: World
    cash: D
    held: D = ZERO  # signed
    entry_price: D = ZERO
    best: D = ZERO
    stops: dict[int, D] = field(default_factory=dict)  # prices of stop-loss and trailing stop, the older first
    take: D | None = None
    trail: D | None = None  # rate of the trailing stop
    entry: Entry | None = None  # waits
    leaving: D | None = None  # quantity of the market exit that waits
    closing: bool = False  # a market exit by the drawdown limit waits
    said: D | None = None
    made_for: D = ZERO
    halted: bool = False
    fills: list[Done] = field(default_factory=list)
    refused: int = 0
    bar: int = -1

    def __post_init__(self) -> None:
        self.peak = self.cash

    # -- a candle -----------------------------------------------------------------------------------------------------

    def candle(self, c: Candle) -> D:
        self.bar += 1
        before, closed_since = self.held, len(self.fills)
        self._at_the_open(c)
        self._stops(c, c.open)
        self._takes(c)
        self._limit_entry(c)
        self._draw(c, before, closed_since)
        return self._watch(c)

    def _at_the_open(self, c: Candle) -> None:
        if self.leaving is not None or self.closing:
            qty = abs(self.held) if self.closing else min(self.leaving or ZERO, abs(self.held))
            role = HALT if self.closing else EXIT
            self.leaving, self.closing = None, False
            self._reduce(role, qty, self._slipped(c.open, -self._sign()), self.world.taker)
        if self.entry is not None and self.entry.limit is None:
            self._enter(self._slipped(c.open, self.entry.side), self.world.taker)

    def _stops(self, c: Candle, market: D) -> None:
        """`market`: where the price was before it met the stop."""
        side = self._sign()
        touched = [role for role, price in self.stops.items() if (c.low <= price if side > 0 else c.high >= price)]
        if touched:
            role = (max if side > 0 else min)(touched, key=lambda one: self.stops[one])
            price = min(self.stops[role], market) if side > 0 else max(self.stops[role], market)
            self._reduce(role, abs(self.held), self._slipped(price, -side), self.world.taker)

    def _takes(self, c: Candle) -> None:
        if self.take is not None and (c.high > self.take if self.held > 0 else c.low < self.take):
            self._reduce(TAKE_PROFIT, abs(self.held), self.take, self.world.maker)

    def _limit_entry(self, c: Candle) -> None:
        order = self.entry
        if order is None or order.limit is None:
            return
        if not (c.low < order.limit if order.side > 0 else c.high > order.limit):
            return
        rested = c.open > order.limit if order.side > 0 else c.open < order.limit
        market = min(order.limit, c.open) if order.side > 0 else max(order.limit, c.open)
        self._enter(order.limit, self.world.maker if rested else self.world.taker)
        count = len(self.fills)
        self._stops(c, market)
        if len(self.fills) == count and self.take is not None and (c.close - self.take) * self.held > 0:
            self._reduce(TAKE_PROFIT, abs(self.held), self.take, self.world.maker)

    def _draw(self, c: Candle, before: D, since: int) -> None:
        if self.trail is None:
            return
        went, opened_here = before, before == 0
        for fill in self.fills[since:]:
            went += fill.side * fill.qty
            opened_here = opened_here or went * before <= 0
        if self.held > 0:
            self.best = max(self.best, c.close if opened_here else c.high)
            level = floored(self.best * (1 - self.trail), self.world.tick)
            self.stops[TRAILING] = max(self.stops[TRAILING], level)
        else:
            self.best = min(self.best, c.close if opened_here else c.low)
            level = ceiled(self.best * (1 + self.trail), self.world.tick)
            self.stops[TRAILING] = min(self.stops[TRAILING], level)

    def _watch(self, c: Candle) -> D:
        equity = self.cash + self.held * c.close
        if equity > self.peak:
            self.peak = equity
        elif equity < self.peak * (1 - self.world.max_drawdown) and not self.halted:
            self.halted, self.entry = True, None
            self.closing = self.held != 0
        return equity

    # -- fills --------------------------------------------------------------------------------------------------------

    def _sign(self) -> int:
        return 1 if self.held > 0 else -1

    def _slipped(self, price: D, side: int) -> D:
        return price * (1 + side * self.world.slippage)

    def _pay(self, role: int, side: int, qty: D, price: D, rate: D) -> None:
        fee = qty * price * rate
        self.cash -= side * qty * price + fee
        self.held += side * qty
        self.fills.append(Done(self.bar, role, side, qty, price, fee))

    def _reduce(self, role: int, qty: D, price: D, rate: D) -> None:
        if not self.held or not qty:
            return
        self._pay(role, -self._sign(), qty, price, rate)
        if not self.held:
            self.stops, self.take, self.trail, self.leaving = {}, None, None, None
            self.closing, self.best, self.entry_price = False, ZERO, ZERO

    def _enter(self, price: D, rate: D) -> None:
        order, world = self.entry, self.world
        assert order is not None
        self.entry = None
        qty = order.qty
        if order.side > 0 and world.max_exposure <= 1 and qty * price * (1 + rate) > self.cash:
            qty = floored(max(self.cash, ZERO) / (price * (1 + rate)), world.lot)
            if self._too_small(qty, price):
                return
        old = abs(self.held)
        self.entry_price = (old * self.entry_price + qty * price) / (old + qty)
        if not old:
            self.best = price
        self.best = max(self.best, price) if order.side > 0 else min(self.best, price)
        self._pay(ENTRY, order.side, qty, price, rate)
        self._protect(order)

    def _protect(self, order: Entry) -> None:
        """A rate sets an exit anew from the average price, none keeps what is there."""
        side, tick = order.side, self.world.tick
        if order.stop is not None:
            self.stops.pop(STOP_LOSS, None)
            self.stops[STOP_LOSS] = toward(self.entry_price * (1 - side * order.stop), tick, -side)
        if order.take is not None:
            self.take = toward(self.entry_price * (1 + side * order.take), tick, side)
        if order.trail is not None:
            self.trail = order.trail
            self.stops.pop(TRAILING, None)
        if self.trail is not None:
            level = toward(self.best * (1 - side * self.trail), tick, -side)
            self.stops[TRAILING] = (max if side > 0 else min)(level, self.stops.get(TRAILING, level))

    # -- a signal row -------------------------------------------------------------------------------------------------

    def wish(self, row: Wish, close: D) -> None:
        if row.target == self.said:
            return
        self.said = row.target
        if row.target is None:
            return
        waited = self.entry is not None or self.leaving is not None
        self.entry = self.leaving = None
        if waited:
            self.made_for = ZERO
        keeps = self.held
        if keeps and row.target * keeps <= 0:
            self._leave(abs(keeps))
            keeps = ZERO
        if row.target == 0 or (keeps and row.target == self.made_for):
            self.made_for = row.target
        elif row.target < 0 and not self.world.shorts:
            self.refused += 1
        elif self._resize(row, close, row.target, abs(keeps)):
            self.made_for = row.target
        else:
            self.refused += 1

    def _leave(self, qty: D) -> None:
        if not self.closing:
            self.leaving = qty

    def _too_small(self, qty: D, price: D) -> bool:
        return qty <= 0 or qty < self.world.min_qty or qty * price < self.world.min_notional

    def _resize(self, row: Wish, close: D, target: D, held: D) -> bool:
        world, side = self.world, 1 if target > 0 else -1
        price = close if row.limit is None else toward(row.limit, world.tick, -side)
        stop = world.stop if row.stop is None else row.stop
        qty = self._size(price, close, abs(target), side, stop)
        if qty is None:
            return False
        if self._too_small(qty, price):
            if held:
                self._leave(held)
            return bool(held)
        if qty == held:
            return True
        if qty < held:
            if self._too_small(held - qty, close):
                return False
            self._leave(held - qty)
            return True
        if self.halted or (held and self._too_small(qty - held, price)):
            return False
        take = world.take if row.take is None else row.take
        trail = world.trail if row.trail is None else row.trail
        self.entry = Entry(side, qty - held, None if row.limit is None else price, stop, take, trail)
        return True

    def _size(self, price: D, close: D, share: D, side: int, stop: D | None) -> D | None:
        """The whole position's quantity on the lot; None when it is refused."""
        world = self.world
        equity = self.cash + self.held * close
        if equity <= 0 or price <= 0 or (world.mode == "risk" and not stop):
            return None
        qty = {
            "qty": lambda: share * world.value,
            "quote": lambda: share * world.value / price,
            "fraction": lambda: share * world.value * equity / price,
            "risk": lambda: share * world.value * equity / (price * (stop or ONE)),
        }[world.mode]()
        most = world.max_exposure * equity / price
        if side > 0 and world.max_exposure <= 1:
            most = min(most, equity / (price * (1 + world.slippage) * (1 + world.taker)))
        if world.max_notional is not None:
            most = min(most, world.max_notional / price)
        if qty > most:
            if world.mode in ("qty", "quote"):
                return None
            qty = most
        return floored(qty, world.lot)


def play(
    candles: Sequence[Candle], known: Sequence[int], wishes: Sequence[Wish], world: World, cash: D
) -> tuple[Reference, list[D]]:
    """`known[i]` signal rows are known when candle i + 1 opens. The end state and the equity at each close."""
    reference, equity, said = Reference(world, cash), [], 0
    for candle, until in zip(candles, known, strict=True):
        equity.append(reference.candle(candle))
        while said < until:
            reference.wish(wishes[said], candle.close)
            said += 1
    return reference, equity
