"""Which channels there are, on which URL, and how a subscription's argument is read. Knows the floor, no network."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from onetape.venue.bars import BARS
from onetape.venue.floor import Floor

PUBLIC, BUSINESS, PRIVATE = "public", "business", "private"
CANDLE: Final = "candle"

_MARKET: Final = {
    "tickers": PUBLIC,
    "trades": PUBLIC,
    "books": PUBLIC,
    "books5": PUBLIC,
    "bbo-tbt": PUBLIC,
    "mark-price": PUBLIC,
    "trades-all": BUSINESS,
} | {CANDLE + name: BUSINESS for name in BARS}
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
    """One subscription; `symbol` is empty for channels that are not about one instrument."""

    name: str
    symbol: str


class Refused(NamedTuple):
    code: str
    text: str


def read(floor: Floor, url: str, arg: Any, logged_in: bool) -> Channel | Refused:
    """The channel an argument of subscribe or unsubscribe names on this URL."""
    if not isinstance(arg, dict) or not isinstance(arg.get("channel"), str):
        return Refused("60012", "Invalid request: every argument needs a channel")
    name = arg["channel"]
    home = _MARKET.get(name) or _QUIET.get(name)
    if home == PRIVATE:
        return _private(url, name, arg, logged_in)
    if home != url:
        return _wrong(arg)
    if name in _QUIET:
        return Channel(name, "")
    symbol = arg.get("instId")
    return Channel(name, symbol) if isinstance(symbol, str) and symbol in floor.tapes else _wrong(arg)


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
