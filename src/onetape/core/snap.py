"""Snapping to a venue's steps. A step of 0 means that it is not known: nothing is snapped.

A decimal step such as 0.01 has no exact float, its inverse 100 has: dividing a whole number by it gives the float
nearest to the decimal, the same one that parsing the text gives. The number of steps stays a float, because that of a
cheap coin (a billion units in lots of 1e-8) does not fit an integer.
"""

from __future__ import annotations

import numpy as np

from onetape.core.compiled import kernel

_WHOLE = 2.0**53
_DUST = 1e-7  # of a step: what float arithmetic may lose below a whole step


@kernel
def nearest(x: float, step: float) -> float:
    """The multiple of `step` nearest to x."""
    return snapped(x, step, 0.5)


@kernel
def below(x: float, step: float) -> float:
    """The largest multiple of `step` not above x (x >= 0)."""
    return snapped(x, step, _DUST)


@kernel
def above(x: float, step: float) -> float:
    """The smallest multiple of `step` not below x (x >= 0)."""
    return -snapped(-x, step, _DUST)


@kernel
def beyond(price: float, tick: float, way: float) -> float:
    """The price itself when it lies on the tick, else the next tick above it (`way` > 0) or below."""
    return above(price, tick) if way > 0.0 else below(price, tick)


@kernel
def snapped(x: float, step: float, up: float) -> float:
    """The multiple of `step` below x + `up` steps; x itself where a float is coarser than the step."""
    if step <= 0.0 or abs(x) >= _WHOLE * step:
        return x
    inverse = np.floor(1.0 / step + 0.5)
    if inverse >= 1.0 and abs(inverse * step - 1.0) < 1e-12:
        return float(np.floor(x * inverse + up) / inverse)
    return float(np.floor(x / step + up) * step)
