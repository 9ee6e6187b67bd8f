"""How good a candle series is: what is missing, what is impossible, what is odd. Pure: looks, never repairs.

Impossible is what no market can have done (a high below the low); odd is what is worth a look and may be true (an hour
without volume, a wick far beyond both neighbours). `docs/data-layouts.md` states the rules for users.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from onetape.domain.frame import CandleFrame, Floats
from onetape.domain.units import Micros

Mask = NDArray[np.bool_]

DUST: Final = 1e-9  # relative: what decimal-to-binary rounding may do, and no price step
QUIET: Final = 10  # candles in a row without volume that make a run
LISTED: Final = 20
_FAR: Final = 0.10  # an outlier lies at least this much beyond both neighbours,
_WIDE: Final = 20  # and at least so many times the usual height of a candle


class Bars(Protocol):
    """Columns of one length, as a CandleFrame or the rows of a file have them."""

    @property
    def open(self) -> Floats: ...
    @property
    def high(self) -> Floats: ...
    @property
    def low(self) -> Floats: ...
    @property
    def close(self) -> Floats: ...
    @property
    def volume(self) -> Floats: ...


class Impossible(NamedTuple):
    reason: str
    fails: Callable[[Bars], Mask]
    of_price: bool = True


def _above(a: Floats, b: Floats) -> Mask:
    return np.asarray(a > b + DUST * np.abs(b))


def _no_price(bars: Bars) -> Mask:
    return ~np.isfinite(bars.open + bars.high + bars.low + bars.close)


def _not_positive(bars: Bars) -> Mask:
    return np.asarray(np.minimum(np.minimum(bars.open, bars.close), np.minimum(bars.high, bars.low)) <= 0)


def _outside(bars: Bars) -> Mask:
    above = _above(np.maximum(bars.open, bars.close), bars.high)
    return above | _above(bars.low, np.minimum(bars.open, bars.close))


IMPOSSIBLE: Final = (
    Impossible("a price is missing", _no_price),
    Impossible("a price is zero or negative", _not_positive),
    Impossible("volume is missing", lambda bars: ~np.isfinite(bars.volume), of_price=False),
    Impossible("volume is negative", lambda bars: bars.volume < 0, of_price=False),
    Impossible("high below low", lambda bars: _above(bars.low, bars.high)),
    Impossible("open or close outside low to high", _outside),
)


class Finding(msgspec.Struct, frozen=True):
    """One candle worth a look: its open time, what about it, and its numbers."""

    ts: Micros
    reason: str
    open: float
    high: float
    low: float
    close: float
    volume: float


class Stretch(msgspec.Struct, frozen=True):
    """[start_ts, end_ts) and how many candles that is."""

    start_ts: Micros
    end_ts: Micros
    candles: int


class Soundness(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one series. `missing_rate` is the share of candles between first and last that are absent;
    `duplicates` share their time with another candle; `repeated` say in every number what the one before them says;
    `off_grid` do not open where a candle of that timeframe begins."""

    exchange: str
    symbol: str
    timeframe: str
    rows: int
    first_ts: Micros
    last_ts: Micros
    gaps: int
    missing: int
    missing_rate: float
    longest_gap: Stretch | None
    duplicates: int
    repeated: int
    off_grid: int
    zero_volume: int
    zero_volume_runs: int
    longest_zero_volume: Stretch | None
    impossible: int
    impossible_rows: tuple[Finding, ...]
    outliers: int
    outlier_rows: tuple[Finding, ...]


def examine(frame: CandleFrame) -> Soundness:
    """A frame of at least one candle."""
    holes = [Stretch(start, end, frame.timeframe.candles(start, end)) for start, end in frame.gaps()]
    missing = sum(hole.candles for hole in holes)
    quiet = _quiet_runs(frame)
    wrong = _impossible(frame)
    odd = np.flatnonzero(outliers(frame))
    return Soundness(
        exchange=frame.exchange,
        symbol=frame.symbol,
        timeframe=str(frame.timeframe),
        rows=len(frame),
        first_ts=int(frame.ts[0]),
        last_ts=int(frame.ts[-1]),
        gaps=len(holes),
        missing=missing,
        missing_rate=missing / (missing + len(frame)),
        longest_gap=_longest(holes),
        duplicates=int((np.diff(frame.ts) == 0).sum()),
        repeated=int(repeated(frame).sum()),
        off_grid=_off_grid(frame),
        zero_volume=int((frame.volume == 0).sum()),
        zero_volume_runs=len(quiet),
        longest_zero_volume=_longest(quiet),
        impossible=len(wrong),
        impossible_rows=tuple(_finding(frame, i, reason) for i, reason in list(wrong.items())[:LISTED]),
        outliers=len(odd),
        outlier_rows=tuple(_finding(frame, int(i), "far beyond both neighbours") for i in odd[:LISTED]),
    )


def repeated(frame: CandleFrame) -> Mask:
    """Candles with trades that say in every number what the candle before says: a source that stood still."""
    same = np.ones(max(0, len(frame) - 1), np.bool_)
    for column in (frame.open, frame.high, frame.low, frame.close, frame.volume):
        same &= column[1:] == column[:-1]
    return np.concatenate(([False], same))[: len(frame)] & (frame.volume > 0) & (frame.high > frame.low)


def _off_grid(frame: CandleFrame) -> int:
    if frame.timeframe.regular:
        return int(((frame.ts - frame.timeframe.floor(0)) % frame.timeframe.micros != 0).sum())
    return sum(frame.timeframe.floor(int(ts)) != int(ts) for ts in frame.ts)


def outliers(frame: CandleFrame) -> Mask:
    """Candles whose high or low lies far beyond that of the candle before and of the one after."""
    if len(frame) < 3:
        return np.zeros(len(frame), np.bool_)
    with np.errstate(all="ignore"):
        far = 1 + max(_FAR, _WIDE * float(np.nanmedian((frame.high - frame.low) / frame.close)))
        up = frame.high > far * _of_neighbours(frame.high, np.maximum)
        return np.asarray(up | (frame.low * far < _of_neighbours(frame.low, np.minimum)))


def _of_neighbours(values: Floats, pick: np.ufunc) -> Floats:
    """The extreme of the values before and after each; the first and the last have one neighbour."""
    before = np.concatenate((values[1:2], values[:-1]))
    after = np.concatenate((values[1:], values[-2:-1]))
    return np.asarray(pick(before, after))


def _impossible(frame: CandleFrame) -> dict[int, str]:
    found: dict[int, str] = {}
    with np.errstate(invalid="ignore"):
        for kind in IMPOSSIBLE:
            for i in np.flatnonzero(kind.fails(frame)):
                found.setdefault(int(i), kind.reason)
    return dict(sorted(found.items()))


def _quiet_runs(frame: CandleFrame) -> list[Stretch]:
    """The runs of at least QUIET stored candles without volume."""
    quiet = np.concatenate(([False], frame.volume == 0, [False])).astype(np.int8)
    edges = np.flatnonzero(np.diff(quiet))
    return [
        Stretch(int(frame.ts[a]), frame.timeframe.next(int(frame.ts[b - 1])), int(b - a))
        for a, b in zip(edges[::2], edges[1::2], strict=True)
        if b - a >= QUIET
    ]


def _longest(stretches: list[Stretch]) -> Stretch | None:
    return max(stretches, key=lambda one: one.candles, default=None)


def _finding(frame: CandleFrame, i: int, reason: str) -> Finding:
    numbers = (float(getattr(frame, name)[i]) for name in ("open", "high", "low", "close", "volume"))
    return Finding(int(frame.ts[i]), reason, *numbers)
