"""A candle store without a database: for tests, and for a backtest of one file. Passes the suite of the real one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from onetape.domain.frame import COLUMNS, PRICES, CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import CLOSED_BY, NONE_THERE, Corrected, Gap, Origin, candle_channel
from onetape.domain.units import Micros, Timeframe
from onetape.ports import Appended, Correction, Coverage
from onetape.storage import holes
from onetape.storage.holes import Row

SeriesKey = tuple[str, str, str]


class MemoryCandleStore:
    """Fulfils ports.CandleStore. `told` hears of the past that has changed."""

    def __init__(self, told: Callable[[Corrected], None] = lambda _: None) -> None:
        self._told = told
        self._frames: dict[SeriesKey, CandleFrame] = {}
        self._holes: dict[SeriesKey, list[Row]] = {}  # by channel
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
        self._filled(series, frame)
        later = len(stored) and stored.ts[-1] > frame.ts[-1]
        if len(rows) or (later and not known.all()):
            self._told(Corrected(*series, int(frame.ts[0]), int(frame.close_ts[-1])))
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

    def _filled(self, series: SeriesKey, frame: CandleFrame) -> None:
        channel, parts = (*series[:2], candle_channel(series[2])), holes.parts_of(frame)
        after: list[Row] = []
        for row in self._holes.get(channel, ()):
            cuttable = not row.how or row.how == NONE_THERE
            after += holes.cut(row, parts, 0, frame.timeframe) if cuttable else [row]
        self._holes[channel] = holes.joined(after)
        self._whole(channel, frame.timeframe)

    def _whole(self, channel: SeriesKey, timeframe: Timeframe) -> None:
        """Closes the open ones all of whose candles were stored before."""
        stored = self._frames.get((*channel[:2], str(timeframe)))
        after: list[Row] = []
        for row in self._holes.get(channel, ()):
            inside = stored.between(row.start_ts, row.end_ts) if stored else None
            there = set(inside.ts.tolist()) if inside else set()
            if not row.how and there.issuperset(_opens(timeframe, row)):
                how = CLOSED_BY[Origin(int(np.bincount(inside.origin).argmax()) if inside else 0)]
                after += holes.cut(row, [(row.start_ts, row.end_ts, how)], 0)
            else:
                after.append(row)
        self._holes[channel] = holes.joined(after)

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
        given: dict[SeriesKey, list[Row]] = {}
        for gap in gaps:
            given.setdefault((gap.exchange, gap.symbol, gap.channel), []).append(
                Row(gap.start_ts, gap.end_ts, gap.cause)
            )
        count = 0
        for channel, rows in given.items():
            new = holes.added(self._holes.get(channel, ()), rows)
            self._holes[channel] = holes.joined([*self._holes.get(channel, ()), *new])
            count += len(new)
        return count

    async def close_gaps(self, gaps: Sequence[Gap], how: str) -> int:
        count = 0
        for gap in dict.fromkeys(gaps):
            channel = (gap.exchange, gap.symbol, gap.channel)
            rows = sorted(self._holes.get(channel, ()), key=lambda row: row.start_ts)
            after = holes.closed(rows, gap.cause, (gap.start_ts, gap.end_ts, how), 0)
            count += after != rows
            self._holes[channel] = after
            if (text := gap.channel.removeprefix(candle_channel(""))) != gap.channel:
                self._whole(channel, Timeframe.parse(text))
        return count

    async def expect(self, gap: Gap, seconds: float) -> None:
        rows = self._holes.get((gap.exchange, gap.symbol, gap.channel), [])
        for i, row in enumerate(rows):
            if (row.start_ts, row.end_ts, row.how) == (gap.start_ts, gap.end_ts, ""):
                rows[i] = dataclasses.replace(row, seconds_left=seconds)

    async def gaps(self, exchange: str, symbol: str | None, channel: str | None) -> list[Gap]:
        found = [g for g, row in self.holes() if not row.how and g.exchange == exchange]
        found = [g for g in found if symbol in (None, g.symbol) and channel in (None, g.channel)]
        return sorted(found, key=lambda g: (g.start_ts, g.end_ts))

    async def absent(self, exchange: str, symbol: str, channel: str) -> list[Gap]:
        found = [
            gap
            for gap, row in self.holes()
            if row.how == NONE_THERE and (gap.exchange, gap.symbol, gap.channel) == (exchange, symbol, channel)
        ]
        return sorted(found, key=lambda g: (g.start_ts, g.end_ts))

    def holes(self) -> list[tuple[Gap, Row]]:
        """Every hole, open or closed, with its row."""
        return [
            (Gap(*channel, row.start_ts, row.end_ts, row.cause), row)
            for channel, rows in self._holes.items()
            for row in rows
        ]

    async def instruments(self) -> list[Instrument]:
        return [self._instruments[name] for name in sorted(self._instruments)]

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        self._instruments |= {i.id: i for i in instruments}


def _opens(timeframe: Timeframe, gap: Row) -> list[Micros]:
    """The open times of the candles that open in a gap."""
    ts = timeframe.floor(gap.start_ts)
    found = []
    while ts < gap.end_ts:
        found += [ts] if ts >= gap.start_ts else []
        ts = timeframe.next(ts)
    return found
