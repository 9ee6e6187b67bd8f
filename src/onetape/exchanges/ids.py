"""Which trade ids were seen lately, when nearly every id is the one after the last."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Final

from onetape.exchanges.recent import Recent


class Ids:
    """Remembers at least the `least` newest ids (numbers from 0 on) and about twice as many at most.

    Ids that follow each other are one run, of which only the ends are kept: to remember the usual id is to count one
    up, and a market whose ids have no holes needs no memory at all. `last` is the greatest id, -1 before the first.
    """

    __slots__ = ("_held", "_lasts", "_late", "_least", "_low", "_lows", "last")

    def __init__(self, least: int) -> None:
        self._least: Final = least
        self.last = -1
        self._low = 0  # where the run begins that ends with `last`
        self._lows, self._lasts = array("q"), array("q")  # of the runs before it, rising
        self._held = 0  # ids in those
        self._late: Recent[int] = Recent(least)  # smaller ids that were in no run

    def __contains__(self, number: int) -> bool:
        if number >= self._low:
            return self.last - 2 * self._least < number <= self.last
        i = bisect_right(self._lows, number) - 1
        return (i >= 0 and number <= self._lasts[i]) or number in self._late

    def add(self, number: int) -> bool:
        """Whether it was not remembered."""
        if number == self.last + 1:
            self.last = number
            return True
        if number > self.last:
            self._end_run()
            self._low = self.last = number
            return True
        return number not in self and self._late.add(number)

    def _end_run(self) -> None:
        if self.last < 0:
            return
        low = max(self._low, self.last - 2 * self._least + 1)
        self._lows.append(low)
        self._lasts.append(self.last)
        self._held += self.last - low + 1
        if self._held > 2 * self._least:
            self._forget()

    def _forget(self) -> None:
        """The oldest runs."""
        cut, held = 0, self._held
        while (left := held - (self._lasts[cut] - self._lows[cut] + 1)) >= self._least:
            held, cut = left, cut + 1
        del self._lows[:cut], self._lasts[:cut]
        self._held = held
