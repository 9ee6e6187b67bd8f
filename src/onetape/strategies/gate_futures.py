"""Other futures: the candles after a cut replaced by what the market might have done instead. Times stay the same."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from onetape.domain.frame import PRICES, CandleFrame
from onetape.strategies.gate_columns import Frames

UNKNOWN: Final = "not known yet"
FUTURES: Final = (UNKNOWN, "three times as high", "a third as high", "flat", "rising ever faster", "in reverse order")


def with_future(frames: Frames, cut: int, future: str, symbol: str = "") -> Frames:
    """The same first `cut` rows (from 1 on), and another future of all markets, or of one symbol alone."""
    if future == UNKNOWN:
        return {name: frame.rows(0, cut) for name, frame in frames.items()}
    return {
        name: _changed(frame, cut, future) if symbol in ("", name) and cut < len(frame) else frame
        for name, frame in frames.items()
    }


def _changed(frame: CandleFrame, cut: int, future: str) -> CandleFrame:
    columns: dict[str, Any] = {}
    for name in (*PRICES, "volume"):
        column = getattr(frame, name).copy()
        column[cut:] = _future(frame, name, cut, future)
        column.flags.writeable = False
        columns[name] = column
    return dataclasses.replace(frame, **columns)


def _future(frame: CandleFrame, name: str, cut: int, future: str) -> Any:
    was = getattr(frame, name)[cut:]
    if future == "in reverse order":
        return was[::-1]
    if future == "flat":
        return np.full(len(was), frame.close[cut - 1]) if name in PRICES else was
    if future == "rising ever faster":
        return was * np.geomspace(1.01, 5.0, len(was))
    factor = 3.0 if future == "three times as high" else 1.0 / 3.0
    return was * factor
