"""Which adapter speaks to an exchange, and which reads its stored frames. Nothing of a venue is loaded before it is
asked for: a native adapter where there is one, else the ccxt library, which takes a second to import."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from onetape.domain.errors import NotFound
from onetape.domain.instrument import Instrument
from onetape.domain.market import InstrumentChange, MarketEvent, RawFrame
from onetape.exchanges.okx.hosts import DEMO_TRADING, Addresses
from onetape.ports import Budgets, MarketFeed

if TYPE_CHECKING:
    from onetape.exchanges.proving import Told


class BookProof(Protocol):
    def take(self, frame: RawFrame) -> Told:
        """Messages of an instrument, in the order of their receipt."""
        ...


Decode = Callable[[RawFrame], tuple[MarketEvent, ...]]

# `demo` is the simulated venue, which speaks OKX's wire; `okx-demo` is OKX's own demo trading.
OKX_WIRE: Final = ("okx", "demo", DEMO_TRADING)


@lru_cache(maxsize=1)
def exchanges() -> tuple[str, ...]:
    """Every name that can be opened, the native ones first. The library is looked at, not loaded."""
    spec = importlib.util.find_spec("ccxt")
    folders: Sequence[str] = (spec.submodule_search_locations or ()) if spec is not None else ()
    streaming = {path.stem for folder in folders for path in Path(folder, "pro").glob("[a-z]*.py")}
    return (*OKX_WIRE, *sorted(streaming - set(OKX_WIRE)))


def checked(exchange: str, field: str = "--exchange") -> str:
    """The name itself. Raises NotFound, which names the nearest ones."""
    if exchange in exchanges():
        return exchange
    near = difflib.get_close_matches(exchange, exchanges(), 3)
    remedy = f"Did you mean {' or '.join(near)}?" if near else "Examples: okx, binance, bybit, kraken, coinbase."
    raise NotFound(field, exchange, "not an exchange that is known here", remedy)


def open_feed(exchange: str, okx: Addresses, field: str = "--exchange", budgets: Budgets | None = None) -> MarketFeed:
    """Nothing is asked of the venue yet. Close it at the end. `budgets` counts requests over all processes. Raises
    NotFound."""
    if checked(exchange, field) in OKX_WIRE:
        return open_okx(okx, exchange, budgets)
    from onetape.exchanges.ccxt.feed import CcxtFeed

    return CcxtFeed(exchange, budgets=budgets)


def open_okx(okx: Addresses, exchange: str, budgets: Budgets | None = None) -> MarketFeed:
    """The native adapter for whoever speaks OKX's wire; `exchange` is the name that its market is stored under."""
    from onetape.exchanges.okx.feed import OkxFeed

    return OkxFeed(okx.rest, okx.ws, exchange, budgets=budgets, demo=okx.demo)


def decoder(exchange: str, instruments: Iterable[Instrument] = (), changes: Iterable[InstrumentChange] = ()) -> Decode:
    """Reads stored raw frames of one exchange in the order of their receipt; one function serves one pass. See the
    adapter for what it raises."""
    if speaks_okx(exchange):
        from onetape.exchanges.okx.decoding import decoder as okx_decoder

        return okx_decoder(exchange, instruments, changes)
    from onetape.exchanges.ccxt.decoding import decoder as library_decoder

    return library_decoder(exchange, instruments)


def begins_book(exchange: str) -> Callable[[RawFrame], bool] | None:
    """Tells the stored messages of a book that state all of it; None where nobody knows them."""
    if not speaks_okx(exchange):
        return None
    from onetape.exchanges.okx.decoding import begins_book as of_okx

    return of_okx


def book_proof(exchange: str, symbol: str, instruments: Iterable[Instrument] = ()) -> BookProof | str:
    """Compares the book that stored messages make with what the venue itself said of it; the sentence why, where that
    cannot be done. `instruments` as for `decoder`."""
    if speaks_okx(exchange):
        from onetape.exchanges.okx.proving import BookProof as OkxProof

        return OkxProof(exchange, symbol)
    from onetape.exchanges.ccxt import proving

    return proving.unprovable(exchange) or proving.BookProof(exchange, symbol, instruments)


def speaks_okx(exchange: str) -> bool:
    """Only the OKX wire is ever stored under a name of one's own (`open_okx`)."""
    return exchange in OKX_WIRE or exchange not in exchanges()
