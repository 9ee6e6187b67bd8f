"""Memory of arrays that are freed stays with the process, for the next run: to get fresh pages from the system, zeroed,
costs a run over a million candles a fifth of its time. For processes that run one backtest after the other."""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX of glibc's malloc.h
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_KEPT: Final = 1 << 30  # bytes that may lie unused at the end of the heap
_FROM_HEAP: Final = 1 << 25  # bytes of an array that still comes from the heap: the most that glibc takes


def keep_pages() -> bool:
    """Whether the C library does so from now on; elsewhere than on glibc nothing changes."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    one_for_all = mallopt(_ARENA_MAX, 1)  # what one thread has freed is there for the others, too
    return bool(mallopt(_MMAP_THRESHOLD, _FROM_HEAP) and mallopt(_TRIM_THRESHOLD, _KEPT) and one_for_all)
