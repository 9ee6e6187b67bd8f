"""TA-Lib. It is imported on first use: with polars and pandas installed, which it imports, that takes half a second."""

from __future__ import annotations

import numpy as np

from onetape.domain.frame import Floats


def call(function: str, *inputs: Floats, **options: float) -> Floats:
    """One output column of a TA-Lib function; all NaN where the inputs have no candle with all numbers."""
    size = len(inputs[0])
    known = np.ones(size, np.bool_)
    for values in inputs:
        known &= ~np.isnan(values)
    if not known.any():
        return np.full(size, np.nan)
    import talib

    out: Floats = getattr(talib, function)(*inputs, **options)
    return out
