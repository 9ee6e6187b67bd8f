"""The two sides of an order book as sorted columns of numbers. Kernels: they change the arrays they are given.

A ladder is an array of four rows: keys and sizes of the bids, keys and sizes of the asks. A key is the price of a bid
and the negative price of an ask, so that both sides rise towards the best level, which lies at the end, where most of
the changes are. `counts` are the levels of each side. `changes` has the same four rows: levels that one message
names, a size of 0 for one that is gone.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from onetape.core.compiled import inlined, kernel
from onetape.domain.frame import Floats, Ints

Text = NDArray[np.uint8]  # ASCII

BIDS: Final = 0  # row of the keys; the sizes follow
ASKS: Final = 2

DONE: Final = 0
STRANGE: Final = 1  # text that is left to a general reader; nothing was changed
FULL: Final = 2  # larger arrays are needed; nothing was changed

_POWERS: Final = np.array([float(f"1e{i}") for i in range(19)])
_EXACT: Final = 2**53  # up to here whole numbers are exact, and so is their quotient by a power of ten, rounded once
_QUOTE: Final = 34
_COMMA: Final = 44
_POINT: Final = 46
_ZERO: Final = 48
_NINE: Final = 57
_OPEN: Final = 91
_BACKSLASH: Final = 92
_CLOSE: Final = 93


@inlined
def _number(text: Text, i: int, end: int) -> tuple[int, float]:
    """A positive decimal number at i, and where it ends; -1 when it is written in a way that is not read here."""
    whole, start, point = 0, i, -1
    while i < end:
        c = int(text[i])
        if _ZERO <= c <= _NINE:
            whole = whole * 10 + (c - _ZERO)
        elif c == _POINT and point < 0 and i > start:
            point = i
        else:
            break
        i += 1
    digits = i - start - (1 if point >= 0 else 0)
    padded = digits > 1 and text[start] == _ZERO and point != start + 1
    if digits == 0 or digits > 18 or padded or point == i - 1 or whole > _EXACT:
        return -1, 0.0
    return i, whole / _POWERS[0 if point < 0 else i - 1 - point]


@kernel
def _read(text: Text, begin: int, end: int, changes: Floats, row: int) -> int:
    """`[["8476.98","415","0","13"],...]` as OKX writes it, price and size first; gives how many, or -STRANGE, -FULL."""
    if end - begin < 2 or text[begin] != _OPEN or text[end - 1] != _CLOSE:
        return -STRANGE
    n, i, last = 0, begin + 1, end - 1
    while i < last:
        if n == changes.shape[1]:
            return -FULL
        if n > 0:
            if text[i] != _COMMA:
                return -STRANGE
            i += 1
        if i + 1 >= last or text[i] != _OPEN or text[i + 1] != _QUOTE:
            return -STRANGE
        i, price = _number(text, i + 2, last)
        if i < 0 or price <= 0.0 or i + 3 > last or text[i] != _QUOTE or text[i + 1] != _COMMA or text[i + 2] != _QUOTE:
            return -STRANGE
        i, size = _number(text, i + 3, last)
        if i < 0 or i >= last or text[i] != _QUOTE:
            return -STRANGE
        while i < last and text[i] != _CLOSE:  # further fields are not read, but no bracket may hide in one
            if text[i] == _BACKSLASH or text[i] == _OPEN:
                return -STRANGE
            i += 1
        i += 1
        changes[row, n] = price if row == BIDS else -price
        changes[row + 1, n] = size
        n += 1
    return n if i == last else -STRANGE


@kernel
def _merge(ladder: Floats, count: int, changes: Floats, n: int, row: int) -> int:
    """Puts n changes into one side of `count` levels; gives how many levels it has then."""
    for j in range(n):
        key, size = changes[row, j], changes[row + 1, j]
        low, high = 0, count
        while low < high:
            middle = (low + high) >> 1
            if ladder[row, middle] < key:
                low = middle + 1
            else:
                high = middle
        if low < count and ladder[row, low] == key:
            if size > 0.0:
                ladder[row + 1, low] = size
            else:
                count -= 1
                for k in range(low, count):
                    ladder[row, k] = ladder[row, k + 1]
                    ladder[row + 1, k] = ladder[row + 1, k + 1]
        elif size > 0.0:
            for k in range(count, low, -1):
                ladder[row, k] = ladder[row, k - 1]
                ladder[row + 1, k] = ladder[row + 1, k - 1]
            ladder[row, low], ladder[row + 1, low] = key, size
            count += 1
    return count


@kernel
def change(ladder: Floats, counts: Ints, changes: Floats, bids: int, asks: int, fresh: bool) -> int:
    """Puts so many changes into both sides; `fresh` empties them before. Gives DONE or FULL."""
    if fresh:
        counts[0], counts[1] = 0, 0
    if max(counts[0] + bids, counts[1] + asks) > ladder.shape[1]:
        return FULL
    counts[0] = _merge(ladder, counts[0], changes, bids, BIDS)
    counts[1] = _merge(ladder, counts[1], changes, asks, ASKS)
    return DONE


@kernel
def take(ladder: Floats, counts: Ints, changes: Floats, text: Text, middle: int, end: int, fresh: bool) -> int:
    """As `change`, read from JSON: the bids are text[:middle], the asks text[middle:end]. DONE, STRANGE or FULL."""
    bids = _read(text, 0, middle, changes, BIDS)
    if bids < 0:
        return -bids
    asks = _read(text, middle, end, changes, ASKS)
    if asks < 0:
        return -asks
    return change(ladder, counts, changes, bids, asks, fresh)


@kernel
def best(ladder: Floats, counts: Ints, row: int, out: Floats) -> int:
    """The best levels of a side (BIDS, ASKS) into the rows (price, size) of `out`, best first; gives how many."""
    count = int(counts[row // 2])
    n = min(count, len(out))
    for i in range(n):
        key = ladder[row, count - 1 - i]
        out[i, 0] = key if row == BIDS else -key
        out[i, 1] = ladder[row + 1, count - 1 - i]
    return n


def warm() -> None:
    """Compiles everything, or loads it: seconds the first time on a machine, so not while messages wait."""
    ladder, counts = np.zeros((4, 2)), np.zeros(2, np.int64)
    changes, text = np.zeros((4, 2)), np.frombuffer(bytearray(b"[][]"), np.uint8)
    take(ladder, counts, changes, text, 2, 4, False)
    change(ladder, counts, changes, 0, 0, True)
    best(ladder, counts, BIDS, np.zeros((1, 2)))
