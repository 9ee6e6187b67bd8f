"""Prometheus' text format, written by hand: a name, what it says, and its samples. Knows nothing of onetape.

A library would keep a registry of its own beside the values that the hub holds already, and they would have to agree.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})

Labels = Mapping[str, str]


class Sample(NamedTuple):
    """`suffix` is `_bucket`, `_sum` or `_count` of a histogram, else empty."""

    labels: Labels
    value: float
    suffix: str = ""


class Family(NamedTuple):
    """All samples of one name. kind: gauge, counter (its name ends in _total), histogram."""

    name: str
    kind: str
    says: str
    samples: Sequence[Sample]


class Buckets:
    """A histogram: how many observations were not above each bound, their number and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value

    def samples(self, labels: Labels) -> list[Sample]:
        found, seen = [], 0
        for bound, count in zip((*self.bounds, math.inf), self.counts, strict=True):
            seen += count
            found.append(Sample({**labels, "le": number(bound)}, seen, "_bucket"))
        return [*found, Sample(labels, self.total, "_sum"), Sample(labels, seen, "_count")]


def number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else str(int(value)) if value == int(value) else repr(float(value))


def text(families: Iterable[Family]) -> str:
    """Families without samples are left out."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines += [f"# HELP {family.name} {family.says}", f"# TYPE {family.name} {family.kind}"]
            lines += [_line(family.name, sample) for sample in family.samples]
    return "\n".join(lines) + "\n"


def _line(name: str, sample: Sample) -> str:
    pairs = ",".join(f'{key}="{value.translate(_ESCAPES)}"' for key, value in sample.labels.items())
    labels = f"{{{pairs}}}" if pairs else ""
    return f"{name}{sample.suffix}{labels} {number(sample.value)}"
