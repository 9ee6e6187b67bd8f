"""What the API says about stored runs. As wire.py: times are RFC 3339 UTC, amounts decimal strings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from onetape.api import wire, wire_jobs
from onetape.api.answers import Items
from onetape.backtest.report import blocks, timed
from onetape.backtest.rerun import Changed
from onetape.backtest.rundiff import Pair, RunDiff
from onetape.domain.comparison import Comparison
from onetape.domain.jobs import Job
from onetape.domain.results import Trade
from onetape.domain.units import rfc3339
from onetape.ports import RunPage, RunView, StoredRun

POINTS: Final = 1000  # of an equity curve in an answer


class RunOut(msgspec.Struct, frozen=True, kw_only=True):
    """`kind`: backtest, portfolio (one strategy, several symbols), fleet (several bots)."""

    run_id: str
    kind: str
    strategy: str
    exchange: str
    symbol: str
    timeframe: str
    parameters: dict[str, Any]
    created: str | None
    metrics: dict[str, Any]
    manifest: dict[str, Any]


class RunsOut(Items, frozen=True, kw_only=True):
    """A page of runs, each without its block on luck; `fitting` is how many fit in all."""

    fitting: int


class TradeOut(msgspec.Struct, frozen=True, kw_only=True):
    """`tag` is that of the signal which it began by, `book` whose it was where several books are one run."""

    entry: str
    exit: str
    side: str
    quantity: str
    entry_price: str
    exit_price: str
    fees: str
    profit: str
    rate: float
    exit_role: str
    open: bool
    tag: str
    book: str


class CurvePoint(msgspec.Struct, frozen=True):
    timestamp: str
    equity: str


class RunResult(RunOut, frozen=True, kw_only=True):
    """`equity` has at most 1000 points, the last one of each stretch. `report` has the blocks that `onetape backtest
    --json` tells: summary, months, by_exit, cost_of_reality, warnings; null in runs from before there were any."""

    trades: list[TradeOut]
    equity: list[CurvePoint]
    report: dict[str, Any] | None


class FirstTradeOut(msgspec.Struct, frozen=True):
    number: int
    a: TradeOut | None
    b: TradeOut | None


class DiffOut(msgspec.Struct, frozen=True, kw_only=True):
    """Only what differs, `a` beside `b`; `same` when figures and trades are the same, whatever was asked."""

    a: str
    b: str
    same: bool
    parameters: list[Pair]
    question: list[Pair]
    made_of: list[Changed]
    figures: list[Pair]
    first_trade: FirstTradeOut | None


class ComparedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Stored runs in the order that was asked for, with the `names` that the comparison has for them."""

    items: list[RunResult]
    names: list[str]
    comparison: Comparison


class ComparisonOut(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison as a job."""

    job: wire_jobs.JobOut
    runs: list[str] | None
    comparison: dict[str, Any] | None


def comparison(job: Job) -> ComparisonOut:
    done = bool(job.result)
    return ComparisonOut(
        job=wire_jobs.job(job),
        runs=job.result.split(",") if done else None,
        comparison=job.progress.detail if done else None,
    )


def run_fields(view: RunView) -> dict[str, Any]:
    return {
        "run_id": view.run_id,
        "kind": view.kind,
        "strategy": view.spec.strategy,
        "exchange": view.spec.exchange,
        "symbol": view.spec.symbol,
        "timeframe": view.spec.timeframe,
        "parameters": view.spec.parameters,
        "created": wire.moment(view.created_ts),
        "metrics": {name.removesuffix("_ts"): timed(name, value) for name, value in view.metrics.items()},
        "manifest": view.manifest,
    }


def trade_out(trade: Trade) -> TradeOut:
    return TradeOut(
        entry=rfc3339(trade.entry_ts),
        exit=rfc3339(trade.exit_ts),
        side="long" if trade.side > 0 else "short",
        quantity=wire.quantity(trade.qty),
        entry_price=wire.money(trade.entry_price),
        exit_price=wire.money(trade.exit_price),
        fees=wire.money(trade.fees),
        profit=wire.money(trade.profit),
        rate=trade.rate,
        exit_role=trade.exit_role,
        open=trade.open,
        tag=trade.tag,
        book=trade.book,
    )


def curve_of(run: StoredRun) -> list[CurvePoint]:
    picked = np.unique(np.linspace(0, max(0, len(run.ts) - 1), min(POINTS, len(run.ts))).astype(np.int64))
    return [CurvePoint(rfc3339(int(run.ts[i])), wire.money(float(run.equity[i]))) for i in picked]


def run_result(run: StoredRun) -> RunResult:
    return RunResult(
        **run_fields(run.view),
        trades=[trade_out(trade) for trade in run.trades],
        equity=curve_of(run),
        report=None if run.report is None else blocks(run.report),
    )


def runs(page: RunPage) -> RunsOut:
    rows = [RunOut(**run_fields(view)) for view in page.views]
    for row in rows:
        row.metrics.pop("luck", None)
    return RunsOut(items=rows, next=page.next or None, fitting=page.fitting)


def diff(found: RunDiff) -> DiffOut:
    first = found.first_trade
    both = None if first is None else [None if one is None else trade_out(one) for one in (first.a, first.b)]
    return DiffOut(
        a=found.a,
        b=found.b,
        same=found.same,
        parameters=found.parameters,
        question=pairs(found.question),
        made_of=found.made_of,
        figures=pairs(found.figures),
        first_trade=None if first is None or both is None else FirstTradeOut(first.number, *both),
    )


def pairs(found: Sequence[Pair]) -> list[Pair]:
    """Times as texts, their names without `_ts`."""
    return [Pair(one.name.removesuffix("_ts"), timed(one.name, one.a), timed(one.name, one.b)) for one in found]
