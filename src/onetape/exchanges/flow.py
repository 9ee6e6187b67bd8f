"""How one stream flows: how many messages, how often, how late. The same figures for every adapter."""

from __future__ import annotations

from collections import deque
from typing import Final

from onetape.domain.units import SECOND, Micros

SHORTEST, LONGEST = 30.0, 600.0  # seconds of silence of a stream without a rhythm, by what is usual for it
UNUSUAL: Final = 40.0  # times the usual pause between two messages
BEHIND: Final = 15.0  # seconds that the other connection may be ahead
_KNOWN: Final = 16  # messages after which the usual pause is known


class Flow:
    """Counts the messages that are new. `heard_ts` is when the last of them came (0: none did)."""

    def __init__(self) -> None:
        self.heard_ts: Micros = 0
        self.messages = 0
        self._pace = 0.0  # the usual pause between two messages, in seconds
        self._delays: deque[Micros] = deque(maxlen=512)
        self._marks: deque[tuple[float, int]] = deque(maxlen=11)

    def _felt(self, recv_ts: Micros) -> None:
        """A message that is new."""
        if self.heard_ts:
            self._pace += ((recv_ts - self.heard_ts) / SECOND - self._pace) / 16
        self.heard_ts = recv_ts
        self.messages += 1

    def mark(self, now: float) -> None:
        """Once a second, for the rate."""
        self._marks.append((now, self.messages))

    def _age_ms(self, now_ts: Micros) -> float:
        return max(0.0, (now_ts - self.heard_ts) / 1e3) if self.heard_ts else -1.0

    def _rate(self) -> float:
        if len(self._marks) < 2:
            return 0.0
        (begin, first), (end, last) = self._marks[0], self._marks[-1]
        return (last - first) / (end - begin) if end > begin else 0.0

    def _percentiles(self, offset: Micros) -> tuple[float, float]:
        """The delays' p50 and p99 in ms; `offset` is the venue's clock minus ours. -1: not known."""
        delays = sorted((delay + offset) / 1e3 for delay in self._delays)
        return (delays[len(delays) // 2], delays[len(delays) * 99 // 100]) if delays else (-1.0, -1.0)

    def _usual_silence(self) -> float:
        """Seconds for which a stream without a rhythm may say nothing."""
        return max(SHORTEST, UNUSUAL * self._pace) if self.messages > _KNOWN else LONGEST
