"""Where the candles of a long timeframe really begin, told by the prices of a shorter one.

Venues anchor their day at midnight in UTC, in Hong Kong or at noon; a series that says one thing and holds the other
looks sound candle by candle. Pure: looks, never repairs.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from onetape.domain.frame import CandleFrame, Ints
from onetape.domain.units import DAY, HOUR, Micros
from onetape.marketdata.soundness import DUST

FROM: Final[Micros] = 6 * HOUR  # shorter candles fall on every anchor alike
ENOUGH: Final = 5  # candles that must be compared
CLEAR: Final = 0.9  # share of them that must agree


class Anchor(msgspec.Struct, frozen=True):
    """`compared` candles had their prices in the shorter series; `agree` of them as a share begin `offset` later than
    they say, which is more than with any other offset. `sound` is None when the prices do not tell."""

    offset: Micros
    agree: float
    compared: int
    sound: bool | None


def anchor_of(longer: CandleFrame, shorter: CandleFrame) -> Anchor:
    """Offsets of whole hours within a day are tried; `shorter` candles are an hour long at most."""
    found = [(*_agreement(longer, shorter, offset), offset) for offset in range(0, DAY, HOUR)]
    agree, compared, offset = max(found, key=lambda each: (each[0], -each[2]))
    if compared < ENOUGH or agree < CLEAR:
        return Anchor(0, found[0][0], found[0][1], None)
    return Anchor(offset, agree, compared, offset == 0 or found[0][0] >= CLEAR)


def _agreement(longer: CandleFrame, shorter: CandleFrame, offset: Micros) -> tuple[float, int]:
    """Share of the candles whose open and close stand in the shorter series `offset` later, and how many could be."""
    first, known_first = _rows(shorter, longer.ts + offset)
    last, known_last = _rows(shorter, longer.close_ts + offset - shorter.timeframe.micros)
    known = known_first & known_last
    if not known.any():
        return 0.0, 0
    opens = np.isclose(longer.open[known], shorter.open[first[known]], rtol=DUST, atol=0)
    closes = np.isclose(longer.close[known], shorter.close[last[known]], rtol=DUST, atol=0)
    return float((opens & closes).mean()), int(known.sum())


def _rows(frame: CandleFrame, ts: Ints) -> tuple[Ints, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """The rows of `frame` that open at each time, and which of them there are."""
    place = np.minimum(np.searchsorted(frame.ts, ts), max(0, len(frame) - 1))
    return place, frame.ts[place] == ts if len(frame) else np.zeros(len(ts), np.bool_)
