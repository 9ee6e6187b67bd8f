"""What a person should be told about a run beside its figures: worked out once, then only shown."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
import numpy as np

from onetape.backtest import groups
from onetape.backtest.causes import entry_rows, tags_of
from onetape.backtest.costs import cost_of_reality
from onetape.backtest.doubts import warnings
from onetape.backtest.marks import levels, said
from onetape.backtest.metrics import daily_returns, day_ends
from onetape.backtest.trades import bars, fill_times, thinned, trades_of
from onetape.backtest.used import line
from onetape.core.state import ENTRY, F_PRICE, F_QTY, F_ROLE
from onetape.core.stats import T_ENTRY, T_EXIT, T_OPEN, T_PROFIT, T_ROLE, T_SIDE
from onetape.domain.orders import Role
from onetape.domain.report import Book, Group, Month, Report
from onetape.domain.results import Result
from onetape.domain.units import DAY, rfc3339
from onetape.ports import FLEET, RunView, StoredRun

LONG, SHORT = "long", "short"
UNTAGGED: Final = "no tag"
EXITS: Final = {0: "open"} | {int(role): role.name.lower().replace("_", " ") for role in Role}


def report_of(result: Result) -> Report:
    """The whole report of a run."""
    trips, ts = result.tape.trips, result.tape.ts
    rows = entry_rows(result)
    tags = [tag or UNTAGGED for tag in tags_of(result.signals, rows)]
    roles = [EXITS[int(role)] for role in trips[:, T_ROLE].tolist()]
    both = [f"{tag}, {role}" for tag, role in zip(tags, roles, strict=True)]
    closed = trips[trips[:, T_OPEN] == 0.0]
    days, found = daily_returns(result.tape, result.spec.cash), months(result)
    first = int(last_day(result, 0)) if len(days) else 0
    return Report(
        summary=summary(result, days),
        months=found,
        by_exit=groups.groups(trips, ts, roles),
        by_tag=groups.groups(trips, ts, tags),
        by_tag_and_exit=groups.groups(trips, ts, both),
        by_side=groups.groups(trips, ts, [LONG if side > 0.0 else SHORT for side in trips[:, T_SIDE].tolist()]),
        distribution=groups.distribution(groups.rates(closed)),
        rolling=groups.rolling(days, first),
        reality=cost_of_reality(result),
        said=said(result),
        levels=levels(result, rows),
        warnings=warnings(result, found),
        detail=result.data,
        books=list(result.books),
    )


def with_report(result: Result) -> Result:
    return dataclasses.replace(result, report=report_of(result))


def kept(result: Result, created_ts: int = 0) -> StoredRun:
    """A run as it is stored and shown: without its candles, its signals and the length of its curve."""
    tape = result.tape
    ts, equity = thinned(tape.close_ts, tape.equity)
    view = RunView(
        run_id=result.run_id,
        spec=result.spec,
        metrics=result.metrics,
        manifest=result.manifest | {"fill_timeframe": result.fill_timeframe, "rejected": tape.rejected},
        created_ts=created_ts,
    )
    return StoredRun(
        view=view,
        trades=trades_of(tape, tags_of(result.signals, entry_rows(result)), result.owners),
        ts=ts,
        equity=equity,
        fills=tape.fills,
        fill_ts=fill_times(tape),
        report=result.report or report_of(result),
    )


def last_day(result: Result, i: int) -> int:
    """The number of the i-th UTC day that has a candle, from 1970 on."""
    rows = day_ends(result.tape.candles)
    return (int(result.tape.ts[rows[i]]) + result.tape.candles.timeframe.micros - 1) // DAY


def summary(result: Result, days: Any) -> dict[str, Any]:
    """The figures of a trader's summary that the metrics do not have."""
    tape, metrics = result.tape, result.metrics
    closed = tape.trips[tape.trips[:, T_OPEN] == 0.0]
    running = tape.trips[tape.trips[:, T_OPEN] != 0.0]
    entries = tape.fills[tape.fills[:, F_ROLE] == ENTRY]
    held = (tape.ts[bars(closed, T_EXIT)] - tape.ts[bars(closed, T_ENTRY)]) / 1e6
    won = closed[:, T_PROFIT] > 0.0
    period = (metrics["end_ts"] - metrics["start_ts"]) / DAY
    return {
        "absolute_profit": metrics["final_equity"] - metrics["initial_cash"],
        "trades_per_day": metrics["trades"] / period if period > 0.0 else None,
        "average_stake": mean(entries[:, F_QTY] * entries[:, F_PRICE]),
        "volume": float(np.sum(tape.fills[:, F_QTY] * tape.fills[:, F_PRICE])),
        "days_won": int((days > 0.0).sum()),
        "days_drawn": int((days == 0.0).sum()),
        "days_lost": int((days < 0.0).sum()),
        "drawn_trades": int((closed[:, T_PROFIT] == 0.0).sum()),
        "average_duration_won_s": mean(held[won]),
        "average_duration_lost_s": mean(held[closed[:, T_PROFIT] < 0.0]),
        "shortest_duration_s": float(held.min()) if len(held) else None,
        "longest_duration_s": float(held.max()) if len(held) else None,
        "lowest_equity": float(tape.equity.min()),
        "highest_equity": float(tape.equity.max()),
        "open_profit": float(running[:, T_PROFIT].sum()) if len(running) else None,
        **drawdown_of(result),
    }


def drawdown_of(result: Result) -> dict[str, Any]:
    """The deepest drawdown in money and in time."""
    metrics = result.metrics
    peak, low, back = (metrics[f"max_drawdown_{name}_ts"] for name in ("peak", "low", "recovery"))
    if low is None:
        return {"drawdown_money": 0.0, "drawdown_high": None, "drawdown_low": None, "drawdown_duration_s": None}
    close = result.tape.close_ts
    before = result.tape.equity[close <= peak]
    high = max(float(result.spec.cash), float(before[-1]) if len(before) else 0.0)
    bottom = float(result.tape.equity[int(np.searchsorted(close, low))])
    return {
        "drawdown_money": high - bottom,
        "drawdown_high": high,
        "drawdown_low": bottom,
        "drawdown_duration_s": ((back or metrics["end_ts"]) - peak) / 1e6,
    }


def mean(values: Any) -> float | None:
    return float(values.mean()) if len(values) else None


def months(result: Result) -> list[Month]:
    """The return of each calendar month (UTC), the first one from the cash at the start, and the trades closed in it.
    A trade counts in the month in which the candle of its exit closes."""
    tape = result.tape
    length = tape.candles.timeframe.micros
    rows = day_ends(tape.candles)
    found: dict[int, float] = dict(zip(month_of(tape.ts[rows] + length - 1), tape.equity[rows].tolist(), strict=True))
    closed = tape.trips[tape.trips[:, T_OPEN] == 0.0]
    exits = np.array(month_of(tape.ts[bars(closed, T_EXIT)] + length - 1), np.int64)
    before, table = result.spec.cash, []
    for month, equity in found.items():
        mine = exits == month
        rate = equity / before - 1.0 if before > 0.0 else 0.0
        won = int((closed[mine, T_PROFIT] > 0.0).sum())
        table.append(Month(1970 + month // 12, month % 12 + 1, rate, int(mine.sum()), won))
        before = equity
    return table


def month_of(ts: Any) -> list[int]:
    """Months since January 1970."""
    found: list[int] = ts.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64).tolist()
    return found


def document(run: StoredRun) -> dict[str, Any]:
    """A stored run as plain JSON values, flat: times as RFC 3339 text, the parts of the report by their names."""
    view, spec, report = run.view, run.view.spec, run.report
    return {
        "run_id": view.run_id,
        "strategy": spec.strategy,
        "parameters": spec.parameters,
        "exchange": spec.exchange,
        "symbol": spec.symbol,
        "timeframe": spec.timeframe,
        "fill_timeframe": view.manifest.get("fill_timeframe", spec.timeframe),
        **{name.removesuffix("_ts"): timed(name, value) for name, value in view.metrics.items()},
        "rejected": view.manifest.get("rejected", {}),
        "costs": {"fee_maker": spec.costs.maker, "fee_taker": spec.costs.taker, "slippage": spec.costs.slippage},
        "sizing": str(spec.sizing),
        "manifest": view.manifest,
        **({} if report is None else blocks(report)),
    }


def blocks(report: Report) -> dict[str, Any]:
    return {
        "summary": report.summary,
        "months": [
            {"month": f"{m.year}-{m.month:02d}", "return": m.rate, "trades": m.trades, "won": m.won}
            for m in report.months
        ],
        "by_exit": report.by_exit,
        "by_tag": report.by_tag,
        "by_tag_and_exit": report.by_tag_and_exit,
        "by_side": report.by_side,
        "distribution": report.distribution,
        "rolling_sharpe": report.rolling,
        "cost_of_reality": report.reality,
        "warnings": report.warnings,
        "detail": report.detail,
        "books": [timed_book(book) for book in report.books],
    }


def timed_book(book: Book) -> dict[str, Any]:
    metrics = {name.removesuffix("_ts"): timed(name, value) for name, value in book.metrics.items()}
    return msgspec.structs.asdict(book) | {"metrics": metrics}


def timed(name: str, value: Any) -> Any:
    return rfc3339(value) if name.endswith("_ts") and value is not None else value


def assumptions(view: RunView) -> str:
    """How fills and costs were assumed, in one line."""
    spec, costs, how = view.spec, view.spec.costs, view.spec.execution
    fine = view.manifest.get("fill_timeframe", spec.timeframe)
    where = "the same candles" if fine == spec.timeframe else f"{fine} candles"
    finer = line(view.manifest)
    where += f" ({finer})" if finer else ""
    if view.kind == FLEET:
        return f"each bot with its own strategy, costs and size, fills from the next open on in {where}"
    more = [f"{name} {percent(rate)}" for name, rate in (("spread", costs.spread),) if rate]
    more += ["impact of size"] if costs.share_impact or costs.root_impact else []
    more += [f"orders on their way for {how.latency / 1e3:g} ms"] if how.latency else []
    more += [f"at most {percent(how.share)} of a candle's volume"] if how.share else []
    return (
        f"signals at the close of {spec.timeframe} candles, fills from the next open on in {where}; "
        f"fees {percent(costs.maker)} maker, {percent(costs.taker)} taker, "
        + ", ".join((f"slippage {percent(costs.slippage)}", *more, f"size {spec.sizing}"))
    )


def percent(rate: float) -> str:
    return f"{100 * rate:.4g} %"


def sections(report: Report) -> list[tuple[str, list[Group]]]:
    """The tables of groups that say something: one tag for all says nothing."""
    made = [("By exit reason", report.by_exit)]
    if len(report.by_tag) > 1:
        made.append(("By entry tag", report.by_tag))
        made.append(("By entry tag and exit reason", report.by_tag_and_exit))
    if len(report.by_side) > 1:
        made.append(("By side", report.by_side))
    return [(title, found) for title, found in made if found]


def years(found: Sequence[Month]) -> list[tuple[int, list[float | None], float]]:
    """A row for each year: the rates of its twelve months, None where there is nothing, and that of the year."""
    rows = []
    for year, group in groupby(found, key=lambda month: month.year):
        rates = {month.month: month.rate for month in group}
        total = math.prod(1.0 + rate for rate in rates.values()) - 1.0
        rows.append((year, [rates.get(i + 1) for i in range(12)], total))
    return rows
