"""What was seen lately."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Recent(Generic[T]):
    """Remembers at least the `least` newest keys and at most twice as many.

    Two sets take turns. To take the oldest key out of one ordered dictionary instead means to look for it past all that
    were taken out before it, which took three quarters of the time of a trade.
    """

    __slots__ = ("_least", "_new", "_old")

    def __init__(self, least: int) -> None:
        self._least = least
        self._new: set[T] = set()
        self._old: set[T] = set()

    def __contains__(self, key: object) -> bool:
        return key in self._new or key in self._old

    def add(self, key: T) -> bool:
        """Whether it was not remembered."""
        new = self._new
        if key in new:
            return False
        fresh = key not in self._old
        new.add(key)
        if len(new) >= self._least:
            self._old, self._new = new, set()
        return fresh

    def clear(self) -> None:
        self._new, self._old = set(), set()
