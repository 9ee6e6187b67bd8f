"""Are the candles and books that are stored those that the stored messages make? Rebuilt and compared, bit for bit.

* Candles that the venue sent: every closed candle in a message is in its table with the same numbers, or was changed
  later and its correction has them. And the other way round: a candle that is stored as received from the venue is in
  a message. One that came later from elsewhere (backfilled, imported) is counted as such.
* Candles that were built from trades: built once more by the same builder from the same messages they come out the
  same. Where trades were missed and filled later (a gap, open or closed, touches the candle) nothing is judged.
* Books: see the exchange's own proof. An update that does not join on must have its gap on record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

import msgspec

from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Channel, MarketEvent, Origin, Print, RawFrame, candle_channel
from onetape.domain.units import HOUR, MINUTE, Micros, Timeframe, rfc3339
from onetape.marketdata.quality import Holes
from onetape.marketdata.replay import Decode, Played, Wish, trades_of
from onetape.marketdata.trades import BuiltSeries
from onetape.ports import CandleStore, GapView, RawStore

_NUMBERS: Final = ("open", "high", "low", "close", "volume", "turnover")
_LATE: Final[Micros] = MINUTE  # a built candle does not change any more
_SAID: Final[Micros] = HOUR  # after this no message says a candle for the first time


class BookTold(Protocol):
    """What one message showed of the book."""

    @property
    def ts(self) -> Micros: ...
    @property
    def compared(self) -> int: ...
    @property
    def skipped(self) -> int: ...
    @property
    def wrong(self) -> str: ...
    @property
    def broken(self) -> bool: ...


class BookProof(Protocol):
    def take(self, frame: RawFrame) -> BookTold: ...


class Proven(msgspec.Struct, kw_only=True):
    """What was compared. `first` is a sentence about the first difference, "" = none; `not_judged` counts what could
    not be compared, `backfilled` the candles of which no message can speak, because they came later."""

    frames: int = 0
    candles: int = 0
    built: int = 0
    books: int = 0
    not_judged: int = 0
    backfilled: int = 0
    differences: int = 0
    first: str = ""

    @property
    def proved(self) -> bool:
        """Something was compared, and it was the same."""
        return not self.differences and self.candles + self.built + self.books > 0

    def differs(self, sentence: str) -> None:
        self.differences += 1
        self.first = self.first or sentence


class Tape(NamedTuple):
    """Where everything is read from. `gaps` are those of the symbol, open and closed; `book` None = not provable;
    `kept` are the times of the first and the last message of each channel that are stored at all."""

    raw: RawStore
    candles: CandleStore
    decode: Decode
    book: BookProof | None
    gaps: Sequence[GapView]
    kept: Mapping[str, tuple[Micros, Micros]] = MappingProxyType({})


async def prove(tape: Tape, wish: Wish, told: Callable[[Played], None]) -> Proven:
    """The whole span; `wish.build` are the lengths that are built from trades."""
    proof = _Proof(tape, wish)
    played = Played()
    async for page in tape.raw.read(wish.exchange, wish.symbol, wish.channels, wish.start_ts, wish.end_ts):
        for frame in page:
            proof.take(frame, tape.decode(frame))
        await proof.compare()
        played.frames += len(page)
        played.first_ts, played.last_ts = played.first_ts or page[0].recv_ts, page[-1].recv_ts
        told(played)
    await proof.compare(end=True)
    proof.found.frames = played.frames
    return proof.found


class _Built:
    """One length that is built from trades: what came out, until it is compared."""

    def __init__(self, wish: Wish, timeframe: Timeframe) -> None:
        self.timeframe = timeframe
        self.series = BuiltSeries(wish.exchange, wish.symbol, timeframe)
        self.candles: dict[Micros, Candle] = {}
        self.done: Micros = -1  # up to here everything is compared

    def add(self, trade: Print) -> None:
        for candle, _ in self.series.add(trade):
            self.candles[candle.open_ts] = candle


class _Said:
    """One length that the venue sends: what its messages say, until the stored candles are held against it."""

    def __init__(self, wish: Wish, timeframe: Timeframe, kept: tuple[Micros, Micros]) -> None:
        self.timeframe, self._end = timeframe, wish.end_ts
        self.done = max(wish.start_ts, timeframe.floor(kept[0]))  # up to here all are compared
        self._running = kept[1] < wish.end_ts + _LATE  # the last messages may be on their way into the table
        self._newest = -1
        self._there: set[Micros] = set()
        self._at_open = True  # whether a message bears the time of its candle, or of the one that began with it

    def add(self, candle: Candle, ts: Micros) -> None:
        self._there.add(candle.open_ts)
        self._newest = max(self._newest, candle.open_ts)
        self._at_open &= ts == candle.open_ts

    def until(self, *, end: bool) -> Micros:
        """Up to where no message says more. At the end only candles are judged whose message lies in the span."""
        if not end:
            return self.timeframe.floor(self._newest - _SAID)
        last = self.timeframe.floor(self._end - (not self._at_open))
        if not self._running:
            return last
        said = self.timeframe.next(self._newest) if self._newest >= 0 else self.done
        return min(last, max(said, self.timeframe.floor(self._end - _LATE)))

    def silent(self, stored: dict[Micros, Candle], until: Micros) -> list[Candle]:
        """The stored candles before `until` that no message says."""
        found = [candle for ts, candle in stored.items() if ts not in self._there]
        self._there = {ts for ts in self._there if ts >= until}
        self.done = until
        return found


class _Proof:
    def __init__(self, tape: Tape, wish: Wish) -> None:
        self._tape, self._wish = tape, wish
        self._trades = trades_of(wish.channels)
        self._holes = {
            channel: Holes((gap.start_ts, gap.end_ts) for gap in tape.gaps if gap.channel == channel)
            for channel in {gap.channel for gap in tape.gaps}
        }
        self._built = [_Built(wish, each) for each in wish.build]
        self._sent: dict[str, dict[Micros, Candle]] = {}
        lengths = [c.partition(":")[2] for c in wish.channels if c.startswith(candle_channel(""))]
        whole = (wish.start_ts, wish.end_ts)
        self._said = {
            text: _Said(wish, Timeframe.parse(text), tape.kept.get(candle_channel(text), whole)) for text in lengths
        }
        self.found = Proven()

    def take(self, frame: RawFrame, events: tuple[MarketEvent, ...]) -> None:
        for event in events:
            if type(event) is Print and frame.channel == self._trades:
                for built in self._built:
                    built.add(event)
            elif isinstance(event, Candle):
                self._sent.setdefault(event.timeframe, {})[event.open_ts] = event
                if said := self._said.get(event.timeframe):
                    said.add(event, frame.ts)
        if self._tape.book is not None:
            self._book(self._tape.book.take(frame))

    def _book(self, told: BookTold) -> None:
        found = self.found
        found.books += told.compared
        found.not_judged += told.skipped
        if told.wrong:
            found.differs(f"{rfc3339(told.ts)} {told.wrong}.")
        if told.broken and not self._missed(Channel.BOOK, told.ts, told.ts):
            found.differs(f"{rfc3339(told.ts)} an update of the book is missing before this one, and no gap says so.")

    def _missed(self, channel: str, first_ts: Micros, last_ts: Micros) -> bool:
        """Whether a gap touches [first_ts, last_ts]."""
        holes = self._holes.get(channel)
        return holes is not None and holes.touch(first_ts, last_ts)

    async def compare(self, *, end: bool = False) -> None:
        """What can be compared by now."""
        sent, self._sent = self._sent, {}
        for timeframe, candles in sent.items():
            await self._compare_sent(Timeframe.parse(timeframe), candles)
        for said in self._said.values():
            await self._compare_said(said, end)
        for built in self._built:
            await self._compare_built(built, end)

    async def _compare_sent(self, timeframe: Timeframe, candles: dict[Micros, Candle]) -> None:
        first, last = min(candles), max(candles)
        key = (self._wish.exchange, self._wish.symbol, timeframe)
        stored = _by_time(await self._tape.candles.load(*key, first, last + 1))
        for ts in sorted(candles):
            self.found.candles += 1
            own = stored.get(ts)
            if own is not None and _same(candles[ts], own):
                continue
            changed = await self._tape.candles.corrections(*key, ts, ts + 1)
            if any(_equal(_numbers(candles[ts]), one.before) for one in changed):
                continue
            self.found.differs(_difference(candles[ts], own))

    async def _compare_said(self, said: _Said, end: bool) -> None:
        """Whether what is stored as received was received."""
        until = said.until(end=end)
        if until <= said.done:
            return
        key = (self._wish.exchange, self._wish.symbol, said.timeframe)
        stored = _by_time(await self._tape.candles.load(*key, said.done, until))
        channel = candle_channel(said.timeframe)
        for candle in said.silent(stored, until):
            explained = self._missed(channel, candle.open_ts + 1, candle.close_ts - 1)
            if candle.origin is not Origin.VENUE or explained:
                self.found.backfilled += 1
            else:
                place = f"{rfc3339(candle.open_ts)} candle {said.timeframe}:"
                self.found.differs(f"{place} stored as received from the venue, and no stored message says it.")

    async def _compare_built(self, built: _Built, end: bool) -> None:
        newest = built.series.builder.newest
        start = max(built.done, built.series.since + 1)
        until = built.timeframe.floor(newest if end else newest - _LATE)
        if built.series.since < 0 or until <= start:
            return
        key = (self._wish.exchange, self._wish.symbol, built.timeframe)
        stored = _by_time(await self._tape.candles.load(*key, start, until))
        own = {ts: candle for ts, candle in built.candles.items() if start <= ts < until}
        for ts in sorted(own.keys() | {ts for ts, candle in stored.items() if candle.origin is Origin.BUILT}):
            self._judge(built, ts, own.get(ts), stored.get(ts))
        built.candles = {ts: candle for ts, candle in built.candles.items() if ts >= until}
        built.done = until

    def _judge(self, built: _Built, ts: Micros, own: Candle | None, stored: Candle | None) -> None:
        close_ts = built.timeframe.next(ts)
        channels = (self._trades, candle_channel(built.timeframe))
        if any(self._missed(channel, ts, close_ts) for channel in channels) or (
            stored is not None and stored.origin is not Origin.BUILT
        ):
            self.found.not_judged += 1
            return
        self.found.built += 1
        if own is None:
            self.found.differs(
                f"{rfc3339(ts)} candle {built.timeframe}: stored as built, and the stored trades make none."
            )
        elif stored is None or not _same(own, stored):
            self.found.differs(_difference(own, stored))


def _by_time(frame: CandleFrame) -> dict[Micros, Candle]:
    return {(candle := frame.candle(i)).open_ts: candle for i in range(len(frame))}


def _numbers(candle: Candle) -> list[float]:
    return [getattr(candle, name) for name in _NUMBERS]


def _same(rebuilt: Candle, stored: Candle) -> bool:
    return _equal(_numbers(rebuilt), _numbers(stored))


def _equal(rebuilt: list[float], stored: list[float]) -> bool:
    """A turnover of 0 is one that is not known."""
    return rebuilt[:-1] == stored[:-1] and (rebuilt[-1] == stored[-1] or not rebuilt[-1])


def _difference(rebuilt: Candle, stored: Candle | None) -> str:
    place = f"{rfc3339(rebuilt.open_ts)} candle {rebuilt.timeframe}:"
    if stored is None:
        return f"{place} the messages have it, and it is not stored."
    name = next(n for n in _NUMBERS if getattr(rebuilt, n) != getattr(stored, n))
    return f"{place} {name} is stored as {getattr(stored, name)!r}, rebuilt it is {getattr(rebuilt, name)!r}."
