"""Which channels there are, on which URL, and how a subscription's argument is read. Knows the floor, no network."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from onetape.venue.bars import BARS, SECONDS, Bar
from onetape.venue.floor import Floor
from onetape.venue.listing import SWAP
from onetape.venue.query import TYPES

PUBLIC, BUSINESS, PRIVATE = "public", "business", "private"
CANDLE: Final = "candle"
INDEX_CANDLE, MARK_CANDLE = "index-candle", "mark-price-candle"
INSTRUMENTS, STATUS, INDEX, FUNDING = "instruments", "status", "index-tickers", "funding-rate"

_MARKET: Final = {
    "tickers": PUBLIC,
    "trades": PUBLIC,
    "books": PUBLIC,
    "books5": PUBLIC,
    "bbo-tbt": PUBLIC,
    "mark-price": PUBLIC,
    "index-tickers": PUBLIC,
    "funding-rate": PUBLIC,
    "trades-all": BUSINESS,
} | {kind + name: BUSINESS for kind in (CANDLE, INDEX_CANDLE, MARK_CANDLE) for name in BARS}
for _kind in (INDEX_CANDLE, MARK_CANDLE):
    del _MARKET[_kind + SECONDS]
_QUIET: Final = {
    "instruments": PUBLIC,
    "status": PUBLIC,
    "orders": PRIVATE,
    "account": PRIVATE,
    "positions": PRIVATE,
    "balance_and_position": PRIVATE,
}
URLS: Final = (PUBLIC, BUSINESS, PRIVATE)


class Channel(NamedTuple):
    """One subscription. `symbol` names the instrument, or the type of instruments for `instruments`; else empty."""

    name: str
    symbol: str


class Refused(NamedTuple):
    code: str
    text: str


def bar_of(name: str) -> Bar | None:
    """The bar of a candle channel, of whichever price."""
    for kind in (CANDLE, INDEX_CANDLE, MARK_CANDLE):
        if name.startswith(kind):
            return BARS[name.removeprefix(kind)]
    return None


def is_index(name: str) -> bool:
    """Whether a channel's `instId` is an index and not an instrument."""
    return name == INDEX or name.startswith(INDEX_CANDLE)


def read(floor: Floor, url: str, arg: Any, logged_in: bool) -> Channel | Refused:
    """The channel an argument of subscribe or unsubscribe names on this URL."""
    if not isinstance(arg, dict) or not isinstance(arg.get("channel"), str):
        return Refused("60012", "Invalid request: every argument needs a channel")
    name = arg["channel"]
    home = _MARKET.get(name) or _QUIET.get(name)
    if name in floor.members_only and not logged_in:
        return Refused("60011", "Please log in.")
    if home == PRIVATE:
        return _private(url, name, arg, logged_in)
    if home != url:
        return _wrong(arg)
    if name == INSTRUMENTS:
        return Channel(name, arg["instType"]) if arg.get("instType") in TYPES else _wrong(arg)
    if name in _QUIET:
        return Channel(name, "")
    return Channel(name, symbol) if (symbol := _symbol(floor, name, arg)) else _wrong(arg)


def _symbol(floor: Floor, name: str, arg: dict[str, Any]) -> str:
    """The instrument whose tape serves the channel; an index is served by its pair."""
    symbol = arg.get("instId")
    if not isinstance(symbol, str):
        return ""
    tape = floor.index(symbol) if is_index(name) else floor.tapes.get(symbol)
    if tape is None or (name == FUNDING and tape.listing.kind != SWAP):
        return ""
    return tape.listing.symbol


def _private(url: str, name: str, arg: dict[str, Any], logged_in: bool) -> Channel | Refused:
    if url != PRIVATE:
        return _wrong(arg)
    if not logged_in:
        return Refused("60011", "Please log in.")
    return Channel(name, "")


def _wrong(arg: dict[str, Any]) -> Refused:
    wanted = ",".join(f"{key}:{value}" for key, value in arg.items())
    advice = "Please use the correct URL, channel and parameters referring to API document."
    return Refused("60018", f"Wrong URL or {wanted} doesn't exist. {advice}")
