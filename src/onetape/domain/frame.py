"""Candles as columns. Holes are allowed and known, never filled unless asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from onetape.domain.errors import BadInput
from onetape.domain.market import Candle, Origin
from onetape.domain.units import Micros, Timeframe

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRICES: Final = ("open", "high", "low", "close")
COLUMNS: Final = ("ts", *PRICES, "volume", "turnover", "origin")


def _column(values: object, dtype: type, n: int | None = None) -> NDArray[np.generic]:
    if values is None:
        array: NDArray[np.generic] = np.zeros(n or 0, dtype)
    else:
        array = np.ascontiguousarray(values, dtype)
        if array.flags.writeable and array is values:
            array = array.view()
    array.flags.writeable = False
    return array


@dataclasses.dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CandleFrame:
    """Closed candles of one series, oldest first: read-only columns of one length.

    `ts` holds open times (int64 micros), strictly rising and on the timeframe's grid; prices, `volume` (base) and
    `turnover` (quote, 0 = unknown) are float64; `origin` is uint8. Build with `CandleFrame.of`, which checks.
    """

    exchange: str
    symbol: str
    timeframe: Timeframe
    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    turnover: Floats
    origin: NDArray[np.uint8]

    @classmethod
    def of(
        cls,
        exchange: str,
        symbol: str,
        timeframe: str | Timeframe,
        columns: dict[str, object],
        *,
        check: bool = True,
    ) -> CandleFrame:
        """From a mapping with at least ts, open, high, low, close, volume. Raises BadInput naming row and value."""
        ts = _column(columns["ts"], np.int64)
        n = len(ts)
        floats = {name: _column(columns.get(name), np.float64, n) for name in (*PRICES, "volume", "turnover")}
        frame = cls(
            exchange,
            symbol,
            Timeframe.parse(timeframe),
            ts=ts,  # type: ignore[arg-type]
            origin=_column(columns.get("origin"), np.uint8, n),  # type: ignore[arg-type]
            **floats,  # type: ignore[arg-type]
        )
        if check:
            frame._check()
        return frame

    @classmethod
    def empty(cls, exchange: str, symbol: str, timeframe: str | Timeframe) -> CandleFrame:
        return cls.of(exchange, symbol, timeframe, dict.fromkeys(COLUMNS, ()))

    @classmethod
    def from_candles(cls, candles: Iterable[Candle]) -> CandleFrame:
        """From at least one candle, all of one series, oldest first."""
        rows = list(candles)
        first = rows[0]
        columns: dict[str, object] = {name: [getattr(c, name) for c in rows] for name in COLUMNS if name != "ts"}
        columns["ts"] = [c.open_ts for c in rows]
        return cls.of(first.exchange, first.symbol, first.timeframe, columns)

    def _check(self) -> None:
        for name in COLUMNS:
            if len(getattr(self, name)) != len(self.ts):
                raise BadInput(f"column {name}", len(getattr(self, name)), f"not {len(self.ts)} rows long like ts")
        if len(self.ts) and (bad := np.flatnonzero(np.diff(self.ts) <= 0)).size:
            raise BadInput(f"ts[{bad[0] + 1}]", int(self.ts[bad[0] + 1]), "not later than the row before")
        if self.timeframe.regular and len(self.ts):
            step, anchor = self.timeframe.micros, self.timeframe.floor(0)
            if (bad := np.flatnonzero((self.ts - anchor) % step)).size:
                raise BadInput(f"ts[{bad[0]}]", int(self.ts[bad[0]]), f"not on the {self.timeframe} grid")

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def close_ts(self) -> Ints:
        """When each candle became known (int64 micros)."""
        if self.timeframe.regular:
            return self.ts + self.timeframe.micros
        return np.fromiter((self.timeframe.next(int(t)) for t in self.ts), np.int64, len(self.ts))

    def rows(self, start: int, stop: int) -> CandleFrame:
        """Rows [start, stop) as views of the same memory; the frame itself when these are all."""
        if start <= 0 and stop >= len(self):
            return self
        part = {name: getattr(self, name)[start:stop] for name in COLUMNS}
        return dataclasses.replace(self, **part)

    def tail(self, n: int) -> CandleFrame:
        return self.rows(max(0, len(self) - n), len(self))

    def between(self, start_ts: Micros | None, end_ts: Micros | None) -> CandleFrame:
        """Candles that open in [start_ts, end_ts); None is unbounded."""
        a = 0 if start_ts is None else int(np.searchsorted(self.ts, start_ts))
        b = len(self) if end_ts is None else int(np.searchsorted(self.ts, end_ts))
        return self.rows(a, b)

    def candle(self, i: int) -> Candle:
        i = range(len(self))[i]
        ts = int(self.ts[i])
        return Candle(
            exchange=self.exchange,
            symbol=self.symbol,
            timeframe=str(self.timeframe),
            open_ts=ts,
            close_ts=self.timeframe.next(ts),
            open=float(self.open[i]),
            high=float(self.high[i]),
            low=float(self.low[i]),
            close=float(self.close[i]),
            volume=float(self.volume[i]),
            turnover=float(self.turnover[i]),
            origin=Origin(int(self.origin[i])),
        )

    def gaps(self) -> list[tuple[Micros, Micros]]:
        """The holes inside the frame as [start, end) of missing grid steps."""
        if len(self) < 2:
            return []
        ends = self.close_ts[:-1]
        holes = np.flatnonzero(self.ts[1:] > ends)
        return [(int(ends[i]), int(self.ts[i + 1])) for i in holes]


def concat(frames: Iterable[CandleFrame]) -> CandleFrame:
    """One frame of several consecutive ones of the same series (at least one)."""
    parts = list(frames)
    columns: dict[str, object] = {name: np.concatenate([getattr(f, name) for f in parts]) for name in COLUMNS}
    return CandleFrame.of(parts[0].exchange, parts[0].symbol, parts[0].timeframe, columns)


def bucket_starts(ts: Ints, timeframe: Timeframe) -> Ints:
    """The open time of the `timeframe` candle that holds each time (both int64 micros)."""
    if timeframe.regular:
        anchor = timeframe.floor(0)
        return ts - (ts - anchor) % timeframe.micros
    days, inverse = np.unique(ts // 86_400_000_000, return_inverse=True)
    opens = np.fromiter((timeframe.floor(int(d) * 86_400_000_000) for d in days), np.int64, len(days))
    return opens[inverse]


def resample(frame: CandleFrame, timeframe: str | Timeframe) -> CandleFrame:
    """The candles of a longer timeframe: first open, highest high, lowest low, last close, summed volume.

    A bucket exists when at least one shorter candle lies in it; it is synthetic, or else foreign, when any of them is.
    The last bucket is included even when it is not complete: callers who must not see it cut it by `close_ts`. Raises
    BadInput for a target that is not made of whole candles of the frame.
    """
    target = Timeframe.parse(timeframe)
    if target == frame.timeframe:
        return frame
    if not frame.timeframe.divides(target):
        problem = f"not made of whole candles of {frame.timeframe}, the timeframe of the data"
        raise BadInput("timeframe", str(target), problem)
    if not len(frame):
        return CandleFrame.empty(frame.exchange, frame.symbol, target)
    buckets = bucket_starts(frame.ts, target)
    begins = np.concatenate(([True], buckets[1:] != buckets[:-1]))
    first, which = np.flatnonzero(begins), np.cumsum(begins) - 1
    last = np.concatenate((first[1:], [len(frame)])) - 1
    columns: dict[str, object] = {
        "ts": buckets[first],
        "open": frame.open[first],
        "high": np.maximum.reduceat(frame.high, first),
        "low": np.minimum.reduceat(frame.low, first),
        "close": frame.close[last],
        # one after the other, as SQL adds in the order of time; reduceat adds in pairs and ends on another last bit
        "volume": np.bincount(which, weights=frame.volume),
        "turnover": np.bincount(which, weights=frame.turnover),
        "origin": _origins(frame.origin, first),
    }
    return CandleFrame.of(frame.exchange, frame.symbol, target, columns)


def _origins(source: NDArray[np.uint8], first: Ints) -> NDArray[np.uint8]:
    invented = np.maximum.reduceat(source == Origin.SYNTHETIC, first)
    foreign = np.maximum.reduceat(source == Origin.FOREIGN, first)
    return np.where(invented, Origin.SYNTHETIC, np.where(foreign, Origin.FOREIGN, Origin.BUILT)).astype(np.uint8)
