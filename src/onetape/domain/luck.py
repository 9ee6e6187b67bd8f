"""What can be said about chance in a backtest: plain numbers, None where one cannot be worked out, with the reason."""

from __future__ import annotations

import msgspec


class Interval(msgspec.Struct, frozen=True):
    """Where the figure lies with the probability of `Luck.confidence`."""

    low: float
    high: float


class Drawdowns(msgspec.Struct, frozen=True, kw_only=True):
    """How deep the largest drawdown was over many redrawn histories: rates, 0.2 is 20 %."""

    draws: int
    median: float
    p95: float  # one history in twenty is deeper
    p99: float
    actual: float  # of the history as it was, measured in the same way
    deeper: float  # share of the histories that are deeper than that


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """The trades whose signal had a confidence in [low, high); the last row has 1 in it."""

    low: float
    high: float
    trades: int
    confidence: float  # mean of the signals
    won: float  # share of the trades


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Signal confidence against the outcome of the trade (won: a profit after fees)."""

    trades: int
    base_rate: float  # share that won
    brier: float  # mean of (confidence - outcome) squared: 0 is perfect
    reference: float  # the same for always saying the base rate
    skill: float  # 1 - brier / reference: above 0 the confidence knows something
    table: tuple[Reliability, ...]


class Luck(msgspec.Struct, frozen=True, kw_only=True):
    """How likely the result of one run is luck. docs/luck.md explains each number.

    Made of daily returns (UTC days, 365 a year) unless it says trades. Sharpe ratios are per year. `reasons` says, by
    the name of the field, why it is None.
    """

    days: int
    trades: int  # closed
    confidence: float  # of the intervals and of the track record
    resamples: int
    block_days: float | None  # mean length of a block of the bootstrap
    sharpe: float | None
    sharpe_interval: Interval | None
    return_interval: Interval | None
    drawdown_interval: Interval | None  # of daily closes
    loss_probability: float | None  # share of the resampled histories that end below their start
    skew: float | None
    kurtosis: float | None  # 3 is normal
    probabilistic_sharpe: float | None  # probability that the true Sharpe is above 0
    deflated_sharpe: float | None  # the same after all the trials on this data
    lucky_sharpe: float | None  # what the best of so many trials without any skill would show
    runs: int  # on data that overlaps these, aborted ones and repetitions too
    trials: int  # of them, those that differ
    independent_trials: float | None
    trial_spread: float | None  # standard deviation of the trials' Sharpe ratios
    track_record_days: int | None  # that this Sharpe needs before it can be told from 0
    blocks: Drawdowns | None  # blocks of days redrawn
    trade_order: Drawdowns | None  # the same trades in another order
    calibration: Calibration | None
    reasons: dict[str, str] = {}


class SearchLuck(msgspec.Struct, frozen=True, kw_only=True):
    """How likely the best of a search is luck. `reasons` as in Luck."""

    trials: int
    days: int
    independent_trials: float | None
    overfitting: float | None  # probability that the best in sample is below the median out of sample (CSCV)
    splits: int
    out_of_sample_loss: float | None  # share of the splits in which the best in sample loses out of sample
    kept: float | None  # median Sharpe out of sample over that in sample, of the best in sample
    superior: float | None  # p-value of Hansen's SPA: how often none is better than the benchmark, and yet looks so
    superior_lower: float | None
    superior_upper: float | None
    reasons: dict[str, str] = {}
