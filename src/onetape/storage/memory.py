"""A candle store without a database: for tests, and for a backtest of one file. Passes the suite of the real one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onetape.domain.frame import COLUMNS, PRICES, CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import Gap
from onetape.domain.units import Micros, Timeframe
from onetape.ports import Appended, Coverage

Series = tuple[str, str, str]


class MemoryCandleStore:
    """Fulfils ports.CandleStore."""

    def __init__(self) -> None:
        self._frames: dict[Series, CandleFrame] = {}
        self._gaps: dict[Gap, None] = {}
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
        differs |= turnover != columns["turnover"][at]
        rows, at, turnover = rows[differs], at[differs], turnover[differs]
        for name in COLUMNS[1:]:
            columns[name][at] = turnover if name == "turnover" else getattr(new, name)[rows]
        for name in COLUMNS:
            columns[name] = np.concatenate((columns[name], getattr(new, name)[~known]))
        order = np.argsort(columns["ts"], kind="stable")
        self._frames[series] = CandleFrame.of(*series, {name: column[order] for name, column in columns.items()})
        self._close_gaps(series)
        return Appended(len(frame), int((~known).sum()), len(rows))

    def _close_gaps(self, series: Series) -> None:
        frame, (exchange, symbol, timeframe) = self._frames[series], series
        for gap in list(self._gaps):
            if (gap.exchange, gap.symbol, gap.channel) == (exchange, symbol, f"candles:{timeframe}"):
                wanted = -(-(gap.end_ts - gap.start_ts) // frame.timeframe.micros)
                if len(frame.between(gap.start_ts, gap.end_ts)) >= wanted:
                    del self._gaps[gap]

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
        before = len(self._gaps)
        self._gaps |= dict.fromkeys(gaps)
        return len(self._gaps) - before

    async def gaps(self, exchange: str, symbol: str, channel: str) -> list[Gap]:
        found = [g for g in self._gaps if (g.exchange, g.symbol, g.channel) == (exchange, symbol, channel)]
        return sorted(found, key=lambda g: (g.start_ts, g.end_ts))

    async def instruments(self) -> list[Instrument]:
        return [self._instruments[name] for name in sorted(self._instruments)]

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None:
        self._instruments |= {i.id: i for i in instruments}
