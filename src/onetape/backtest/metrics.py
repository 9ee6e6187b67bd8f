"""The figures of a run. Each formula is stated in docs/metrics.md. Knows core and domain only: arrays in, numbers out.

A figure that cannot be worked out (a ratio without a second day, a win rate without a trade) is None, never 0 or NaN.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from onetape.core import stats
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.results import Tape
from onetape.domain.units import DAY, Micros, Money

YEAR_DAYS: Final = 365  # crypto trades on every day of the year
YEAR: Final[Micros] = YEAR_DAYS * DAY

Metrics = dict[str, Any]
_DAY_ENDS: Final[WeakKeyDictionary[CandleFrame, Ints]] = WeakKeyDictionary()


class Totals(NamedTuple):
    """What a run comes down to: all that its figures need beside the days."""

    cash: Money  # at the start
    final: Money  # equity at the last close
    fees: Money
    slippage: Money
    period: Micros
    bars: int  # fill candles
    held: int  # of them, those at whose close a position was held
    drop: float  # the deepest fall of equity, as a rate
    trips: list[float]  # core.stats.J_*
    open_trips: int


def measure(candles: CandleFrame, tape: Tape, cash: Money) -> Metrics:
    """All figures of a run over at least one candle.

    `candles` are the strategy's (those before the first fill candle only warmed it up), `cash` is what was there at the
    start.
    """
    ts, length = tape.ts, tape.candles.timeframe.micros
    start_ts, end_ts = int(ts[0]), int(ts[-1]) + length
    first = min(int(np.searchsorted(candles.ts, start_ts)), len(candles) - 1)
    trips = np.zeros(stats.J_WIDTH)
    stats.judge_trips(tape.trips, ts, trips)
    drop, high, low = stats.deepest(tape.equity, float(cash))
    totals = Totals(
        cash=float(cash),
        final=float(tape.equity[-1]),
        fees=float(tape.account.fees),
        slippage=float(tape.account.slippage),
        period=end_ts - start_ts,
        bars=len(ts),
        held=stats.bars_held(tape.fills, len(ts)),
        drop=drop,
        trips=trips.tolist(),
        open_trips=len(tape.trips) - int(trips[stats.J_CLOSED]),
    )
    return {
        "start_ts": start_ts,
        "end_ts": end_ts,
        "bars": len(candles) - first,
        "fill_bars": len(ts),
        "initial_cash": float(cash),
        "buy_and_hold": float(candles.close[-1] / candles.open[first] - 1.0),
        **figures(totals, of_days(daily_returns(tape, cash))),
        **drawdown_times(tape, cash, high, low),
    }


def figures(run: Totals, days: Metrics) -> Metrics:
    """Of a run's totals and of its days (`of_days`)."""
    total = run.final / run.cash - 1.0
    grown = growth(total, run.period)
    return {
        "exposure": run.held / run.bars,
        "final_equity": run.final,
        "total_return": total,
        "cagr": grown,
        "fees": run.fees,
        "slippage": run.slippage,
        **days,
        "max_drawdown": run.drop,
        "calmar": grown / run.drop if grown is not None and run.drop > 0.0 else None,
        **of_trades(run.trips, run.open_trips),
    }


def growth(total: float, period: Micros) -> float | None:
    """Compound annual growth over calendar time, a year being 365 days."""
    if period <= 0 or total <= -1.0:
        return None
    exponent = YEAR / period * math.log1p(total)
    return math.expm1(exponent) if exponent < 700 else None


def day_ends(candles: CandleFrame) -> Ints:
    """The row of the last candle of each UTC day that has one; remembered as long as the frame lives."""
    known = _DAY_ENDS.get(candles)
    if known is None:
        known = _DAY_ENDS[candles] = stats.last_of_each_day(candles.ts, candles.timeframe.micros)
    return known


def daily_returns(tape: Tape, cash: Money) -> Floats:
    """The rate of each UTC day that has a candle, the first one from the cash at the start; empty after a ruin."""
    closes = np.concatenate(([cash], tape.equity[day_ends(tape.candles)]))
    if closes.min() <= 0.0:
        return np.empty(0)
    return closes[1:] / closes[:-1] - 1.0


def of_days(days: Floats) -> Metrics:
    """Ratios of daily returns, per year of 365 days and without a risk-free rate."""
    return of_many_days(days[None, :])[0]


def of_many_days(days: Floats) -> list[Metrics]:
    """`of_days` of each row."""
    count = days.shape[1]
    if count < 2:
        names = ("sharpe", "sortino", "volatility", "best_day", "worst_day")
        return [{"days": count} | dict.fromkeys(names) for _ in days]
    year = math.sqrt(YEAR_DAYS)
    downside = np.sqrt(np.square(np.minimum(days, 0.0)).mean(axis=1))
    columns = (days.mean(axis=1), days.std(axis=1, ddof=1), downside, days.max(axis=1), days.min(axis=1))
    return [
        {
            "days": count,
            "sharpe": mean / deviation * year if deviation > 0.0 else None,
            "sortino": mean / down * year if down > 0.0 else None,
            "volatility": deviation * year,
            "best_day": best,
            "worst_day": worst,
        }
        for mean, deviation, down, best, worst in zip(*(column.tolist() for column in columns), strict=True)
    ]


def drawdown_times(tape: Tape, cash: Money, high: int, low: int) -> Metrics:
    """When the deepest fall of equity began and ended, seen at every fill candle's close (indices, -1 = at the start),
    and when it was made good."""
    equity, ts, length = tape.equity, tape.ts, tape.candles.timeframe.micros
    if low < 0:
        names = ("max_drawdown_peak_ts", "max_drawdown_low_ts", "max_drawdown_recovery_ts")
        return dict.fromkeys(names)
    back = stats.recovery(equity, low, float(cash) if high < 0 else float(equity[high]))
    return {
        "max_drawdown_peak_ts": int(ts[0]) if high < 0 else int(ts[high]) + length,
        "max_drawdown_low_ts": int(ts[low]) + length,
        "max_drawdown_recovery_ts": int(ts[back]) + length if back >= 0 else None,
    }


def of_trades(sums: list[float], still_open: int) -> Metrics:
    """Round trips from flat to flat (core.stats.J_*); one that is still open at the end is counted apart and not
    judged."""
    closed, long, won, lost, gain, loss, mean, squares, rate, best, worst, winning, losing, held, *_ = sums
    deviation = math.sqrt(squares / (closed - 1.0)) if closed > 1.0 else 0.0
    return {
        "trades": int(closed),
        "open_trades": still_open,
        "long_trades": int(long),
        "short_trades": int(closed - long),
        "win_rate": share(won, closed),
        "profit_factor": share(gain, loss),
        "expectancy": mean if closed else None,
        "average_trade": rate / closed if closed else None,
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
