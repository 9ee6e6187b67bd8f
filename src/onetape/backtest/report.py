"""What a person should be told about a run beside its figures: months, assumptions, warnings. Plain values and text."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from onetape.backtest.holdout import sealed_note
from onetape.backtest.provenance import doubts
from onetape.core.stats import last_of_each_day
from onetape.domain.results import Result
from onetape.domain.units import DAY, rfc3339, to_datetime

FEW_TRADES: Final = 30
SHORT_PERIOD: Final = 90 * DAY
WARMING: Final = 0.05  # of the period
TOO_GOOD: Final = 3.0  # a Sharpe ratio above it is more often a fault than a discovery


class Month(NamedTuple):
    year: int
    month: int
    rate: float


def months(result: Result) -> list[Month]:
    """The return of each calendar month (UTC), the first one from the cash at the start."""
    tape = result.tape
    length = tape.candles.timeframe.micros
    rows = last_of_each_day(tape.ts, length)
    days = [to_datetime(int(ts) + length - 1) for ts in tape.ts[rows]]
    found: dict[tuple[int, int], float] = {}
    for day, row in zip(days, rows.tolist(), strict=True):
        found[day.year, day.month] = float(tape.equity[row])
    before, table = result.spec.cash, []
    for (year, month), equity in found.items():
        table.append(Month(year, month, equity / before - 1.0 if before > 0.0 else 0.0))
        before = equity
    return table


def figures(result: Result) -> dict[str, Any]:
    """The whole run as plain JSON values, flat: times as RFC 3339 text."""
    spec, tape = result.spec, result.tape
    return {
        "run_id": result.run_id,
        "strategy": spec.strategy,
        "parameters": spec.parameters,
        "exchange": result.candles.exchange,
        "symbol": result.candles.symbol,
        "timeframe": spec.timeframe,
        "fill_timeframe": result.fill_timeframe,
        **{name.removesuffix("_ts"): timed(name, value) for name, value in result.metrics.items()},
        "rejected": tape.rejected,
        "costs": {"fee_maker": spec.costs.maker, "fee_taker": spec.costs.taker, "slippage": spec.costs.slippage},
        "sizing": str(spec.sizing),
        "months": [{"month": f"{m.year}-{m.month:02d}", "return": m.rate} for m in months(result)],
        "warnings": warnings(result),
        "manifest": result.manifest,
    }


def timed(name: str, value: Any) -> Any:
    return rfc3339(value) if name.endswith("_ts") and value is not None else value


def assumptions(result: Result) -> str:
    """How fills and costs were assumed, in one line."""
    costs = result.spec.costs
    same = result.fill_timeframe == result.spec.timeframe
    where = "the same candles" if same else f"{result.fill_timeframe} candles"
    return (
        f"signals at the close of {result.spec.timeframe} candles, fills from the next open on in {where}; "
        f"fees {percent(costs.maker)} maker, {percent(costs.taker)} taker, slippage {percent(costs.slippage)}"
    )


def percent(rate: float) -> str:
    return f"{100 * rate:.4g} %"


def warnings(result: Result) -> list[str]:
    """Reasons to doubt the figures, each a sentence."""
    return [
        text
        for text in (
            *sealed_note(result.manifest),
            *_of_trades(result),
            *_of_period(result),
            *doubts(result.manifest),
            *_of_fills(result),
        )
        if text
    ]


def _of_trades(result: Result) -> list[str]:
    metrics, tape = result.metrics, result.tape
    found = []
    if not metrics["trades"]:
        found.append("No trade was closed in the period: most figures cannot be worked out.")
    elif metrics["trades"] < FEW_TRADES:
        found.append(
            f"{metrics['trades']} trades are too few to tell skill from luck; {FEW_TRADES} are a bare minimum."
        )
    what = "signals led to no order" if len(result.signals) else "orders were not sent or not taken"
    found += [f"{count:,} {what}: {reason}." for reason, count in tape.rejected.items()]
    if metrics["open_trades"]:
        found.append("A position was open at the end: it is marked at the last close, not sold.")
    if tape.account.halted:
        found.append("The drawdown limit was reached: nothing was entered after that.")
    if (metrics["sharpe"] or 0.0) > TOO_GOOD:
        found.append(f"A Sharpe ratio above {TOO_GOOD:g} is more often a fault in the test than a discovery.")
    return found


def _of_period(result: Result) -> list[str]:
    metrics, frame = result.metrics, result.candles
    found = []
    if metrics["end_ts"] - metrics["start_ts"] < SHORT_PERIOD:
        found.append("The period is shorter than three months: it shows one kind of market only.")
    active = metrics.get("trading_from_ts", metrics["start_ts"])
    if active - metrics["start_ts"] > WARMING * (metrics["end_ts"] - metrics["start_ts"]):
        found.append(
            f"The strategy was warming up until {rfc3339(active)[:10]}: nothing could trade before, and the figures "
            "count that time in. Earlier candles would shorten it."
        )
    if frame.timeframe.regular and len(frame) > 1:
        expected = (int(frame.ts[-1]) - int(frame.ts[0])) // frame.timeframe.micros + 1
        missing = expected - len(frame)
        if missing > 0.001 * expected:
            found.append(f"{missing:,} of {expected:,} candles are missing ({100 * missing / expected:.1f} %).")
    return found


def _of_fills(result: Result) -> list[str]:
    spec = result.spec
    signals = result.signals
    exits = any(len(column) and not np.isnan(column).all() for column in (signals.stop, signals.take, signals.trail))
    exits = exits or any(rate == rate for rate in spec.exits)
    found = []
    if exits and result.fill_timeframe == spec.timeframe and result.candles.timeframe.micros > 5 * 60 * 1_000_000:
        found.append("Exits were checked on the signal's own candles; finer candles would make them more exact.")
    if spec.costs.taker <= 0.0 and spec.costs.slippage <= 0.0:
        found.append("Neither a taker fee nor slippage was charged.")
    return found
