"""What a request asks: its parameters read, and refused in the exchange's words and codes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NoReturn

from onetape.venue.floor import Floor
from onetape.venue.traded import Market

Query = Mapping[str, str]

TYPES: Final = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION", "EVENTS")


class Refusal(Exception):
    """An error envelope."""

    def __init__(self, code: str, text: str, status: int = 200) -> None:
        self.code, self.text, self.status = code, text, status
        super().__init__(text)


def tape_of(floor: Floor, query: Query) -> Market:
    """The instrument that `instId` names."""
    symbol = query.get("instId")
    if not symbol:
        missing("instId")
    tape = floor.tapes.get(symbol)
    if tape is None or floor.now() < tape.begin_ts:
        unknown()
    return tape


def index_of(floor: Floor, query: Query) -> Market:
    """The tape whose prices are those of the index that `instId` names."""
    name = query.get("instId")
    if not name:
        missing("instId")
    tape = floor.index(name)
    if tape is None or floor.now() < tape.begin_ts:
        unknown()
    return tape


def kind_of(query: Query) -> str:
    kind = query.get("instType", "")
    if not kind:
        missing("instType")
    if kind not in TYPES:
        wrong("instType")
    return kind


def whole(query: Query, name: str, default: int) -> int:
    text = query.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        wrong(name)
    return int(text)


def limit_of(query: Query, most: int, default: int) -> int:
    """More than the most is answered with the most."""
    limit = whole(query, "limit", default)
    if limit < 1:
        wrong("limit")
    return min(limit, most)


def missing(name: str) -> NoReturn:
    raise Refusal("50014", f"Parameter {name} can not be empty.", 400)


def unknown() -> NoReturn:
    raise Refusal("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")


def wrong(name: str) -> NoReturn:
    raise Refusal("51000", f"Parameter {name} error", 400)
