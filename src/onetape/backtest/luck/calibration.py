"""Does a signal that is surer of itself win more often? Confidence at the entry against the outcome of the trade."""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.core.stats import T_ENTRY, T_OPEN, T_PROFIT
from onetape.domain.frame import Floats, Ints
from onetape.domain.luck import Calibration, Reliability
from onetape.domain.results import Result

BINS: Final = 10
FEW: Final = 30  # trades


def pairs(result: Result) -> tuple[Floats, Floats]:
    """The confidence and the outcome (1 won, 0 not) of each closed trade.

    The confidence is that of the newest row that said something and was known when the entry filled.
    """
    trips = result.tape.trips[result.tape.trips[:, T_OPEN] == 0.0]
    said = np.flatnonzero(~np.isnan(result.signals.target))
    opened: Ints = result.tape.ts[trips[:, T_ENTRY].astype(np.int64)]
    known = np.searchsorted(result.candles.close_ts[said], opened, side="right") - 1
    traced = known >= 0
    return result.signals.confidence[said[known[traced]]], (trips[traced, T_PROFIT] > 0.0).astype(np.float64)


def calibrate(confidence: Floats, won: Floats) -> Calibration:
    """The reliability table and the Brier scores of at least one trade, in [0, 1] both."""
    base = float(won.mean())
    brier, reference = float(np.square(confidence - won).mean()), base * (1.0 - base)
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    table = tuple(
        Reliability(
            low=i / BINS,
            high=(i + 1) / BINS,
            trades=int(here.sum()),
            confidence=float(confidence[here].mean()),
            won=float(won[here].mean()),
        )
        for i in range(BINS)
        if (here := place == i).any()
    )
    return Calibration(
        trades=len(won), base_rate=base, brier=brier, reference=reference, skill=1.0 - brier / reference, table=table
    )


def why_not(confidence: Floats, won: Floats) -> str:
    """The reason why there is nothing to calibrate; empty when there is."""
    if len(won) < FEW:
        return f"{len(won)} closed trades are too few to hold confidence against outcome; {FEW} are the least."
    if confidence.min() == confidence.max():
        return f"Every signal has the same confidence, {confidence[0]:g}: the strategy does not tell them apart."
    if won.min() == won.max():
        return f"Every trade {'won' if won[0] else 'lost'}: there is nothing to tell apart."
    return ""
