"""Indicators that are worked out once for many strategies on the same candles, as a search does.

Inside `remembering(memory)` an indicator that is `remembered` looks up what it gave for the same column and numbers.
Only columns that never change are known: those that the memory was made with, and what it gave itself (handed out
read-only). Everything else is worked out as ever, and outside nothing is remembered at all."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast

import numpy as np

from onetape.domain.frame import Floats

F = TypeVar("F", bound=Callable[..., Any])
_HERE: Final = threading.local()


class Memory:
    """What indicators gave, at most `most` bytes of it; the longest unused goes first. Threads may share one."""

    def __init__(self, columns: Iterable[Floats], most: int) -> None:
        self._columns = {_place(column): column for column in columns}
        self._results: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._most, self._held, self._lock = most, 0, threading.Lock()

    def key(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Any, ...] | None:
        """None when a column is not known, or there is none."""
        found: list[Any] = [name]
        known = False
        for part in (*args, *options.items()):
            if isinstance(part, np.ndarray):
                place = _place(part)
                if place not in self._columns:
                    return None
                known = True
                found.append(place)
            else:
                found.append((type(part), part))
        return tuple(found) if known else None

    def get(self, key: tuple[Any, ...]) -> Any:
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
            return self._results.get(key)

    def put(self, key: tuple[Any, ...], result: Any) -> None:
        columns = result if isinstance(result, tuple) else (result,)
        size = sum(column.nbytes for column in columns)
        for column in columns:
            column.flags.writeable = False
        with self._lock:
            if key in self._results or size > self._most:
                return
            self._results[key] = result
            self._columns |= {_place(column): column for column in columns}
            self._held += size
            while self._held > self._most:
                _, old = self._results.popitem(last=False)
                for column in old if isinstance(old, tuple) else (old,):
                    self._held -= column.nbytes
                    self._columns.pop(_place(column), None)


def _place(column: np.ndarray[Any, Any]) -> tuple[int, int, tuple[int, ...]]:
    return column.__array_interface__["data"][0], len(column), column.strides


@contextmanager
def remembering(memory: Memory | None) -> Iterator[None]:
    """For this thread."""
    before = getattr(_HERE, "memory", None)
    _HERE.memory = memory
    try:
        yield
    finally:
        _HERE.memory = before


def is_remembering() -> bool:
    return getattr(_HERE, "memory", None) is not None


def remembered(indicator: F) -> F:
    """Marks an indicator: a pure function of columns and plain numbers that makes new arrays."""

    @functools.wraps(indicator)
    def looked_up(*args: Any, **options: Any) -> Any:
        memory: Memory | None = getattr(_HERE, "memory", None)
        if memory is None or (key := memory.key(indicator.__name__, args, options)) is None:
            return indicator(*args, **options)
        if (found := memory.get(key)) is None:
            found = indicator(*args, **options)
            memory.put(key, found)
        return found

    return cast(F, looked_up)
