"""How long things took, in a fixed little memory: counts in buckets that grow by a fifth, so quantiles are off by at
most a tenth."""

from __future__ import annotations

import math
from typing import Final

from onetape.domain.services import Took

_FIRST_MS: Final = 0.01
_GROWTH: Final = math.log(1.2)
_BUCKETS: Final = 96  # up to about six minutes


class Histogram:
    """Durations in milliseconds."""

    __slots__ = ("_counts", "count", "worst_ms")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count, self.worst_ms = 0, 0.0

    def add(self, ms: float) -> None:
        bucket = int(math.log(ms / _FIRST_MS) / _GROWTH) + 1 if ms > _FIRST_MS else 0
        self._counts[min(bucket, _BUCKETS - 1)] += 1
        self.count += 1
        self.worst_ms = max(self.worst_ms, ms)

    def quantile(self, share: float) -> float:
        """Upper edge of the bucket in which the share is reached; 0 without values."""
        seen, wanted = 0, share * self.count
        for i, n in enumerate(self._counts):
            seen += n
            if n and seen >= wanted:
                return min(self.worst_ms, _FIRST_MS * math.exp(_GROWTH * i))
        return 0.0

    def summary(self) -> dict[str, float]:
        return {
            "count": self.count,
            "p50_ms": round(self.quantile(0.5), 3),
            "p99_ms": round(self.quantile(0.99), 3),
            "worst_ms": round(self.worst_ms, 3),
        }

    def took(self) -> Took:
        return Took(self.count, round(self.quantile(0.5), 3), round(self.quantile(0.99), 3), round(self.worst_ms, 3))
