"""Missed trades, fetched again: holes of the trade channels, the oldest first, from the venue's past trades.

A long hole is worked off in pieces of an hour, in turn with the others, until nothing of it is left: each piece that is
done is cut off the hole, so an interruption costs a piece at most and everybody sees how far it is. What the venue no
longer has, and what `config/markets.json` does not want, is closed with that reason. The answers are stored like every
other message (channel `trades_rest`), and a replay tells their trades in their place (`missed`).
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from onetape.domain.errors import Refused, Transient
from onetape.domain.market import FROM_TRADES, NONE_THERE, Gap, candle_channel
from onetape.domain.units import HOUR, SECOND, Micros
from onetape.marketdata.fetching import Fetching, Lengths, Pace
from onetape.marketdata.quality import Span
from onetape.marketdata.trades import CHANNELS
from onetape.marketdata.turns import Turns
from onetape.observe import log
from onetape.ports import CandleStore, MarketFeed

NO_LONGER: Final = "the venue no longer has its trades"
NO_TRADES: Final = "the venue tells no past trades"
NOT_WANTED: Final = "missed trades so old are not wanted"
AT_ONCE: Final = 2.0  # seconds that trades may take while a candle is waited for
SOON: Final = 600.0  # seconds that trades may take while nobody waits for the candles of their time
_PIECE: Final = HOUR
_LOOK_SECONDS: Final = 60.0  # without being woken
_RETRY_SECONDS: Final = 5.0
_SETTLE: Final = 2 * SECOND  # until the venue's past surely has a trade

Back = Callable[[str], Micros | None]  # how old missed trades of a symbol may be to be wanted; None = however old


@dataclasses.dataclass(frozen=True, slots=True)
class Served:
    """Of which symbols trades are recorded, which lengths of candles are wanted, how old missed trades may be, and the
    time of the newest trade that the stream brought. `filled` hears of each span whose trades are known now."""

    symbols: Callable[[], Iterable[str]]
    lengths: Callable[[str], Lengths]
    back: Back = lambda _: None
    newest: Callable[[str], Micros] = lambda _: -1
    filled: Callable[[str, Span], None] = lambda _symbol, _span: None


class Repairs:
    """`run` for ever."""

    def __init__(self, feed: MarketFeed, candles: CandleStore, fetching: Fetching, served: Served) -> None:
        self._feed, self._candles, self._fetching, self._served = feed, candles, fetching, served
        fetching.lengths = served.lengths
        self._turns, self._pace = Turns(), Pace()
        self._got: dict[Gap, Span] = {}  # from where to where each piece has come, where it was interrupted
        self._seen: dict[Gap, float] = {}  # by our own clock, in seconds
        self._had: dict[str, Span] = {}  # by symbol: what was fetched while a candle was waited for
        self._locks: dict[str, asyncio.Lock] = {}
        self.wake = asyncio.Event()
        self.repaired = 0

    async def run(self) -> None:
        while True:
            self.wake.clear()
            try:
                pause = await self.work()
            except Transient as error:
                log.debug("repair_delayed", problem=str(error))
                pause = _RETRY_SECONDS
            try:
                async with asyncio.timeout(pause):
                    await self.wake.wait()
            except TimeoutError:
                pass

    async def work(self) -> float:
        """A piece of every hole whose turn it is, and gives the seconds until it is worth another look. Raises
        Transient when neither the holes nor the venue can be asked."""
        found = await self._open()
        self._seen = {gap: self._seen.get(gap, time.monotonic()) for gap in found}
        due = self._turns.due(found)
        self._pace.forget([_key(gap) for gap in found])
        self._got = {piece: span for piece, span in self._got.items() if any(_overlap(piece, gap) for gap in found)}
        now = await self._feed.now() if due else 0
        pause = self._turns.seconds(_LOOK_SECONDS)
        for known in due:
            if (gap := await self._within(known, now)) is None:
                continue
            piece = self._piece(gap)
            if not self._ripe(known, piece, now):
                pause = min(pause, _SETTLE / 1e6)
                continue
            self._pace.begin(_key(gap), gap.start_ts)
            try:
                await self.repair(piece)
                await self._expect(gap, piece.end_ts)
            except Transient as error:
                log.debug("repair_delayed", symbol=gap.symbol, problem=str(error))
                self._turns.later(known)
            except Refused as error:
                says = f"Trades of {gap.symbol} that were missed stay missing for now: {error}"
                log.warning("trades_not_repaired", says=says, start_ts=gap.start_ts, end_ts=gap.end_ts)
                self._turns.aside(known)
            else:
                pause = 0.0 if piece.end_ts < gap.end_ts else pause
        return min(pause, self._turns.seconds(_LOOK_SECONDS))

    async def _open(self) -> list[Gap]:
        symbols = set(self._served.symbols())
        found = await self._candles.gaps(self._feed.exchange, None, None) if symbols else []
        return [gap for gap in found if gap.channel in CHANNELS and gap.symbol in symbols]

    async def _within(self, gap: Gap, now: Micros) -> Gap | None:
        """What of a hole the venue still has and somebody wants; the rest is closed with the reason."""
        past, back = self._feed.past, self._served.back(gap.symbol)
        if past is None:
            await self._candles.close_gaps([gap], NO_TRADES)
            return None
        for length, why in ((past.kept, NO_LONGER), (back, NOT_WANTED)):
            if length is None or gap.start_ts >= now - length:
                continue
            edge = min(gap.end_ts, now - length)
            await self._candles.close_gaps([msgspec.structs.replace(gap, end_ts=edge)], why)
            log.info("trades_given_up", symbol=gap.symbol, start_ts=gap.start_ts, end_ts=edge, reason=why)
            if edge == gap.end_ts:
                return None
            gap = msgspec.structs.replace(gap, start_ts=edge)
        return gap

    def _piece(self, gap: Gap) -> Gap:
        """The oldest part, to a full hour where candles of no length are built that is longer."""
        edge = gap.start_ts // _PIECE * _PIECE + _PIECE
        end = self._fetching.whole(gap.symbol, gap.start_ts, edge)[1]
        return msgspec.structs.replace(gap, end_ts=min(gap.end_ts, end))

    def _ripe(self, gap: Gap, piece: Gap, now: Micros) -> bool:
        """Whether the last candle to be built has ended: a trade after it has come, or so much time has passed by our
        own clock. The venue's may be wrong, and a candle that still runs would be stored as it stands."""
        end = self._fetching.whole(piece.symbol, piece.start_ts, piece.end_ts + 1)[1]
        if end + _SETTLE > now:
            return False
        passed = (time.monotonic() - self._seen[gap]) * SECOND
        return end <= gap.end_ts or self._served.newest(gap.symbol) >= end or passed >= end - gap.end_ts

    async def _with_candles(self, piece: Gap) -> Span:
        """The span of a piece, and before it the built candles that were not stored when the program ended."""
        start, end = self._fetching.whole(piece.symbol, piece.start_ts, piece.end_ts + 1)
        for each in self._served.lengths(piece.symbol).built:
            for other in await self._candles.gaps(piece.exchange, piece.symbol, candle_channel(each)):
                if start - _PIECE <= other.start_ts < start <= other.end_ts:
                    start = other.start_ts
        return start, end

    async def repair(self, piece: Gap) -> None:
        """Fills one piece of a hole and closes it, and all of the symbol's other trade holes inside it. Raises
        Transient, Refused; the next try goes on from where this one came to."""
        symbol, prints = piece.symbol, 0
        async with self._lock(symbol):
            start, end = await self._with_candles(piece)
            had = self._had.get(symbol, (0, 0))
            resumed = max(reached(self._got.get(piece, (0, 0)), start), reached(had, start))
            if resumed < end:
                begin = self._fetching.whole(symbol, resumed, end)[0]
                prints = await self._fetching.fetch(
                    symbol, (begin, end), lambda ts: self._got.update({piece: (start, ts)})
                )
            await self._fetching.complete(symbol, (start, end))
            await self._close(piece, (start, end), FROM_TRADES if prints or resumed > start else NONE_THERE)
            self._served.filled(symbol, (start, end))
        self._got.pop(piece, None)
        self.repaired += 1
        log.info("trades_backfilled", symbol=symbol, trades=prints, start_ts=piece.start_ts, end_ts=piece.end_ts)

    async def _close(self, piece: Gap, span: Span, how: str) -> None:
        closing = [piece]
        for other in await self._candles.gaps(piece.exchange, piece.symbol, None):
            start, end = max(span[0], other.start_ts), min(span[1] - 1, other.end_ts)
            if other.channel in CHANNELS and start < end:
                closing.append(msgspec.structs.replace(other, start_ts=start, end_ts=end))
        await self._candles.close_gaps(list(dict.fromkeys(closing)), how)

    async def _expect(self, gap: Gap, reached: Micros) -> None:
        left = self._pace.left(_key(gap), reached)
        if left is not None and reached < gap.end_ts:
            await self._candles.expect(msgspec.structs.replace(gap, start_ts=reached), left)

    # --- candles first or trades first

    async def at_once(self, symbol: str, span: Span) -> None:
        """The trades of a span whose candles are waited for, when that takes a moment only: the candles are built.
        Nothing is raised: who waits asks for the venue's candles next."""
        if symbol not in set(self._served.symbols()):
            return
        try:
            async with asyncio.timeout(2 * AT_ONCE), self._lock(symbol):
                had = self._had.get(symbol, (0, 0))
                if had[0] <= span[0] < span[1] <= had[1] or await self.cost(symbol, span) > AT_ONCE:
                    return
                await self._fetching.fetch(symbol, span)
                self._had[symbol] = span
        except (TimeoutError, Transient, Refused) as error:
            log.debug("trades_not_first", symbol=symbol, problem=str(error))

    async def soon(self, symbol: str, span: Span) -> bool:
        """Whether the candles of a span need not be asked for, because its trades come first and bring them."""
        for gap in self._turns.due(await self._open()):
            if gap.symbol == symbol and gap.start_ts < span[1] and gap.end_ts > span[0]:
                return await self.cost(symbol, (gap.start_ts, gap.end_ts)) <= SOON
        return False

    async def cost(self, symbol: str, span: Span) -> float:
        """Seconds. Raises Transient."""
        return await self._fetching.cost(symbol, span[1] - span[0])

    def _lock(self, symbol: str) -> asyncio.Lock:
        return self._locks.setdefault(symbol, asyncio.Lock())


def reached(span: Span, start: Micros) -> Micros:
    """How far from `start` on a span has come; a piece may begin earlier by now than when it was interrupted."""
    return span[1] if span[0] <= start < span[1] else start


def _overlap(piece: Gap, gap: Gap) -> bool:
    same = (piece.symbol, piece.channel) == (gap.symbol, gap.channel)
    return same and piece.start_ts < gap.end_ts and piece.end_ts > gap.start_ts


def _key(gap: Gap) -> tuple[str, str, Micros]:
    return gap.symbol, gap.channel, gap.end_ts
