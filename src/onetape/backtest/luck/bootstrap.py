"""The stationary bootstrap: blocks of random length, so that what hangs together in time stays together.

Politis and Romano (1994); the mean length of a block is chosen from the data (Politis and White 2004, corrected by
Patton, Politis and White 2009). The library `arch` does the same and is the oracle of the tests; its import alone takes
two seconds of processor time, too long for every backtest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from onetape.domain.frame import Floats, Ints

CHUNK: Final = 500_000  # numbers at a time: they stay in the processor's cache, whatever the length
DRAWS: Final = (500, 2_000)  # fewest and most resamples
NUMBERS: Final = 6_000_000  # drawn in all, where that leaves enough resamples


class Histories(NamedTuple):
    """One number for each resampled history, float64[draws]."""

    sharpe: Floats  # per day; 0 where nothing happened
    total: Floats  # return over the whole of it
    drawdown: Floats  # of daily closes, >= 0


def block_length(returns: Floats) -> float:
    """The mean block length in days that suits the returns, from 1 on; independent returns give about 1."""
    n = len(returns)
    off = returns - returns.mean()
    if n < 9 or not np.square(off).any():
        return 1.0
    run = max(5, int(math.log10(n)))
    most = math.ceil(math.sqrt(n)) + run
    band = 2.0 * math.sqrt(math.log10(n) / n)
    lags = range(min(most, n - 2) + 1)
    covariance = np.array([off[lag:] @ off[: n - lag] for lag in lags]) / n
    scale = np.array(
        [math.sqrt((off[lag + 1 :] @ off[lag + 1 :]) * (off[: n - lag - 1] @ off[: n - lag - 1])) for lag in lags]
    )
    small = np.abs(covariance) * n < band * scale
    quiet = [lag for lag in lags if lag + run < len(small) and small[lag : lag + run].all()]
    reach = min(2 * max(quiet[0], 1) if quiet else most, len(small) - 1)
    lag = np.arange(1, reach + 1)
    weight = np.minimum(1.0, 2.0 * (1.0 - lag / reach))
    slope = 2.0 * float((weight * lag * covariance[1 : reach + 1]).sum())
    level = float(covariance[0] + 2.0 * (weight * covariance[1 : reach + 1]).sum())
    longest = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    if level == 0.0:
        return float(longest)
    return max(1.0, min(math.cbrt((slope / level) ** 2 * n), float(longest)))


def draws_for(days: int) -> int:
    return int(np.clip(NUMBERS // max(days, 1), *DRAWS))


def rows(random: np.random.Generator, n: int, block: float, draws: int) -> Iterator[Ints]:
    """Row numbers of resampled histories, int64[some, n] at a time, `draws` in all."""
    day = np.arange(n)
    while draws > 0:
        count = min(draws, max(1, CHUNK // n))
        fresh = random.random((count, n)) < 1.0 / block
        fresh[:, 0] = True
        begins = np.where(fresh, day, 0)
        np.maximum.accumulate(begins, axis=1, out=begins)
        start = np.take_along_axis(random.integers(0, n, (count, n)), begins, axis=1)
        yield (start + day - begins) % n
        draws -= count


def resample(returns: Floats, block: float, draws: int, random: np.random.Generator) -> Histories:
    """Sharpe ratio, return and drawdown of `draws` histories as long as the real one. `returns` are above -1."""
    return resample_together(returns[:, None], block, draws, random)[0]


def resample_together(returns: Floats, block: float, draws: int, random: np.random.Generator) -> list[Histories]:
    """The same of each column of `returns` float64[days, series]; a history has the same days for all of them."""
    columns = [(column, np.log1p(column)) for column in np.ascontiguousarray(returns.T)]
    found: list[list[tuple[Floats, Floats, Floats]]] = [[] for _ in columns]
    for index in rows(random, len(returns), block, draws):
        for kept, (column, grown) in zip(found, columns, strict=True):
            kept.append(_measured(column[index], grown[index]))
    return [Histories(*(np.concatenate(part) for part in zip(*kept, strict=True))) for kept in found]


def _measured(returns: Floats, grown: Floats) -> tuple[Floats, Floats, Floats]:
    mean, deviation = returns.mean(1), returns.std(1, ddof=1)
    still = deviation <= 1e-12 * np.abs(mean)
    sharpe = np.where(still, 0.0, mean / np.where(still, 1.0, deviation))
    level = np.cumsum(grown, axis=1)
    return sharpe, np.expm1(level[:, -1]), deepest(level)


def deepest(level: Floats) -> Floats:
    """The largest drawdown of each row of log equity, which begins at 0."""
    peak = np.maximum(np.maximum.accumulate(level, axis=1), 0.0)
    fall: Floats = -np.expm1((level - peak).min(1))
    return fall
