"""What the market says. Everything from outside carries `recv_ts`; event time and receipt time are never mixed."""

from __future__ import annotations

import enum

import msgspec

from onetape.domain.units import Micros, Money, Price, Qty, Rate


class Origin(enum.IntEnum):
    """Where a candle comes from. Stored as a small integer; the names are stable."""

    VENUE = 0
    BUILT = 1
    BACKFILLED = 2
    SYNTHETIC = 3
    IMPORTED = 4


class Candle(msgspec.Struct, frozen=True, tag="candle", array_like=False):
    """A closed, final candle. `open_ts` is its timestamp; usable from `close_ts` on, never earlier."""

    exchange: str
    symbol: str
    timeframe: str
    open_ts: Micros
    close_ts: Micros
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Qty
    turnover: Money = 0.0
    origin: Origin = Origin.VENUE
    recv_ts: Micros = 0


class Forming(msgspec.Struct, frozen=True, tag="forming"):
    """The running candle: shown to people, never stored as final, never shown to a strategy."""

    exchange: str
    symbol: str
    timeframe: str
    open_ts: Micros
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Qty
    recv_ts: Micros = 0


class Print(msgspec.Struct, frozen=True, tag="print"):
    """A public trade. `side` is the taker's: 1 buy, -1 sell."""

    exchange: str
    symbol: str
    id: str
    ts: Micros
    price: Price
    qty: Qty
    side: int
    recv_ts: Micros = 0


class Quote(msgspec.Struct, frozen=True, tag="quote"):
    """Best bid and ask and the last price."""

    exchange: str
    symbol: str
    ts: Micros
    bid: Price
    bid_qty: Qty
    ask: Price
    ask_qty: Qty
    last: Price
    recv_ts: Micros = 0


class Book(msgspec.Struct, frozen=True, tag="book"):
    """The best levels, best first, each (price, qty in base units). `valid` is False while the chain is broken."""

    exchange: str
    symbol: str
    ts: Micros
    bids: list[tuple[Price, Qty]]
    asks: list[tuple[Price, Qty]]
    valid: bool = True
    recv_ts: Micros = 0


class Funding(msgspec.Struct, frozen=True, tag="funding"):
    exchange: str
    symbol: str
    ts: Micros
    rate: Rate
    recv_ts: Micros = 0


class Gap(msgspec.Struct, frozen=True, tag="gap"):
    """A hole is data: [start_ts, end_ts) of one series in which nothing was received, and why."""

    exchange: str
    symbol: str
    channel: str
    start_ts: Micros
    end_ts: Micros
    cause: str


class RawFrame(msgspec.Struct, frozen=True):
    """A message exactly as the venue sent it. `data` is JSON text."""

    exchange: str
    symbol: str
    channel: str
    ts: Micros
    recv_ts: Micros
    seq: int
    data: bytes


MarketEvent = Candle | Forming | Print | Quote | Book | Funding | Gap


class Received(msgspec.Struct, frozen=True):
    """One frame of a stream with what it says. `raw` is None for what the feed itself adds (a Gap)."""

    raw: RawFrame | None
    events: tuple[MarketEvent, ...]


class Channel(enum.StrEnum):
    TRADES = "trades"
    BOOK = "book"
    TICKER = "ticker"
    CANDLES = "candles"


class Want(msgspec.Struct, frozen=True):
    """One stream that somebody wants from a feed; `timeframe` for candles only."""

    symbol: str
    channel: Channel
    timeframe: str = ""

    @property
    def name(self) -> str:
        """The channel as raw frames and gaps name it: `trades`, `book`, `ticker`, `candles:1m`."""
        return candle_channel(self.timeframe) if self.channel is Channel.CANDLES else str(self.channel)


def candle_channel(timeframe: object) -> str:
    """`candles:1m`: the channel name of a candle series in gaps and raw frames, whatever its source."""
    return f"candles:{timeframe}"
