"""Chance that repeats: whole numbers in, well mixed 64-bit numbers out, the same for ever."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


def mix(words: Words) -> Words:
    """The SplitMix64 finaliser, element by element."""
    x = words + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _FIRST
    x = (x ^ (x >> np.uint64(27))) * _SECOND
    return x ^ (x >> np.uint64(31))


def draw(seed: int, salt: int, *keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Non-negative integers of 62 bits, one per broadcast element of `keys`; another `salt`, another draw."""
    state = mix(np.full(1, (seed * 1_000_003 + salt) & 0xFFFFFFFFFFFFFFFF, np.uint64))
    for key in keys:
        state = mix(state ^ key.astype(np.uint64))
    return (state >> np.uint64(2)).astype(np.int64)
