"""What the venue said, before faults changed it, for those who count afterwards. Kept only where somebody asks for it.

A tape knows its prints for ever, but a book, a ticker or a running bar is of its moment: who wants to prove that it was
recorded as it was said must have heard it.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, NamedTuple

from onetape.domain.units import Micros

MOMENT_EVERY: Final = 20  # so many changes of a book lie between two that are kept whole


class Said(NamedTuple):
    """One message of a stream. `harmed`: a fault kept it, or part of it, from at least one listener."""

    channel: str
    symbol: str
    ts: Micros  # the venue's time
    text: str
    harmed: bool


class Moment(NamedTuple):
    """A whole book as the venue had it: price and size as on the wire, from the best outwards."""

    symbol: str
    seq: int
    told_ms: str
    bids: list[list[str]]
    asks: list[list[str]]


class Revised(NamedTuple):
    """A closed bar that was told wrong at first: both rows as on the wire."""

    symbol: str
    channel: str
    first: list[str]
    then: list[str]


@dataclasses.dataclass
class Journal:
    said: list[Said] = dataclasses.field(default_factory=list)
    greeted: list[Said] = dataclasses.field(default_factory=list)  # what one subscriber alone was told at its beginning
    moments: list[Moment] = dataclasses.field(default_factory=list)
    revised: list[Revised] = dataclasses.field(default_factory=list)
    _changes: dict[str, int] = dataclasses.field(default_factory=dict)

    def changed(self, symbol: str, update: dict[str, Any], whole: dict[str, Any]) -> None:
        """A book has changed by `update` and is `whole` now (as `wire.book` shows it); every so often it is kept."""
        count = self._changes[symbol] = self._changes.get(symbol, 0) + 1
        if count % MOMENT_EVERY == 1:
            bids, asks = ([level[:2] for level in whole[side]] for side in ("bids", "asks"))
            self.moments.append(Moment(symbol, update["seqId"], update["ts"], bids, asks))
