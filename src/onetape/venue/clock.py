"""Venue time: runs at `speed` from a start and stands still at the end of the data. Knows nobody."""

from __future__ import annotations

import time


class VenueClock:
    """`now()` in UTC microseconds. Before `begin` it stands at the start."""

    def __init__(self, start_ts: int, end_ts: int, speed: float) -> None:
        self.start_ts, self.end_ts, self.speed = start_ts, end_ts, speed
        self._began: float | None = None

    def begin(self) -> None:
        if self._began is None:
            self._began = time.monotonic()

    def now(self) -> int:
        if self._began is None:
            return self.start_ts
        return min(self.end_ts, self.start_ts + int((time.monotonic() - self._began) * self.speed * 1e6))

    def seconds_until(self, ts: int) -> float:
        """Real seconds until venue time `ts`; 0 when it is past."""
        return max(0.0, (ts - self.now()) / 1e6 / self.speed)
