"""A candle store without a database: for tests, and for a backtest of one file. Passes the suite of the real one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from onetape.domain.frame import COLUMNS, PRICES, CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import CLOSED_BY, NONE_THERE, Gap, Origin
from onetape.domain.units import Micros, Timeframe
from onetape.ports import Appended, Correction, Coverage

SeriesKey = tuple[str, str, str]
_WEAK: Final = (NONE_THERE, CLOSED_BY[Origin.FOREIGN])  # may still become "taken from" an exchange


class MemoryCandleStore:
    """Fulfils ports.CandleStore."""

    def __init__(self) -> None:
        self._frames: dict[SeriesKey, CandleFrame] = {}
        self._gaps: dict[Gap, str] = {}  # how it was closed, "" while open
        self._corrections: list[Correction] = []
        self._instruments: dict[str, Instrument] = {}

    async def append(self, frame: CandleFrame) -> Appended:
        if not len(frame):
            return Appended(0, 0, 0)
        series = (frame.exchange, frame.symbol, str(frame.timeframe))
        stored = self._frames.get(series, frame.rows(0, 0))
        place = np.searchsorted(stored.ts, frame.ts)
        known = np.zeros(len(frame), np.bool_)
        inside = place < len(stored)
        known[inside] = stored.ts[place[inside]] == frame.ts[inside]
        old, new = stored.rows(0, len(stored)), frame
        columns = {name: getattr(old, name).copy() for name in COLUMNS}
        rows, at = np.flatnonzero(known), place[known]
        differs = np.zeros(len(rows), np.bool_)
        for name in (*PRICES, "volume"):
            differs |= getattr(new, name)[rows] != columns[name][at]
        turnover = np.where(new.turnover[rows] != 0, new.turnover[rows], columns["turnover"][at])
        corrected = differs.copy()
        differs |= turnover != columns["turnover"][at]
        theirs, ours = columns["origin"][at], new.origin[rows]
        made = (Origin.BUILT, Origin.SYNTHETIC, Origin.FOREIGN)
        differs |= np.isin(theirs, made) & (theirs != ours)
        better = (theirs == Origin.SYNTHETIC) | ((theirs == Origin.FOREIGN) & (ours != Origin.SYNTHETIC))
        differs &= ~np.isin(ours, made) | better | ((theirs == ours) & (ours == Origin.BUILT))
        rows, at, turnover, corrected = rows[differs], at[differs], turnover[differs], corrected[differs]
        for i, j in zip(rows[corrected].tolist(), at[corrected].tolist(), strict=True):
            self._correct(old, j, new, i)
        for name in COLUMNS[1:]:
            columns[name][at] = turnover if name == "turnover" else getattr(new, name)[rows]
        for name in COLUMNS:
            columns[name] = np.concatenate((columns[name], getattr(new, name)[~known]))
        order = np.argsort(columns["ts"], kind="stable")
        self._frames[series] = CandleFrame.of(*series, {name: column[order] for name, column in columns.items()})
        self._close_gaps(series, CLOSED_BY[Origin(int(np.bincount(frame.origin).argmax()))])
        return Appended(len(frame), int((~known).sum()), len(rows))

    def _correct(self, old: CandleFrame, j: int, new: CandleFrame, i: int) -> None:
        before, after = ([float(getattr(f, n)[k]) for n in COLUMNS[1:-1]] for f, k in ((old, j), (new, i)))
        self._corrections.append(
            Correction(
                exchange=old.exchange,
                symbol=old.symbol,
                timeframe=str(old.timeframe),
                open_ts=int(old.ts[j]),
                before=before,
                after=[*after[:-1], after[-1] or before[-1]],
                origin_before=Origin(int(old.origin[j])),
                origin_after=Origin(int(new.origin[i])),
            )
        )

    async def corrections(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> list[Correction]:
        series = (exchange, symbol, str(timeframe))
        return [
            one
            for one in sorted(self._corrections, key=lambda one: one.open_ts)
            if (one.exchange, one.symbol, one.timeframe) == series and start_ts <= one.open_ts < end_ts
        ]

    async def rolled(
        self,
        market: tuple[str, str],  # noqa: ARG002
        timeframe: Timeframe,  # noqa: ARG002
        start_ts: Micros | None,  # noqa: ARG002
        end_ts: Micros | None,  # noqa: ARG002
        last: int | None = None,  # noqa: ARG002
    ) -> CandleFrame | None:
        return None  # in memory a fresh aggregation costs nothing

    def _close_gaps(self, series: SeriesKey, how: str) -> None:
        frame, (exchange, symbol, timeframe) = self._frames[series], series
        known = {
            gap: closed
            for gap, closed in self._gaps.items()
            if closed in ("", NONE_THERE)
            and (gap.exchange, gap.symbol, gap.channel) == (exchange, symbol, f"candles:{timeframe}")
        }
        absent = {ts for gap, closed in known.items() if closed for ts in _opens(frame.timeframe, gap)}
        for gap, closed in known.items():
            there = set(frame.between(gap.start_ts, gap.end_ts).ts.tolist()) | (set() if closed else absent)
            if how != closed and there.issuperset(_opens(frame.timeframe, gap)):
                self._gaps[gap] = how

    async def load(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros | None, end_ts: Micros | None
    ) -> CandleFrame:
        stored = self._frames.get((exchange, symbol, str(timeframe)))
        return stored.between(start_ts, end_ts) if stored else CandleFrame.empty(exchange, symbol, timeframe)

    async def tail(
        self, exchange: str, symbol: str, timeframe: Timeframe, n: int, before_ts: Micros | None = None
    ) -> CandleFrame:
        return (await self.load(exchange, symbol, timeframe, None, before_ts)).tail(n)

    async def coverage(self, exchange: str | None = None, symbol: str | None = None) -> list[Coverage]:
        return [
            Coverage(
                exchange=series[0],
                symbol=series[1],
                timeframe=series[2],
                first_ts=int(frame.ts[0]),
                last_ts=int(frame.ts[-1]),
                rows=len(frame),
                gaps=len(await self.gaps(series[0], series[1], f"candles:{series[2]}")),
            )
            for series, frame in sorted(self._frames.items())
            if exchange in (None, series[0]) and symbol in (None, series[1])
        ]

    async def add_gaps(self, gaps: Sequence[Gap]) -> int:
        known = {(g.exchange, g.symbol, g.channel, g.start_ts, g.end_ts) for g in self._gaps}
        new = [g for g in dict.fromkeys(gaps) if (g.exchange, g.symbol, g.channel, g.start_ts, g.end_ts) not in known]
        self._gaps |= dict.fromkeys(new, "")
        return len(new)

    async def close_gaps(self, gaps: Sequence[Gap], how: str) -> int:
        await self.add_gaps(gaps)
        spans = {(g.exchange, g.symbol, g.channel, g.start_ts, g.end_ts) for g in gaps}
        closing = [
            gap
            for gap, closed in self._gaps.items()
            if (gap.exchange, gap.symbol, gap.channel, gap.start_ts, gap.end_ts) in spans
            and (not closed or (closed in _WEAK and how.startswith("taken from ")))
        ]
        self._gaps |= dict.fromkeys(closing, how)
        for series in self._frames:
            self._close_gaps(series, how)
        return len(closing)

    async def gaps(self, exchange: str, symbol: str | None, channel: str | None) -> list[Gap]:
        found = [g for g, how in self._gaps.items() if not how and g.exchange == exchange]
        found = [g for g in found if symbol in (None, g.symbol) and channel in (None, g.channel)]
        return sorted(found, key=lambda g: (g.start_ts, g.end_ts))

    async def absent(self, exchange: str, symbol: str, channel: str) -> list[Gap]:
        return self._of((exchange, symbol, channel), NONE_THERE)

    def _of(self, series: SeriesKey, closed: str) -> list[Gap]:
        found = [g for g, how in self._gaps.items() if how == closed and (g.exchange, g.symbol, g.channel) == series]
        return sorted(found, key=lambda g: (g.start_ts, g.end_ts))

    async def instruments(self) -> list[Instrument]:
        return [self._instruments[name] for name in sorted(self._instruments)]

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        self._instruments |= {i.id: i for i in instruments}


def _opens(timeframe: Timeframe, gap: Gap) -> list[Micros]:
    """The open times of the candles that open in a gap."""
    ts = timeframe.floor(gap.start_ts)
    found = []
    while ts < gap.end_ts:
        found += [ts] if ts >= gap.start_ts else []
        ts = timeframe.next(ts)
    return found
