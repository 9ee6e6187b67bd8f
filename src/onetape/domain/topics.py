"""The names of the hints that travel over the bus: plain functions, so that publisher and listener cannot disagree.

A topic is `kind:part:part`. Parts may be `*`, which makes the name a pattern for `Bus.subscribe`: `candle("okx", "*",
"1m")` is every 1-minute series of one exchange.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from onetape.domain.market import Book, Forming, Funding, Index, Mark, Quote, VenueStatus
from onetape.domain.units import Micros

CONTROL: Final = "control"  # somebody wishes something of a bot: look into the store (Note)
ANY: Final = "*"

# Of these only the newest message of a topic matters: a slow connection may skip what lies between.
NEWEST_WINS: Final = frozenset(
    {"forming", "book", "quote", "bot", "service", "job", "streams", "recording", "mark", "index"}
)

HINT: Final[Micros] = 20_000  # of a topic for people only, so often at most: the newest event wins over those not sent

Fleeting = Forming | Quote | Book | Mark | Index | Funding | VenueStatus  # announced without waiting for their commit


class Note(msgspec.Struct, frozen=True, tag="note"):
    """A small hint without a struct of its own: a heartbeat, a wish. Plain values only."""

    kind: str
    detail: dict[str, Any] = {}


def kind_of(topic: str) -> str:
    """`candle:okx:BTC-USDT:1m` is of kind `candle`."""
    return topic.partition(":")[0]


def candle(exchange: str, symbol: str, timeframe: str) -> str:
    """A closed, committed candle (domain.market.Candle)."""
    return f"candle:{exchange}:{symbol}:{timeframe}"


def corrected(exchange: str, symbol: str, timeframe: str) -> str:
    """Candles of the past have changed (Corrected). For people: a bot never takes back what it saw."""
    return f"corrected:{exchange}:{symbol}:{timeframe}"


def drained(exchange: str) -> str:
    """What waited on disk is stored (Drained)."""
    return f"drained:{exchange}"


def forming(exchange: str, symbol: str, timeframe: str) -> str:
    """The running candle (Forming)."""
    return f"forming:{exchange}:{symbol}:{timeframe}"


def book(exchange: str, symbol: str) -> str:
    return f"book:{exchange}:{symbol}"


def quote(exchange: str, symbol: str) -> str:
    return f"quote:{exchange}:{symbol}"


def prints(exchange: str, symbol: str) -> str:
    """Public trades, those of one commit together (Prints)."""
    return f"prints:{exchange}:{symbol}"


def mark(exchange: str, symbol: str) -> str:
    return f"mark:{exchange}:{symbol}"


def index(exchange: str, symbol: str) -> str:
    return f"index:{exchange}:{symbol}"


def funding(exchange: str, symbol: str) -> str:
    return f"funding:{exchange}:{symbol}"


def status(exchange: str) -> str:
    """Maintenance of a venue (VenueStatus)."""
    return f"status:{exchange}"


def instrument(exchange: str, symbol: str) -> str:
    """What is traded has changed, and the change is stored (InstrumentChange)."""
    return f"instrument:{exchange}:{symbol}"


_FLEETING: Final = {Quote: quote, Book: book, Mark: mark, Index: index, Funding: funding}


def fleeting(exchange: str, event: Fleeting) -> str:
    """The topic of an event that is for people only, told in the name of `exchange`."""
    if isinstance(event, Forming):
        return forming(exchange, event.symbol, event.timeframe)
    if isinstance(event, VenueStatus):
        return status(exchange)
    return _FLEETING[type(event)](exchange, event.symbol)


def gap(exchange: str, symbol: str) -> str:
    return f"gap:{exchange}:{symbol}"


def streams(exchange: str) -> str:
    """The state of all streams of an exchange (Streams)."""
    return f"streams:{exchange}"


def recording(exchange: str) -> str:
    """How the recording of an exchange goes (Recording)."""
    return f"recording:{exchange}"


def signal(bot: str) -> str:
    """A decision was stored (SignalView)."""
    return f"signal:{bot}"


def order(bot: str) -> str:
    """An order changed (OrderEvent)."""
    return f"order:{bot}"


def fill(bot: str) -> str:
    """A fill was stored (Fill)."""
    return f"fill:{bot}"


def bot(name: str) -> str:
    """The state of a bot changed (BotView)."""
    return f"bot:{name}"


def service(name: str) -> str:
    """Heartbeat of a service (Note)."""
    return f"service:{name}"


def job(job_id: str) -> str:
    """A job changed: its progress or its state (Job)."""
    return f"job:{job_id}"
