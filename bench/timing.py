"""One measurement: medians of several runs, and how a row of the table looks."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. Values are in `unit`; `target` is None where there is none."""

    job: str
    what: str
    value: float
    unit: str = "ms"
    low: float | None = None
    high: float | None = None
    target: float | None = None
    note: str = ""
    more: bool = False  # more is better: the target is the least

    @property
    def missed(self) -> bool:
        return self.target is not None and (self.value < self.target if self.more else self.value > self.target)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """How large the load is, for the groups that have one."""

    rate: int = 5_000  # messages a second of `pipeline`
    minutes: float = 1.0  # of `pipeline`
    rows: int = 1_000_000  # candles of `tables`; two fifths as many messages


def timed(job: str, what: str, run: Callable[[], Any], *, times: int = 15, target: float | None = None) -> Row:
    """Median wall time in ms of `times` warm runs, with the fastest and the slowest."""
    run()
    taken = []
    for _ in range(times):
        gc.collect()
        begun = time.perf_counter()
        run()
        taken.append(1e3 * (time.perf_counter() - begun))
    median = statistics.median(taken)
    return Row(job=job, what=what, value=median, low=min(taken), high=max(taken), target=target)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
