"""The figures of a run. Each formula is stated in docs/metrics.md. Knows core and domain only: arrays in, numbers out.

A figure that cannot be worked out (a ratio without a second day, a win rate without a trade) is None, never 0 or NaN.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from onetape.core import stats
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
    ts, equity, account = tape.ts, tape.equity, tape.account
    length = tape.candles.timeframe.micros
    start_ts, end_ts = int(ts[0]), int(ts[-1]) + length
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
    metrics |= of_days(daily_returns(tape, cash))
    metrics |= of_drawdown(tape, cash)
    drop, grown = metrics["max_drawdown"], metrics["cagr"]
    metrics["calmar"] = grown / drop if grown is not None and drop > 0.0 else None
    metrics |= of_trades(tape.trips, ts)
    return metrics


def growth(total: float, period: Micros) -> float | None:
    """Compound annual growth over calendar time, a year being 365 days."""
    if period <= 0 or total <= -1.0:
        return None
    exponent = YEAR / period * math.log1p(total)
    return math.expm1(exponent) if exponent < 700 else None


def daily_returns(tape: Tape, cash: Money) -> Floats:
    """The rate of each UTC day that has a candle, the first one from the cash at the start; empty after a ruin."""
    days = stats.last_of_each_day(tape.ts, tape.candles.timeframe.micros)
    closes = np.concatenate(([cash], tape.equity[days]))
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


def of_drawdown(tape: Tape, cash: Money) -> Metrics:
    """The deepest fall of equity below its highest value until then, seen at every fill candle's close."""
    equity, ts, length = tape.equity, tape.ts, tape.candles.timeframe.micros
    drop, high, low = stats.deepest(equity, float(cash))
    if low < 0:
        names = ("max_drawdown_peak_ts", "max_drawdown_low_ts", "max_drawdown_recovery_ts")
        return {"max_drawdown": 0.0} | dict.fromkeys(names)
    back = stats.recovery(equity, low, float(cash) if high < 0 else float(equity[high]))
    return {
        "max_drawdown": float(drop),
        "max_drawdown_peak_ts": int(ts[0]) if high < 0 else int(ts[high]) + length,
        "max_drawdown_low_ts": int(ts[low]) + length,
        "max_drawdown_recovery_ts": int(ts[back]) + length if back >= 0 else None,
    }


def of_trades(trips: Floats, open_ts: Ints) -> Metrics:
    """Round trips from flat to flat; one that is still open at the end is counted apart and not judged."""
    sums = np.empty(stats.J_WIDTH)
    stats.judge_trips(trips, open_ts, sums)
    found: list[float] = sums.tolist()
    closed, long, won, lost, gain, loss, mean, squares, rate, best, worst, winning, losing, held = found
    deviation = math.sqrt(squares / (closed - 1.0)) if closed > 1.0 else 0.0
    return {
        "trades": int(closed),
        "open_trades": len(trips) - int(closed),
        "long_trades": int(long),
        "short_trades": int(closed - long),
        "win_rate": share(won, closed),
        "profit_factor": share(gain, loss),
        "expectancy": mean if closed else None,
        "average_trade": rate if closed else None,
        "average_win": share(gain, won),
        "average_loss": share(-loss, lost),
        "best_trade": best if closed else None,
        "worst_trade": worst if closed else None,
        "sqn": share(math.sqrt(closed) * mean, deviation),
        "longest_winning_streak": int(winning),
        "longest_losing_streak": int(losing),
        "average_duration_s": share(held / 1e6, closed),
    }


def share(part: float, whole: float) -> float | None:
    """The quotient, None where there is nothing to divide by."""
    return part / whole if whole > 0.0 else None
