"""The probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

Bailey, Borwein, López de Prado and Zhu: "The Probability of Backtest Overfitting", Journal of Computational Finance 20
(2017). The days are cut into blocks; each half of the blocks is once the sample in which the best trial is picked, and
the other half is where it has to prove itself.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final, NamedTuple

import numpy as np

from onetape.domain.frame import Floats, Ints

BLOCKS: Final = 16
LEAST_DAYS: Final = 4  # in a block, for a deviation that means something
CHUNK: Final = 400_000  # numbers of one table


class Overfitting(NamedTuple):
    """`probability`: how often the best in sample is not above the median out of sample. `loss`: how often it loses
    there. `chosen` and `proved` are its Sharpe ratios per day in and out of sample, float64[splits]."""

    probability: float
    loss: float
    chosen: Floats
    proved: Floats
    logits: Floats


def blocks_for(days: int) -> int:
    """16 blocks where the days suffice, else fewer, always even; 0 when not even 4 can be made."""
    blocks = min(BLOCKS, days // LEAST_DAYS) // 2 * 2
    return blocks if blocks >= 4 else 0


def cscv(returns: Floats, blocks: int = BLOCKS) -> Overfitting:
    """Of daily returns float64[days, trials], at least two trials. The oldest days that fill no block are left out."""
    days, trials = returns.shape
    length = days // blocks
    cut = returns[days - length * blocks :].reshape(blocks, length, trials)
    sums, squares = cut.sum(1), np.square(cut).sum(1)
    halves = _halves(blocks)
    found, step = [], max(1, CHUNK // trials)
    for i in range(0, len(halves), step):
        inside = halves[i : i + step]
        found.append(_judged(inside @ sums, inside @ squares, sums.sum(0), squares.sum(0), length * blocks // 2))
    chosen, proved, rank = (np.concatenate(column) for column in zip(*found, strict=True))
    relative = rank / (trials + 1.0)
    logits = np.log(relative / (1.0 - relative))
    return Overfitting(float((logits <= 1e-12).mean()), float((proved < 0.0).mean()), chosen, proved, logits)


def _halves(blocks: int) -> Floats:
    """One row for each way to choose half of the blocks, 1 where a block is chosen."""
    picked: Ints = np.array(list(combinations(range(blocks), blocks // 2)))
    table = np.zeros((len(picked), blocks))
    np.put_along_axis(table, picked, 1.0, axis=1)
    return table


def _judged(inside: Floats, inside2: Floats, whole: Floats, whole2: Floats, n: int) -> tuple[Floats, Floats, Floats]:
    """The best in sample: its ratio there, its ratio outside, its rank outside (1 worst; equals share their ranks)."""
    before, after = ratio(inside, inside2, n), ratio(whole - inside, whole2 - inside2, n)
    row = np.arange(len(before))
    best = before.argmax(1)
    proved = after[row, best]
    below, equal = (after < proved[:, None]).sum(1), (after == proved[:, None]).sum(1)
    return before[row, best], proved, below + (equal + 1.0) / 2.0


def ratio(sums: Floats, squares: Floats, n: int) -> Floats:
    """Sharpe ratios per day from sums over n days; 0 of a trial that did nothing."""
    mean = sums / n
    variance = (squares - n * mean * mean) / (n - 1)
    still = variance <= 1e-12 * squares / n
    out: Floats = np.where(still, 0.0, mean / np.sqrt(np.where(still, 1.0, variance)))
    return out
