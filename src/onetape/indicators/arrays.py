"""What goes into an indicator: one column of float64, read-only, so that each kernel is compiled for one type only."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats


def column(values: ArrayLike, name: str = "values") -> Floats:
    """`values` as a contiguous, read-only float64 array of one dimension (a view where possible)."""
    array = np.ascontiguousarray(values, np.float64)
    if array.ndim != 1:
        raise BadInput(name, array.shape, "not one column of numbers")
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def columns(*values: ArrayLike) -> tuple[Floats, ...]:
    """Several columns of one length."""
    arrays = tuple(column(v) for v in values)
    if len({len(a) for a in arrays}) > 1:
        raise BadInput("values", [len(a) for a in arrays], "columns of different lengths")
    return arrays


def period(n: int, name: str = "period", least: int = 1) -> int:
    """`n` as an int of at least `least`; a float with a fraction is refused."""
    whole = int(n)
    if whole != n or whole < least or whole > 10_000_000:
        raise BadInput(name, n, f"not a whole number of candles from {least} on")
    return whole
