"""Whether the numbers of a strategy are signals at all: one pass over every column."""

from __future__ import annotations

from typing import Final

from onetape.core.compiled import kernel
from onetape.domain.frame import Floats

INFINITY: Final = float("inf")
RANGES: Final = (
    ("target", -1.0, 1.0),
    ("confidence", 0.0, 1.0),
    ("stop", 0.0, 1.0),
    ("take", 0.0, INFINITY),
    ("trail", 0.0, 1.0),
    ("limit", 0.0, INFINITY),
)


@kernel
def first_outside(column: Floats, low: float, high: float, nan_allowed: bool) -> int:
    """The first row outside [low, high], or -1."""
    wrong = 0
    for i in range(len(column)):
        x = column[i]
        wrong += not (low <= x <= high) and not (nan_allowed and x != x)
    if wrong == 0:
        return -1
    for i in range(len(column)):
        x = column[i]
        if not (low <= x <= high) and not (nan_allowed and x != x):
            return i
    return -1
