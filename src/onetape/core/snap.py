"""Snapping to a venue's steps. A step of 0 means that it is not known: nothing is snapped.

A decimal step such as 0.01 has no exact float, its inverse 100 has: dividing a whole number by it gives the float
nearest to the decimal, the same one that parsing the text gives.
"""

from __future__ import annotations

import math

from onetape.core.compiled import kernel

_DUST = 1e-7  # of a step: what float arithmetic may lose below a whole step


@kernel
def nearest(x: float, step: float) -> float:
    """The multiple of `step` nearest to x."""
    if step <= 0.0:
        return x
    inverse = float(math.floor(1.0 / step + 0.5))
    if inverse >= 1.0 and abs(inverse * step - 1.0) < 1e-12:
        return math.floor(x * inverse + 0.5) / inverse
    return math.floor(x / step + 0.5) * step


@kernel
def below(x: float, step: float) -> float:
    """The largest multiple of `step` not above x (x >= 0)."""
    if step <= 0.0:
        return x
    inverse = float(math.floor(1.0 / step + 0.5))
    if inverse >= 1.0 and abs(inverse * step - 1.0) < 1e-12:
        return math.floor(x * inverse + _DUST) / inverse
    return math.floor(x / step + _DUST) * step
