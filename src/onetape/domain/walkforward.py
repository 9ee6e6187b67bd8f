"""A walk through the past: search, trade what comes after it, move on. What is asked, and what came of it."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import msgspec

from onetape.domain.results import Result
from onetape.domain.searches import SearchWish
from onetape.domain.units import Micros


class WalkWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a walk goes. Times in micros. `train` is the length of the past that is searched (of the first one when
    `anchored`: then each begins where the first began), `test` of what is traded after it, and by which the walk moves
    on. `purge` is cut off the end of the searched part, `embargo` is left out between it and the traded one."""

    search: SearchWish
    train: Micros
    test: Micros
    anchored: bool = False
    purge: Micros = 0
    embargo: Micros = 0


class Span(NamedTuple):
    """One window: [train_start, train_end) is searched, [test_start, test_end) is traded."""

    train_start: Micros
    train_end: Micros
    test_start: Micros
    test_end: Micros


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one window. `searched` and `traded` are the first objective in both parts, None where it cannot be
    worked out there; `figures` the usual ones of the traded part; `trials` how many were run to find the parameters."""

    span: Span
    parameters: dict[str, Any]
    trials: int
    searched: float | None
    traded: float | None
    searched_cagr: float | None
    figures: dict[str, Any]


class WalkView(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a walk, window by window: `planned` is how many there will be, `searched` names the parameters
    that are searched. `kept` says how much of the first objective was left of what the searches promised: mean
    traded over mean searched of the windows that there are, None where the mean searched is not above 0."""

    objective: str
    searched: list[str]
    planned: int
    windows: list[Window]
    kept: float | None
    kept_cagr: float | None


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """`whole` is the stitched curve of all that was traded unseen."""

    wish: WalkWish
    view: WalkView
    whole: Result

    @property
    def windows(self) -> list[Window]:
        return self.view.windows
