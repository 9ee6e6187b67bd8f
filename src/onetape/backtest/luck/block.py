"""The block on luck that stands in every report, and that of a search: puts the parts of this room together."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

import msgspec
import numpy as np

from onetape.backtest.luck import calibration, drawdowns, overfitting, sharpe
from onetape.backtest.luck.bootstrap import block_length, draws_for, resample
from onetape.backtest.luck.independence import independent, mean_correlation, sampled
from onetape.backtest.metrics import YEAR_DAYS, daily_returns
from onetape.core.stats import T_OPEN, T_PROFIT
from onetape.domain.frame import Floats
from onetape.domain.luck import Interval, Luck, SearchLuck
from onetape.domain.results import Result
from onetape.domain.trials import LedgerView

CONFIDENCE: Final = 0.95
FEW_DAYS: Final = 30
FEW_TRADES: Final = 10
YEAR: Final = math.sqrt(YEAR_DAYS)

# each draw has numbers of its own, so that one more of them moves no other
BOOTSTRAP, ORDER, SUPERIOR, PAIRS = 1, 2, 3, 4

Parts = tuple[dict[str, Any], dict[str, str]]  # figures, and the reasons for those that are None


def seed_of(manifest: dict[str, Any]) -> int:
    """Of everything that the answer depends on: the same question, data and code draw the same numbers."""
    return int(manifest["seed"])


def numbers(seed: int, use: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64((seed, use)))


def luck_of(result: Result, view: LedgerView) -> Luck:
    """Everything that can be said about chance in one run; `view` are the trials on data that overlap it, this one
    included."""
    seed = seed_of(result.manifest)
    days = daily_returns(result.tape, result.spec.cash)
    figures: dict[str, Any] = {"days": len(days), "confidence": CONFIDENCE}
    reasons: dict[str, str] = {}
    for part, because in (
        of_days(days, seed, float(result.tape.equity.min())),
        of_trials(days, view),
        of_order(result, seed),
        of_confidence(result),
    ):
        figures |= part
        reasons |= because
    return Luck(**figures, reasons=reasons)


def missing(because: str, *names: str) -> Parts:
    return dict.fromkeys(names), dict.fromkeys(names, because)


def of_days(days: Floats, seed: int, lowest: float) -> Parts:
    """Intervals and the redrawn drawdowns, from the stationary bootstrap."""
    names = ("block_days", "sharpe_interval", "return_interval", "drawdown_interval", "loss_probability", "blocks")
    if why := _no_days(days, lowest):
        figures, reasons = missing(why, *names)
        return figures | {"resamples": 0}, reasons
    block, draws = block_length(days), draws_for(len(days))
    found = resample(days, block, draws, numbers(seed, BOOTSTRAP))
    return {
        "resamples": draws,
        "block_days": block,
        "sharpe_interval": interval(found.sharpe * YEAR),
        "return_interval": interval(found.total),
        "drawdown_interval": interval(found.drawdown),
        "loss_probability": float((found.total < 0.0).mean()),
        "blocks": drawdowns.told(found.drawdown, drawdowns.of_equity(days)),
    }, {}


def _no_days(days: Floats, lowest: float) -> str:
    if lowest <= 0.0:
        return "Equity was used up: there are no returns after that."
    if len(days) < FEW_DAYS:
        return f"{len(days)} days are too few to redraw; {FEW_DAYS} are the least."
    if not days.any():
        return "Nothing was traded: every day returned 0."
    return ""


def interval(found: Floats) -> Interval:
    """The middle of the draws that has CONFIDENCE of them in it."""
    tail = 0.5 * (1.0 - CONFIDENCE)
    low, high = np.quantile(found, (tail, 1.0 - tail)).tolist()
    return Interval(low, high)


def of_trials(days: Floats, view: LedgerView) -> Parts:
    """The Sharpe ratio, what it is worth alone, and what it is worth after all the trials."""
    counted = {"runs": view.runs, "trials": view.trials, "independent_trials": independent_of(view)}
    found = sharpe.moments(days)
    if found is None:
        why = "The daily returns are too few or do not differ: they have no Sharpe ratio."
        names = ("sharpe", "skew", "kurtosis", "probabilistic_sharpe", "deflated_sharpe", "lucky_sharpe",
                 "trial_spread", "track_record_days")  # fmt: skip
        figures, reasons = missing(why, *names)
        return figures | counted, reasons
    reasons = {}
    spread, trials = spread_of(view.sharpes, found.days), counted["independent_trials"]
    record = sharpe.track_record(found, CONFIDENCE)
    if record is None:
        reasons["track_record_days"] = "The Sharpe ratio is not above 0: no length of record would show that it is."
    return counted | {
        "sharpe": found.sharpe * YEAR,
        "skew": found.skew,
        "kurtosis": found.kurtosis,
        "probabilistic_sharpe": sharpe.probabilistic(found),
        "deflated_sharpe": sharpe.deflated(found, trials, spread / YEAR),
        "lucky_sharpe": sharpe.lucky(trials, spread),
        "trial_spread": spread,
        "track_record_days": None if record is None else math.ceil(record),
    }, reasons


def independent_of(view: LedgerView) -> float:
    """At least 1: this run itself."""
    return max(1.0, independent(view.trials, mean_correlation(view.returns)))


def spread_of(sharpes: Floats, days: int) -> float:
    """The standard deviation of the trials' ratios per year, and never less than luck alone gives independent trials of
    so many days: trials that are alike lie close together, but as such they are already counted as few."""
    luck = YEAR / math.sqrt(days - 1)
    return max(luck, float(sharpes.std(ddof=1))) if len(sharpes) > 1 else luck


def of_order(result: Result, seed: int) -> Parts:
    """The same trades in another order."""
    trips = result.tape.trips
    profits = trips[trips[:, T_OPEN] == 0.0, T_PROFIT]
    if len(profits) < FEW_TRADES:
        why = f"{len(profits)} closed trades are too few to put in another order; {FEW_TRADES} are the least."
        figures, reasons = missing(why, "trade_order")
        return figures | {"trades": len(profits)}, reasons
    rates = drawdowns.rates_on_equity(profits, float(result.spec.cash))
    if rates is None:
        figures, reasons = missing("The trades used up the cash: their order cannot be changed.", "trade_order")
        return figures | {"trades": len(profits)}, reasons
    return {"trades": len(profits), "trade_order": drawdowns.of_order(rates, numbers(seed, ORDER))}, {}


def of_confidence(result: Result) -> Parts:
    if not (result.signals.target == result.signals.target).any():
        return missing(
            "This run has no signals of its own whose confidence could be held against outcome.", "calibration"
        )
    sure, won = calibration.pairs(result)
    if why := calibration.why_not(sure, won):
        return missing(why, "calibration")
    return {"calibration": calibration.calibrate(sure, won)}, {}


def luck_of_search(returns: Floats, seed: int, benchmark: Floats | None = None) -> SearchLuck:
    """Of the daily returns of all trials of a search, float64[days, trials], each column over the same days.

    `benchmark` are the daily returns to be better than (None: cash, zeros).
    """
    days, trials = returns.shape
    moving = [(0, column) for column in returns.T if column.any()]
    figures: dict[str, Any] = {"trials": trials, "days": days}
    reasons: dict[str, str] = {}
    correlation = mean_correlation([moving[i] for i in sampled(len(moving))])
    figures["independent_trials"] = max(1.0, independent(trials, correlation))
    for part, because in (_of_splits(returns, len(moving)), _of_superior(returns, len(moving), seed, benchmark)):
        figures |= part
        reasons |= because
    return SearchLuck(**figures, reasons=reasons)


def _of_splits(returns: Floats, moving: int) -> Parts:
    blocks = overfitting.blocks_for(len(returns))
    why = ""
    if moving < 2:
        why = f"{moving} of the trials traded: two are needed to pick a best one."
    elif not blocks:
        why = f"{len(returns)} days cannot be cut into samples; {4 * overfitting.LEAST_DAYS} are the least."
    if why:
        figures, reasons = missing(why, "overfitting", "out_of_sample_loss", "kept")
        return figures | {"splits": 0}, reasons
    found = overfitting.cscv(returns, blocks)
    chosen, reasons = float(np.median(found.chosen)), {}
    kept = float(np.median(found.proved)) / chosen if chosen > 0.0 else None
    if kept is None:
        reasons["kept"] = "The best in sample had no Sharpe ratio above 0 to keep."
    return {
        "overfitting": found.probability,
        "splits": len(found.logits),
        "out_of_sample_loss": found.loss,
        "kept": kept,
    }, reasons


def _of_superior(returns: Floats, moving: int, seed: int, benchmark: Floats | None) -> Parts:
    names = ("superior", "superior_lower", "superior_upper")
    if not moving or len(returns) < FEW_DAYS:
        why = f"{moving} trials over {len(returns)} days: at least one that trades and {FEW_DAYS} days are needed."
        return missing(why, *names)
    from onetape.backtest.luck.superior import superior

    against = np.zeros(len(returns)) if benchmark is None else benchmark
    best = returns[:, int(returns.mean(0).argmax())]
    draw = int(numbers(seed, SUPERIOR).integers(2**31))
    found = superior(returns, against, block_length(best - against), draw)
    return dict(zip(names, (found.consistent, found.lower, found.upper), strict=True)), {}


def with_luck(result: Result, luck: Luck) -> Result:
    """The run with the block among its figures, as plain values under `luck`."""
    return dataclasses.replace(result, metrics=result.metrics | {"luck": msgspec.to_builtins(luck)})


def luck_in(metrics: dict[str, Any]) -> Luck | None:
    """The block of a run's figures; None in one that was stored before there was one."""
    return msgspec.convert(metrics["luck"], Luck) if metrics.get("luck") else None
