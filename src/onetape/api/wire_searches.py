"""What the API says about searches for parameters. As wire.py: times are RFC 3339 UTC. Scores are numbers."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from onetape.api.wire import moment
from onetape.api.wire_runs import CurvePoint, curve_of
from onetape.backtest.walkwords import ratio
from onetape.domain.jobs import Job
from onetape.domain.luck import SearchLuck
from onetape.domain.searches import HeatMap, Ring, Scored, SearchResult, Slice
from onetape.domain.units import rfc3339
from onetape.domain.walkforward import WalkView, Window
from onetape.ports import StoredRun

ASKED: Final = (
    "strategy", "exchange", "symbol", "timeframe", "start", "end", "parameters", "space", "method", "objective",
    "constraint", "trials",
)  # fmt: skip


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """The best trial so far in the first objective; `values` are those of all objectives."""

    number: int
    parameters: dict[str, Any]
    values: list[float | None]


class OptimizationOut(msgspec.Struct, frozen=True, kw_only=True):
    """`state`: queued, running, done, failed, cancelled, interrupted. `run_id` is the stored run of the recommended
    trial (of the highest one where none is). `space` is what was asked, {} = around the defaults."""

    id: str
    state: str
    stage: str
    progress: float
    eta: str | None
    done: int
    total: int
    failed: int
    best: Best | None
    error: str
    run_id: str | None
    strategy: str
    exchange: str
    symbol: str
    timeframe: str
    start: str
    end: str
    parameters: dict[str, Any]
    space: dict[str, str]
    method: str
    objective: list[str]
    constraint: list[str]
    trials: int
    created: str
    finished: str | None


class TrialOut(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table. `values` by objective; `robust` is None where there are too few neighbours; `error` says
    why there are no values."""

    number: int
    parameters: dict[str, Any]
    values: dict[str, float | None]
    robust: float | None
    figures: dict[str, Any]
    error: str


class FoundOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a search has found, or has found so far (`complete` false: nothing is recommended then). `why` says why that
    trial is recommended, or why none is; `reasons` why another part is null."""

    complete: bool
    spaces: dict[str, str]
    scored: int
    failed: int
    refused: int
    recommended: TrialOut | None
    why: str
    peak: TrialOut | None
    front: list[TrialOut]
    importance: dict[str, float]
    heat: HeatMap | None
    slices: list[Slice]
    rings: list[Ring]
    luck: SearchLuck | None
    seconds: float
    reasons: dict[str, str]


class WholeOptimizationOut(OptimizationOut, frozen=True, kw_only=True):
    """With `found`: null before the first trial has a score."""

    found: FoundOut | None


class WindowOut(msgspec.Struct, frozen=True, kw_only=True):
    """`train` and `test` are from and to. `searched` is the objective that the search promised, `traded` what came of
    it on what the search had not seen, `ratio` the second over the first (null where that is not above 0); `figures`
    are those of the traded part."""

    train: tuple[str, str]
    test: tuple[str, str]
    parameters: dict[str, Any]
    trials: int
    searched: float | None
    traded: float | None
    ratio: float | None
    figures: dict[str, Any]


class WalkOut(msgspec.Struct, frozen=True, kw_only=True):
    """As OptimizationOut; `run_id` is the stored run of the whole, `window` counts from 1."""

    id: str
    state: str
    stage: str
    progress: float
    eta: str | None
    window: int
    windows: int
    best: Best | None
    error: str
    run_id: str | None
    strategy: str
    exchange: str
    symbol: str
    timeframe: str
    start: str
    end: str
    parameters: dict[str, Any]
    space: dict[str, str]
    method: str
    objective: list[str]
    constraint: list[str]
    trials: int
    train: str
    test: str
    anchored: bool
    purge: str
    embargo: str
    created: str
    finished: str | None


class WholeWalkOut(WalkOut, frozen=True, kw_only=True):
    """With the windows that are done. `kept` is the mean traded over the mean searched objective, null where the mean
    searched is not above 0; `kept_cagr` the same of the yearly return. `equity` is the stitched curve, empty until the
    last window is done and when its run was deleted."""

    done: list[WindowOut]
    kept: float | None
    kept_cagr: float | None
    equity: list[CurvePoint]


def walk(one: Job) -> WalkOut:
    return WalkOut(**_walk_fields(one))


def whole_walk(one: Job, view: WalkView | None, run: StoredRun | None) -> WholeWalkOut:
    return WholeWalkOut(
        **_walk_fields(one),
        done=[] if view is None else [window(each) for each in view.windows],
        kept=None if view is None else view.kept,
        kept_cagr=None if view is None else view.kept_cagr,
        equity=[] if run is None else curve_of(run),
    )


def window(one: Window) -> WindowOut:
    span = one.span
    return WindowOut(
        train=(rfc3339(span.train_start), rfc3339(span.train_end)),
        test=(rfc3339(span.test_start), rfc3339(span.test_end)),
        parameters=one.parameters,
        trials=one.trials,
        searched=one.searched,
        traded=one.traded,
        ratio=ratio(one),
        figures=one.figures,
    )


def _walk_fields(one: Job) -> dict[str, Any]:
    more = ("train", "test", "anchored", "purge", "embargo")
    return {
        **job_fields(one),
        **{name: one.progress.counts.get(name, 0) for name in ("window", "windows")},
        **asked_fields(one, more),
    }


def job_fields(one: Job) -> dict[str, Any]:
    """What every job tells of itself."""
    return {
        "id": one.id,
        "state": one.state,
        "stage": one.state if one.over else one.progress.text,
        "progress": one.progress.fraction,
        "eta": None if one.over else moment(one.progress.eta_ts),
        "error": one.error,
        "run_id": one.result or None,
        "created": rfc3339(one.created_ts),
        "finished": moment(one.finished_ts),
    }


def optimization(one: Job) -> OptimizationOut:
    return OptimizationOut(**_fields(one))


def _fields(one: Job) -> dict[str, Any]:
    counts = {name: one.progress.counts.get(name, 0) for name in ("done", "total", "failed")}
    return {**job_fields(one), **counts, **asked_fields(one)}


def asked_fields(one: Job, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """What was asked, and the best so far."""
    best = (one.progress.detail or {}).get("best")
    wish = one.wish["wish"]
    return {"best": None if best is None else Best(**best), **{name: wish[name] for name in (*ASKED, *more)}}


def whole_optimization(one: Job, result: SearchResult | None, why: str) -> WholeOptimizationOut:
    return WholeOptimizationOut(**_fields(one), found=None if result is None else found(result, why))


def found(result: SearchResult, why: str) -> FoundOut:
    by_number = {trial.number: trial for trial in result.trials}

    def shown(number: int | None) -> TrialOut | None:
        return None if number is None else trial_out(result, by_number[number])

    return FoundOut(
        complete=result.complete,
        spaces=result.spaces,
        scored=len(result.trials) - result.failed,
        failed=result.failed,
        refused=result.refused,
        recommended=shown(result.recommended),
        why=why,
        peak=shown(result.peak),
        front=[trial_out(result, by_number[number]) for number in result.front],
        importance=result.importance,
        heat=result.heat,
        slices=result.slices,
        rings=result.rings,
        luck=result.luck,
        seconds=result.seconds,
        reasons=result.reasons,
    )


def trial_out(result: SearchResult, one: Scored) -> TrialOut:
    return TrialOut(
        number=one.number,
        parameters=one.parameters,
        values=dict(zip(result.wish.objectives, one.values, strict=False)),
        robust=result.robust.get(one.number),
        figures=one.figures,
        error=one.error,
    )
