"""Memory of arrays that are freed stays with the process, for the next run: to get fresh pages from the system, zeroed,
costs a run over a million candles a fifth of its time. For processes that run one backtest after the other."""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc's malloc.h
_MMAP_THRESHOLD: Final = -3
_KEPT: Final = 1 << 30  # bytes that may lie unused at the end of the heap
_FROM_HEAP: Final = 1 << 25  # bytes of an array that still comes from the heap: the most that glibc takes


def keep_pages() -> bool:
    """Whether the C library does so from now on; elsewhere than on glibc nothing changes."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _FROM_HEAP) and mallopt(_TRIM_THRESHOLD, _KEPT))
