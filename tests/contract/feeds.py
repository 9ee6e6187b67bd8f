"""What the suite of market feeds is run against. A new adapter joins by one entry in `CASES`: how it is opened, how its
stored frames are read, and the stage that plays its venue (docs/adding-an-exchange.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE, Micros
from onetape.exchanges.ccxt.decoding import decoder as ccxt_decoder
from onetape.exchanges.ccxt.feed import CcxtFeed
from onetape.exchanges.connection import Habits
from onetape.exchanges.okx.decoding import decoder as okx_decoder
from onetape.exchanges.okx.feed import OkxFeed
from onetape.exchanges.registry import Decode
from onetape.ports import MarketFeed
from onetape.venue.server import Venue

SYMBOL = "BTC-USD"
START = 1_560_000_000_000_000
QUICK = Habits(ping_after=1.0, silence=2.0, backoff=0.05, backoff_limit=0.2, connects=1_000)


def tape(n: int = 2_000) -> CandleFrame:
    """A wandering price: the truth that every stage plays, and that every feed must tell."""
    rng = np.random.default_rng(7)
    close = np.round(8_000 + np.cumsum(rng.normal(0, 5, n)), 1)
    opens = np.concatenate(([8_000.0], close[:-1]))
    return CandleFrame.of(
        "okx",
        SYMBOL,
        "1m",
        {
            "ts": START + np.arange(n) * MINUTE,
            "open": opens,
            "high": np.maximum(opens, close) + 2,
            "low": np.minimum(opens, close) - 2,
            "close": close,
            "volume": np.round(rng.uniform(1, 5, n), 4),
        },
    )


class Stage(Protocol):
    """A venue that plays `tape` over the venue's own wire, two minutes of the market in every second, from the minute
    1,500 on. What goes wrong goes wrong on request."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def now(self) -> Micros: ...

    def drop_connections(self) -> None: ...

    def drop_oldest_connection(self) -> None: ...

    def go_silent(self, silent: bool = True) -> None:
        """The sockets stay open and nothing comes."""
        ...

    def skip_book_update(self, symbol: str) -> None:
        """One update of the book is lost: its chain breaks."""
        ...

    def refuse(self, calls: int, *, status: int = 503, code: str = "50001") -> None:
        """So many requests are answered as a busy venue does."""
        ...

    def notice(self) -> None:
        """The venue says that it will close the connections soon."""
        ...


def okx_wire() -> Any:
    return Venue([tape()], speed=120.0, start_ts=START + 1_500 * MINUTE, limits=False)


class Case(NamedTuple):
    """How the suite meets an adapter. `lacks` names what it refuses, with a sentence, to do: `past trades`,
    `notices`."""

    open: Callable[[Any], MarketFeed]  # from the stage
    decoder: Callable[[str], Decode]
    lacks: frozenset[str] = frozenset()
    stage: Callable[[], Any] = okx_wire


def through_ccxt(venue: Venue) -> MarketFeed:
    addresses = {"urls": {"api": {"rest": venue.rest_url, "ws": venue.ws_url}}}
    return CcxtFeed("okx", {**addresses, "enableRateLimit": False}, habits=QUICK)


CASES = {
    "okx": Case(lambda venue: OkxFeed(venue.rest_url, venue.ws_url, habits=QUICK), okx_decoder),
    "okx through ccxt": Case(through_ccxt, ccxt_decoder, frozenset(("past trades", "notices"))),
}
