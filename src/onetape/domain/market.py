"""What the market says. Everything from outside carries `recv_ts`; event time and receipt time are never mixed.

`gc=False`: what holds only numbers, text and the like is in no cycle, and thousands a second need not be looked through
for one.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from onetape.domain.instrument import Instrument
from onetape.domain.units import Micros, Money, Price, Qty, Rate


class Origin(enum.IntEnum):
    """Where a candle comes from. Stored as a small integer; the names are stable."""

    VENUE = 0
    BUILT = 1
    BACKFILLED = 2
    SYNTHETIC = 3
    IMPORTED = 4
    FOREIGN = 5  # of the same instrument on another exchange


FROM_TRADES: Final = "backfilled from trades"
NONE_THERE: Final = "the venue has none"
IN_FILE: Final = "missing in file"  # and its name
BETWEEN_FILES: Final = "missing between two files"
NOT_RECORDED: Final = "between an imported file and the recording: `onetape data download` fetches it"
CLOSED_BY: Final = {
    Origin.VENUE: "received from the venue",
    Origin.BUILT: "built from trades",
    Origin.BACKFILLED: "backfilled from candles",
    Origin.SYNTHETIC: "filled on request",
    Origin.IMPORTED: "imported",
    Origin.FOREIGN: "taken from another exchange",
}  # how a gap of a candle series was closed, by the origin of the candles that closed it


def left_to_people(cause: str) -> bool:
    """Whether a hole lies outside of what was recorded or downloaded: nobody fetches it without being asked."""
    return cause in (BETWEEN_FILES, NOT_RECORDED) or cause.startswith(IN_FILE)


def taken_from(exchange: str) -> str:
    """How a gap was closed with candles of another exchange."""
    return f"taken from {exchange}"


class Candle(msgspec.Struct, frozen=True, tag="candle", array_like=False, gc=False):
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


class Forming(msgspec.Struct, frozen=True, tag="forming", gc=False):
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


class Print(msgspec.Struct, frozen=True, tag="print", gc=False):
    """A public trade. `side` is the taker's: 1 buy, -1 sell."""

    exchange: str
    symbol: str
    id: str
    ts: Micros
    price: Price
    qty: Qty
    side: int
    recv_ts: Micros = 0


class Prints(msgspec.Struct, frozen=True, tag="prints", gc=False):
    """The trades of one symbol that were committed together, in the order in which they came."""

    exchange: str
    symbol: str
    trades: tuple[Print, ...]


class Quote(msgspec.Struct, frozen=True, tag="quote", gc=False):
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


class Funding(msgspec.Struct, frozen=True, tag="funding", gc=False):
    """The rate that holders of a perpetual will pay at `ts`, and the payment after it where it is known (0 = not)."""

    exchange: str
    symbol: str
    ts: Micros
    rate: Rate
    recv_ts: Micros = 0
    next_ts: Micros = 0


class Mark(msgspec.Struct, frozen=True, tag="mark", gc=False):
    """The price that a venue values positions at."""

    exchange: str
    symbol: str
    ts: Micros
    price: Price
    recv_ts: Micros = 0


class Index(msgspec.Struct, frozen=True, tag="index", gc=False):
    """The price of an index (`BTC-USDT`), of several venues together."""

    exchange: str
    symbol: str
    ts: Micros
    price: Price
    recv_ts: Micros = 0


class VenueStatus(msgspec.Struct, frozen=True, tag="status"):
    """Maintenance that a venue announces. `state` is scheduled, ongoing, pre_open, completed or canceled."""

    exchange: str
    ts: Micros
    title: str
    state: str
    start_ts: Micros
    end_ts: Micros
    recv_ts: Micros = 0


class InstrumentChange(msgspec.Struct, frozen=True, tag="instrument"):
    """What is traded, as the venue states it from `ts` on: steps, contract size, state. `before` is what was known
    until then; None = nothing, or it is not known here."""

    exchange: str
    symbol: str
    ts: Micros
    instrument: Instrument
    before: Instrument | None = None
    recv_ts: Micros = 0

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the fields that are not as before."""
        before, now = self.before, self.instrument
        if before is None:
            return Instrument.__struct_fields__
        return tuple(name for name in Instrument.__struct_fields__ if getattr(before, name) != getattr(now, name))


class Gap(msgspec.Struct, frozen=True, tag="gap"):
    """A hole is data: [start_ts, end_ts) of one series in which nothing was received, and why."""

    exchange: str
    symbol: str
    channel: str
    start_ts: Micros
    end_ts: Micros
    cause: str


class Corrected(msgspec.Struct, frozen=True, tag="corrected"):
    """Stored candles that open in [start_ts, end_ts), and after which others are stored, were changed or filled in. For
    who shows them: read them again."""

    exchange: str
    symbol: str
    timeframe: str
    start_ts: Micros
    end_ts: Micros


class Drained(msgspec.Struct, frozen=True, tag="drained"):
    """What waited on disk while the database was away is stored now; it was announced to nobody."""

    exchange: str


ANSWERS: Final = "_rest"  # so end the channels of answers to requests: `trades_rest`


class RawFrame(msgspec.Struct, frozen=True, gc=False):
    """A message exactly as the venue sent it. `data` is JSON text."""

    exchange: str
    symbol: str
    channel: str
    ts: Micros
    recv_ts: Micros
    seq: int
    data: bytes


MarketEvent = Candle | Forming | Print | Quote | Book | Funding | Mark | Index | VenueStatus | InstrumentChange | Gap


class Received(msgspec.Struct, frozen=True, gc=False):
    """One frame of a stream with what it says. `raw` is None for what the feed itself adds (a Gap)."""

    raw: RawFrame | None
    events: tuple[MarketEvent, ...]


class Channel(enum.StrEnum):
    """The kinds of streams. INSTRUMENTS and STATUS belong to a venue as a whole: the symbol of such a want is `*`."""

    TRADES = "trades"  # one message may stand for several matches at one price
    TRADES_ALL = "trades_all"  # every single match
    BOOK = "book"
    BOOK5 = "book5"
    BBO = "bbo"
    TICKER = "ticker"
    CANDLES = "candles"
    MARK = "mark"
    INDEX = "index"
    FUNDING = "funding"
    INSTRUMENTS = "instruments"
    STATUS = "status"


WATCHED: Final = (
    Channel.TRADES,
    Channel.BOOK,
    Channel.TICKER,
    Channel.CANDLES,
)  # what is streamed unless asked otherwise


class Want(msgspec.Struct, frozen=True):
    """One stream that somebody wants from a feed; `timeframe` for candles only."""

    symbol: str
    channel: Channel
    timeframe: str = ""

    @property
    def name(self) -> str:
        """The channel as raw frames and gaps name it: `trades`, `book`, `ticker`, `candles:1m`."""
        return candle_channel(self.timeframe) if self.channel is Channel.CANDLES else str(self.channel)


UNKNOWN: Final = "unknown"  # the channel of stored text that is no message, of symbol *


def candle_channel(timeframe: object) -> str:
    """`candles:1m`: the channel name of a candle series in gaps and raw frames, whatever its source."""
    return f"candles:{timeframe}"


class StreamState(msgspec.Struct, frozen=True, kw_only=True):
    """How one stream is doing. Ages and delays in milliseconds of the machine's clock; -1 = nothing came yet.

    `state` is starting, live, silent (under a live socket), broken (a book without its chain), down, or refused.
    `sockets` counts the connections that carry it now; `delay_*` is from the venue's time to the receipt, its clock
    offset taken out; `dropped` counts what the second connection brought again.
    """

    exchange: str
    symbol: str
    channel: str
    state: str
    sockets: int = 0
    age_ms: float = -1.0
    event_ts: Micros = 0
    per_second: float = 0.0
    delay_p50_ms: float = -1.0
    delay_p99_ms: float = -1.0
    messages: int = 0
    dropped: int = 0
    gaps: int = 0
    reason: str = ""


class Streams(msgspec.Struct, frozen=True, tag="streams"):
    """All streams of one exchange at one moment, as the collector tells them about once a second."""

    exchange: str
    ts: Micros
    items: tuple[StreamState, ...]
    clock_offset_ms: float = 0.0  # the venue's clock minus ours
    trouble: str = ""  # one sentence while the venue cannot be reached
