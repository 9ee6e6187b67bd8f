"""Market data: where it comes from and where it is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import Gap, InstrumentChange, Origin, RawFrame, Received, Streams, Want
from onetape.domain.units import Micros, Timeframe


class PastTrades(msgspec.Struct, frozen=True):
    """What a venue tells of past trades: for how long it keeps them (None = all), how many there are in an answer, and
    how many answers it gives a second."""

    kept: Micros | None
    page: int
    per_second: float


class MarketFeed(Protocol):
    """A venue's market data."""

    exchange: str
    timeframes: frozenset[str]  # the candles that the venue itself offers
    past: PastTrades | None  # None: it tells none

    async def now(self) -> Micros:
        """The venue's time. A replaying venue lives in the past, so "until now" is never the machine's clock."""
        ...

    async def instruments(self) -> list[Instrument]: ...

    def history(
        self, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[CandleFrame]:
        """Pages of closed candles that open in [start_ts, end_ts), oldest first. Raises Transient, Refused."""
        ...

    def stream(self, wants: Sequence[Want]) -> AsyncIterator[Received]:
        """For ever: reconnects by itself and yields a Gap after each absence."""
        ...

    def change(self, wants: Sequence[Want]) -> None:
        """The running stream follows: what is new is subscribed to, what is gone is left, the others go on."""
        ...

    def streams(self) -> Streams:
        """How every stream is doing at this moment."""
        ...

    def past_trades(self, symbol: str, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        """Pages of the public trades in [start_ts, end_ts), older pages first: `raw` is the REST answer as it came
        (channel `trades_rest`), the events are Prints. Raises Transient, Refused."""
        ...

    async def book(self, symbol: str) -> Received:
        """The order book as REST gives it (channel `book_rest`). Raises Transient, Refused."""
        ...

    async def close(self) -> None: ...


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of one candle series. `anchor` is from where its buckets are counted."""

    exchange: str
    symbol: str
    timeframe: str
    first_ts: Micros
    last_ts: Micros
    rows: int
    gaps: int
    anchor: str = "UTC"


class Appended(msgspec.Struct, frozen=True):
    """What an idempotent append did: rows given, rows that were new, rows that changed one already there."""

    given: int
    new: int
    changed: int


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A final candle that was changed: its open, high, low, close, volume and turnover before and after."""

    exchange: str
    symbol: str
    timeframe: str
    open_ts: Micros
    before: list[float]
    after: list[float]
    origin_before: Origin
    origin_after: Origin
    made_ts: Micros = 0


class CandleStore(Protocol):
    """Closed candles. Appending the same rows twice changes nothing."""

    async def append(self, frame: CandleFrame) -> Appended:
        """In pieces, each one transaction; the rows are upserted by (exchange, symbol, timeframe, timestamp).

        The newest word counts, but a candle that was built never replaces the word of a venue or a file, a foreign one
        replaces only its like and synthetic ones, and a synthetic one only its like. A candle that had other numbers
        leaves a Correction.
        """
        ...

    async def corrections(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> list[Correction]:
        """Of the candles that open in [start_ts, end_ts), by time."""
        ...

    async def rolled(
        self,
        market: tuple[str, str],
        timeframe: Timeframe,
        start_ts: Micros | None,
        end_ts: Micros | None,
        last: int | None = None,
    ) -> CandleFrame | None:
        """Candles of (exchange, symbol) that are kept ready from its stored 1m ones: those that open in [start_ts,
        end_ts) and are covered to their end (the `last` of them). None when this store keeps none of that length."""
        ...

    async def load(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros | None, end_ts: Micros | None
    ) -> CandleFrame:
        """Candles that open in [start_ts, end_ts), None = unbounded; an empty frame when there are none."""
        ...

    async def tail(
        self, exchange: str, symbol: str, timeframe: Timeframe, n: int, before_ts: Micros | None = None
    ) -> CandleFrame:
        """The last n candles (that open before `before_ts`)."""
        ...

    async def coverage(self, exchange: str | None = None, symbol: str | None = None) -> list[Coverage]: ...

    async def add_gaps(self, gaps: Sequence[Gap]) -> int:
        """How many parts of them were new: holes of one channel do not overlap, whether they are open or closed."""
        ...

    async def gaps(self, exchange: str, symbol: str | None, channel: str | None) -> list[Gap]:
        """The open ones, oldest first; None = of any. Of a gap of `candle_channel` the parts close whose candles are
        appended."""
        ...

    async def close_gaps(self, gaps: Sequence[Gap], how: str) -> int:
        """Records these as closed, known before or not, and gives how many were not closed already. A hole around one
        is cut: what is left of it stays open. `taken_from` an exchange counts more than that the venue has none."""
        ...

    async def expect(self, gap: Gap, seconds: float) -> None:
        """Notes how long the repair of an open gap will take, for people."""
        ...

    async def absent(self, exchange: str, symbol: str, channel: str) -> list[Gap]:
        """Those closed because the venue has nothing there, oldest first."""
        ...

    async def instruments(self) -> list[Instrument]: ...

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None: ...


class InstrumentStore(Protocol):
    """What is traded on an exchange, and how that changed."""

    async def known(self, exchange: str) -> list[Instrument]: ...

    async def change(self, changes: Sequence[InstrumentChange]) -> None:
        """From now on these are known; each that says what was before it is kept with its time. All or none; again, it
        changes nothing."""
        ...

    async def changes(self, exchange: str, symbol: str | None = None) -> list[InstrumentChange]:
        """Oldest first."""
        ...


class RawStore(Protocol):
    """Frames as they came."""

    async def append(self, frames: Sequence[RawFrame]) -> int:
        """How many were new."""
        ...

    async def last_ts(self, exchange: str, symbol: str, channel: str) -> Micros:
        """The venue time of the last message of one series, wherever it lies; 0 = there is none."""
        ...

    async def tail(self, exchange: str, symbol: str, channel: str, n: int) -> list[RawFrame]:
        """The last n messages of one series, oldest first."""
        ...

    def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[list[RawFrame]]:
        """Pages of the messages with a venue time in [start_ts, end_ts), all channels together in the order in which
        they were received (recv_ts, seq). Memory holds a page, not the span."""
        ...


class Verdict(msgspec.Struct, frozen=True):
    """A venue's candle compared with the one built from the trades that were received.

    `verdict` is equal, not judged, or the name of the difference: missing trades, price, volume, rounding. The numbers
    are open, high, low, close, volume, turnover; `built` is empty when no trade was received.
    """

    exchange: str
    symbol: str
    timeframe: str
    open_ts: Micros
    verdict: str
    venue: list[float]
    built: list[float]


class AuditCount(msgspec.Struct, frozen=True):
    """How many candles of a series got one verdict."""

    exchange: str
    symbol: str
    timeframe: str
    verdict: str
    candles: int


class AuditStore(Protocol):
    """What the comparison of venue candles with built ones found."""

    async def judged(self, verdicts: Sequence[Verdict]) -> None:
        """Counts them, and keeps those that differ. A candle that is judged again is counted once, by its newest
        verdict; "not judged" replaces none."""
        ...

    async def unjudged(self, exchange: str, symbol: str, timeframe: Timeframe, end_ts: Micros) -> list[Micros]:
        """The open times of those of the last thousand candles or two before `end_ts` that have no verdict, are not
        judged or lack trades; none before the first one that has a verdict. None of months."""
        ...

    async def counts(self, exchange: str | None = None, symbol: str | None = None) -> list[AuditCount]: ...

    async def differences(self, exchange: str, symbol: str, timeframe: Timeframe, limit: int = 100) -> list[Verdict]:
        """Newest first."""
        ...
