"""What a Sharpe ratio is worth: probabilistic, deflated, and how long a record it needs.

Ratios are per day here, moments are those of the sample (not corrected), kurtosis of a normal distribution is 3.
Bailey and López de Prado: "The Sharpe Ratio Efficient Frontier", Journal of Risk 15 (2012); "The Deflated Sharpe
Ratio", Journal of Portfolio Management 40 (2014).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from onetape.domain.frame import Floats

GAMMA: Final = 0.5772156649015329  # Euler and Mascheroni


class Moments(NamedTuple):
    """Of daily returns; `sharpe` is the mean over the sample deviation (n - 1)."""

    days: int
    sharpe: float
    skew: float
    kurtosis: float


def moments(returns: Floats) -> Moments | None:
    """None with fewer than two returns, or when they are all alike."""
    if len(returns) < 2:
        return None
    mean, deviation = float(returns.mean()), float(returns.std(ddof=1))
    off = returns - mean
    variance = float(np.square(off).mean())
    if deviation <= 1e-12 * abs(mean) or variance**2 <= 0.0:  # what rounding leaves of equal returns
        return None
    skew = float((off**3).mean()) / variance**1.5
    return Moments(len(returns), mean / deviation, skew, float((off**4).mean()) / variance**2)


def deviation_factor(found: Moments) -> float:
    """Variance of the estimated Sharpe ratio, times (days - 1). Not below 0: skew and kurtosis obey
    kurtosis >= 1 + skew^2."""
    return max(0.0, 1.0 - found.skew * found.sharpe + (found.kurtosis - 1.0) / 4.0 * found.sharpe**2)


def probabilistic(found: Moments, benchmark: float = 0.0) -> float:
    """The probability that the true ratio is above `benchmark` (per day), in [0, 1]."""
    from scipy.special import ndtr

    factor = deviation_factor(found)
    if factor == 0.0:
        return float(found.sharpe > benchmark)
    return float(ndtr((found.sharpe - benchmark) * math.sqrt((found.days - 1) / factor)))


def lucky(trials: float, spread: float) -> float:
    """The Sharpe ratio that the best of so many independent trials without skill is expected to show, in the unit of
    `spread`, the standard deviation of the trials' ratios. 0 for a single trial."""
    from scipy.special import ndtri

    if trials <= 1.0:
        return 0.0
    best = (1.0 - GAMMA) * float(ndtri(1.0 - 1.0 / trials)) + GAMMA * float(ndtri(1.0 - 1.0 / (trials * math.e)))
    return max(0.0, spread * best)


def deflated(found: Moments, trials: float, spread: float) -> float:
    """The probability that the true ratio is above what luck alone makes of the best of so many trials."""
    return probabilistic(found, lucky(trials, spread))


def track_record(found: Moments, confidence: float, benchmark: float = 0.0) -> float | None:
    """The least number of days after which this ratio is above `benchmark` with that confidence; None when it is not
    above it at all."""
    from scipy.special import ndtri

    if found.sharpe <= benchmark:
        return None
    return 1.0 + deviation_factor(found) * (float(ndtri(confidence)) / (found.sharpe - benchmark)) ** 2
