"""The figures of a run. Each formula is stated in docs/metrics.md. Knows core and domain only: arrays in, numbers out.

A figure that cannot be worked out (a ratio without a second day, a win rate without a trade) is None, never 0 or NaN.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from onetape.core import stats
from onetape.core.stats import T_ENTRY, T_ENTRY_PRICE, T_EXIT, T_OPEN, T_PROFIT, T_QTY, T_SIDE
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.results import Tape
from onetape.domain.units import DAY, Micros, Money

YEAR_DAYS: Final = 365  # crypto trades on every day of the year
YEAR: Final[Micros] = YEAR_DAYS * DAY

Metrics = dict[str, Any]


def measure(candles: CandleFrame, tape: Tape, cash: Money) -> Metrics:
    """All figures of a run over at least one candle.

    `candles` are the strategy's (those before the first fill candle only warmed it up), `cash` is what was there at the
    start.
    """
    ts, equity, account = tape.close_ts, tape.equity, tape.account
    start_ts, end_ts = int(tape.ts[0]), int(ts[-1])
    first = min(int(np.searchsorted(candles.ts, start_ts)), len(candles) - 1)
    final = float(equity[-1])
    total = final / cash - 1.0
    metrics: Metrics = {
        "start_ts": start_ts,
        "end_ts": end_ts,
        "exposure": stats.bars_held(tape.fills, len(ts)) / len(ts),
        "bars": len(candles) - first,
        "fill_bars": len(ts),
        "initial_cash": float(cash),
        "final_equity": final,
        "total_return": total,
        "cagr": growth(total, end_ts - start_ts),
        "buy_and_hold": float(candles.close[-1] / candles.open[first] - 1.0),
        "fees": float(account.fees),
        "slippage": float(account.slippage),
    }
    metrics |= of_days(daily_returns(ts, equity, cash))
    metrics |= of_drawdown(ts, equity, cash, start_ts)
    drop, grown = metrics["max_drawdown"], metrics["cagr"]
    metrics["calmar"] = grown / drop if grown is not None and drop > 0.0 else None
    metrics |= of_trades(tape.trips, tape.ts)
    return metrics


def growth(total: float, period: Micros) -> float | None:
    """Compound annual growth over calendar time, a year being 365 days."""
    if period <= 0 or total <= -1.0:
        return None
    exponent = YEAR / period * math.log1p(total)
    return math.expm1(exponent) if exponent < 700 else None


def daily_returns(ts: Ints, equity: Floats, cash: Money) -> Floats:
    """The rate of each UTC day that has a candle, the first one from the cash at the start; empty after a ruin."""
    closes = np.concatenate(([cash], equity[stats.last_of_each_day(ts)]))
    if closes.min() <= 0.0:
        return np.empty(0)
    return closes[1:] / closes[:-1] - 1.0


def of_days(days: Floats) -> Metrics:
    """Ratios of daily returns, per year of 365 days and without a risk-free rate."""
    names = ("sharpe", "sortino", "volatility", "best_day", "worst_day")
    if len(days) < 2:
        return {"days": len(days)} | dict.fromkeys(names)
    mean, deviation = float(days.mean()), float(days.std(ddof=1))
    downside = math.sqrt(float(np.square(np.minimum(days, 0.0)).mean()))
    year = math.sqrt(YEAR_DAYS)
    return {
        "days": len(days),
        "sharpe": mean / deviation * year if deviation > 0.0 else None,
        "sortino": mean / downside * year if downside > 0.0 else None,
        "volatility": deviation * year,
        "best_day": float(days.max()),
        "worst_day": float(days.min()),
    }


def of_drawdown(ts: Ints, equity: Floats, cash: Money, start_ts: Micros) -> Metrics:
    """The deepest fall of equity below its highest value until then, seen at every fill candle's close."""
    drop, high, low = stats.deepest(equity, float(cash))
    if low < 0:
        names = ("max_drawdown_peak_ts", "max_drawdown_low_ts", "max_drawdown_recovery_ts")
        return {"max_drawdown": 0.0} | dict.fromkeys(names)
    peak = float(cash) if high < 0 else float(equity[high])
    back = stats.recovery(equity, low, peak)
    return {
        "max_drawdown": float(drop),
        "max_drawdown_peak_ts": start_ts if high < 0 else int(ts[high]),
        "max_drawdown_low_ts": int(ts[low]),
        "max_drawdown_recovery_ts": int(ts[back]) if back >= 0 else None,
    }


def of_trades(trips: Floats, open_ts: Ints) -> Metrics:
    """Round trips from flat to flat; one that is still open at the end is counted apart and not judged."""
    closed = trips[trips[:, T_OPEN] == 0.0]
    n = len(closed)
    profit = closed[:, T_PROFIT]
    won, lost = profit[profit > 0.0], profit[profit < 0.0]
    gain, loss = float(won.sum()), float(-lost.sum())
    rate = profit / (closed[:, T_QTY] * closed[:, T_ENTRY_PRICE])
    deviation = float(profit.std(ddof=1)) if n > 1 else 0.0
    return {
        "trades": n,
        "open_trades": len(trips) - n,
        "long_trades": int((closed[:, T_SIDE] > 0.0).sum()),
        "short_trades": int((closed[:, T_SIDE] < 0.0).sum()),
        "win_rate": len(won) / n if n else None,
        "profit_factor": gain / loss if loss > 0.0 else None,
        "expectancy": float(profit.mean()) if n else None,
        "average_trade": float(rate.mean()) if n else None,
        "average_win": gain / len(won) if len(won) else None,
        "average_loss": -loss / len(lost) if len(lost) else None,
        "best_trade": float(rate.max()) if n else None,
        "worst_trade": float(rate.min()) if n else None,
        "sqn": math.sqrt(n) * float(profit.mean()) / deviation if deviation > 0.0 else None,
        "longest_winning_streak": longest(profit > 0.0),
        "longest_losing_streak": longest(profit < 0.0),
        "average_duration_s": float(durations(closed, open_ts).mean()) / 1e6 if n else None,
    }


def durations(trips: Floats, open_ts: Ints) -> Ints:
    """From the open of the entry's fill candle to the open of the exit's, micros."""
    return open_ts[trips[:, T_EXIT].astype(np.int64)] - open_ts[trips[:, T_ENTRY].astype(np.int64)]


def longest(hits: np.ndarray[Any, np.dtype[np.bool_]]) -> int:
    """The length of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], hits.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
