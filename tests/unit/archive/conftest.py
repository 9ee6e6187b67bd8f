"""Candle files written by hand, and a store in memory."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from onetape.domain.frame import COLUMNS, CandleFrame
from onetape.domain.market import Gap
from onetape.domain.units import Timeframe
from onetape.ports import Appended, Coverage

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(name, *lines)`: a file of these lines; packed when the name ends in .gz."""

    def put(name: str, *lines: str, end: str = "\n") -> Path:
        path = tmp_path / name
        text = (end.join(lines) + end).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    return put


class MemoryCandles:
    """A CandleStore in a dict: enough of one to see what an import leaves behind."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], dict[int, tuple[float, ...]]] = {}
        self.holes: dict[tuple[str, str, str, int, int], Gap] = {}

    async def append(self, frame: CandleFrame) -> Appended:
        series = self.rows.setdefault((frame.exchange, frame.symbol, str(frame.timeframe)), {})
        new = changed = 0
        for row in zip(*(getattr(frame, name).tolist() for name in COLUMNS), strict=True):
            old = series.get(row[0])
            new, changed = new + (old is None), changed + (old is not None and old != row)
            series[row[0]] = row
        return Appended(len(frame), new, changed)

    async def load(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: int | None, end_ts: int | None
    ) -> CandleFrame:
        rows = sorted(self.rows.get((exchange, symbol, str(timeframe)), {}).values())
        columns: dict[str, object] = {name: np.array([row[i] for row in rows]) for i, name in enumerate(COLUMNS)}
        return CandleFrame.of(exchange, symbol, timeframe, columns).between(start_ts, end_ts)

    async def coverage(self, exchange: str | None = None, symbol: str | None = None) -> list[Coverage]:
        return [
            Coverage(
                exchange=key[0],
                symbol=key[1],
                timeframe=key[2],
                first_ts=min(rows),
                last_ts=max(rows),
                rows=len(rows),
                gaps=sum(hole[:2] == key[:2] for hole in self.holes),
            )
            for key, rows in sorted(self.rows.items())
            if exchange in (None, key[0]) and symbol in (None, key[1])
        ]

    async def add_gaps(self, gaps: Sequence[Gap]) -> int:
        before = len(self.holes)
        self.holes |= {(g.exchange, g.symbol, g.channel, g.start_ts, g.end_ts): g for g in gaps}
        return len(self.holes) - before


@pytest.fixture
def store() -> MemoryCandles:
    return MemoryCandles()
