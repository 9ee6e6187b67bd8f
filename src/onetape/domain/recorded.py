"""What was recorded of a market beside its candles, as columns: single trades, order books, funding rates."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from onetape.domain.frame import Floats, Ints
from onetape.domain.units import Micros


def _times() -> Ints:
    return np.empty(0, np.int64)


def _numbers() -> Floats:
    return np.empty(0)


def _books() -> Floats:
    return np.empty((0, 0, 4))


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Recorded:
    """Columns by time. `depth` is float64[k, levels, 4] as in core.bars; `funding_every` 0 = not known."""

    print_ts: Ints = dataclasses.field(default_factory=_times)
    price: Floats = dataclasses.field(default_factory=_numbers)
    qty: Floats = dataclasses.field(default_factory=_numbers)
    depth_ts: Ints = dataclasses.field(default_factory=_times)
    depth: Floats = dataclasses.field(default_factory=_books)
    funding_ts: Ints = dataclasses.field(default_factory=_times)
    funding_rate: Floats = dataclasses.field(default_factory=_numbers)
    funding_every: Micros = 0
    trouble: str = ""  # why what is stored cannot be read, a sentence


NOTHING: Final = Recorded()
