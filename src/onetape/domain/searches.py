"""A search for parameters: what is asked, what became of each trial, and what is read from all of them."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from onetape.domain.luck import SearchLuck
from onetape.domain.report import DataUsed
from onetape.domain.results import BacktestSpec
from onetape.domain.trials import DataKey
from onetape.domain.units import Micros

GRID, RANDOM, TPE = "grid", "random", "tpe"
METHODS = (GRID, RANDOM, TPE)


class SearchWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question to the past with parameters left open: all that a search depends on, beside the data and the code.

    `spec.parameters` are those that stay as they are. `spaces` says what is tried, by parameter, as text (`5:50:5`,
    `0.1:0.5`, `cross,none`); empty: every parameter that is a number, around its default. `trials` 0: the whole grid,
    or 200 of the other methods. `jobs` 0: one for each core. `file` names the candle file where there is one.
    """

    spec: BacktestSpec
    spaces: dict[str, str] = {}
    method: str = GRID
    objectives: tuple[str, ...] = ("sharpe",)
    constraints: tuple[str, ...] = ()
    trials: int = 0
    jobs: int = 0
    seed: int = 1
    file: str = ""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A search that was begun. It can go on only with the same code on the same data. `walk`: a walk-forward, whose
    windows are searches of their own."""

    id: str
    wish: SearchWish
    source_hash: str
    data: DataKey
    who: str
    created_ts: Micros
    walk: bool = False


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """One trial. `values` are those of the objectives, None where one cannot be worked out; `figures` the usual ones of
    a run; `error` why there are none. `returns` are daily (float32 bytes) from UTC day `first_day` on, of some only."""

    number: int
    parameters: dict[str, Any]
    values: tuple[float | None, ...] = ()
    figures: dict[str, Any] = {}
    error: str = ""
    first_day: int = 0
    returns: bytes = b""


class HeatMap(msgspec.Struct, frozen=True, kw_only=True):
    """Mean score over all other parameters: scores[row of y][column of x], None where there is no trial."""

    x: str
    y: str
    xs: list[Any]
    ys: list[Any]
    scores: list[list[float | None]]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter, value by value (or band by band, each named by its middle): mean and best score of the trials
    there, how many there are, and the score of the trial that is like the recommended one but for this parameter."""

    parameter: str
    at: list[Any]
    mean: list[float | None]
    best: list[float | None]
    trials: list[int]
    beside: list[float | None]


class Ring(msgspec.Struct, frozen=True, kw_only=True):
    """The trials whose parameters differ from the recommended ones by more than `above` and at most `upto` of what was
    searched (the parameter that differs most counts)."""

    above: float
    upto: float
    trials: int
    mean: float | None
    worst: float | None


class SearchResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found. `order` gives trial numbers, best robust score first; `recommended` is the first of them,
    `peak` the highest single score, `front` those that no other beats in every objective.

    `robust` maps a trial's number to its robust score: the lower quartile of its own score and those of its neighbours.
    `importance` is the share of the score's variance that each parameter explains by itself. `reasons` says why a part
    is None.
    """

    id: str
    wish: SearchWish
    spaces: dict[str, str]
    refused: int  # combinations that the strategy or a constraint refuses: no trials
    failed: int
    trials: list[Scored]
    order: list[int]
    robust: dict[int, float]
    recommended: int | None
    peak: int | None
    front: list[int]
    importance: dict[str, float]
    heat: HeatMap | None
    slices: list[Slice]
    rings: list[Ring]
    luck: SearchLuck | None
    seconds: float
    workers: int
    busy: float | None  # share of the workers' time in which they worked
    complete: bool = True
    reasons: dict[str, str] = {}
    detail: DataUsed | None = None  # what the trials filled on; the recommended run tells its own

    def trial(self, number: int) -> Scored:
        return next(one for one in self.trials if one.number == number)


def wish_of(document: dict[str, Any]) -> SearchWish:
    """From JSON, which has neither NaN (no exit) nor infinity (no limit): both are null there."""
    spec = document["spec"]
    exits = [math.nan if rate is None else rate for rate in spec["exits"]]
    limits = [math.inf if value is None else value for value in spec["limits"]]
    return msgspec.convert(document | {"spec": spec | {"exits": exits, "limits": limits}}, SearchWish, strict=False)


def result_of(document: dict[str, Any]) -> SearchResult:
    """From JSON as it was kept: all but the trials' daily returns."""
    return msgspec.convert({**document, "wish": wish_of(document["wish"])}, SearchResult, strict=False)


def search_of(document: dict[str, Any]) -> Search:
    wish = wish_of(document["wish"])
    return msgspec.convert({**document, "wish": wish}, Search, strict=False)
