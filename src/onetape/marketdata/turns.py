"""Whose turn it is among open gaps: the oldest first; one that could not be repaired waits, and the others go on."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from onetape.domain.market import Gap

_FIRST: Final = 5.0  # seconds that a gap waits after a passing failure; twice as long each time
_LONGEST: Final = 300.0
ASIDE: Final = 3_600.0  # after a refusal


class Turns:
    """Knows only gaps that were open at the last look, so it does not grow."""

    def __init__(self) -> None:
        self._waiting: dict[Gap, tuple[float, float]] = {}  # until when, and for how long

    def due(self, still_open: Iterable[Gap]) -> list[Gap]:
        """Those of the open gaps that need not wait."""
        found = sorted(set(still_open), key=lambda gap: (gap.start_ts, gap.end_ts, gap.symbol, gap.channel))
        self._waiting = {gap: self._waiting[gap] for gap in found if gap in self._waiting}
        now = time.monotonic()
        return [gap for gap in found if gap not in self._waiting or self._waiting[gap][0] <= now]

    def later(self, gap: Gap) -> None:
        """It failed for a passing reason."""
        delay = min(_LONGEST, 2 * self._waiting[gap][1]) if gap in self._waiting else _FIRST
        self._waiting[gap] = (time.monotonic() + delay, delay)

    def aside(self, gap: Gap) -> None:
        """Nothing can be done about it for now."""
        self._waiting[gap] = (time.monotonic() + ASIDE, ASIDE)

    def seconds(self, longest: float) -> float:
        """Until the next of those that wait is due."""
        now = time.monotonic()
        return max(0.0, min((until - now for until, _ in self._waiting.values()), default=longest))
