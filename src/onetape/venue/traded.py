"""What an instrument's market is made of, and how it is asked for, wherever it comes from: candles or a recording."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from onetape.domain.units import Micros
from onetape.venue.bars import Bar
from onetape.venue.listing import Listing
from onetape.venue.prints import Ints


class Row(NamedTuple):
    """A bar on its way to the wire: prices in ticks, volume in lots, turnover in quote currency."""

    open_ts: Micros
    open: int
    high: int
    low: int
    close: int
    lots: int
    turnover: float
    closed: bool


class Trade(NamedTuple):
    id: int
    price: int
    lots: int
    ts_ms: int
    buy: bool


class DayStats(NamedTuple):
    """The last 24 hours; `utc0` and `utc8` are the opening prices of the running day in both calendars."""

    open: int
    high: int
    low: int
    lots: int
    turnover: float
    utc0: int
    utc8: int


class Notice(NamedTuple):
    """Maintenance as it is announced. `service`: 0 WebSocket, 5 trading; `state`: scheduled, ongoing, completed ..."""

    title: str
    state: str
    start_ts: Micros
    end_ts: Micros
    service: str
    ts: Micros


class Funding(NamedTuple):
    """The rate in hundred-millionths that is paid at `ts`, and the payment after it."""

    rate_e8: int
    ts: Micros
    next_ts: Micros


class Market(Protocol):
    """One instrument at any moment. `channels` come as they were recorded, all others are made."""

    listing: Listing
    seed: int
    begin_ts: Micros
    end_ts: Micros
    channels: frozenset[str]

    def trades(self, after_ts: Micros, until_ts: Micros) -> list[Trade]:
        """Prints in (after_ts, until_ts], oldest first."""
        ...

    def latest_trades(self, before_ts: Micros, n: int) -> list[Trade]:
        """At most `n` prints at or before a time, newest first."""
        ...

    def minute_of(self, trade_id: int) -> Micros:
        """The open time of the minute a trade id belongs to."""
        ...

    def last(self, now: Micros) -> tuple[int, int]:
        """Price and size of the last print."""
        ...

    def bars(self, bar: Bar, opens: Ints) -> list[Row]:
        """Closed bars for consecutive ascending open times; those outside the data are left out."""
        ...

    def running(self, bar: Bar, now: Micros) -> Row | None: ...

    def day(self, now: Micros) -> DayStats: ...
