"""Whatever is appended, archived, restored and dropped, in whatever order: everything is read as if it had never moved,
the catalogue says what there is, and longer candles equal a fresh aggregation."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape.archive.candles import ArchivedCandleStore
from onetape.archive.folder import Files
from onetape.archive.frames import ArchivedRawStore
from onetape.archive.moving import archive, restore
from onetape.clock import RealClock
from onetape.domain.frame import COLUMNS, CandleFrame, resample
from onetape.domain.market import RawFrame
from onetape.domain.parts import CANDLES, RAW, Which
from onetape.domain.units import DAY, HOUR, MINUTE, Micros, Timeframe, parse_time
from onetape.marketdata import reading
from onetape.storage import rollups
from onetape.storage.candles import PgCandleStore
from onetape.storage.raw import PgRawStore
from onetape.storage.shelf import PgShelf

M1 = Timeframe(1, "m")
MARKET = ("okx", "BTC-USDT")
NUMBERS = COLUMNS[1:-1]
YEAR_END = parse_time("2023-12-30T22:17")  # within the span a month, a year and a week end


async def move(shelf: PgShelf, files: Files, which: Which, r: random.Random) -> None:
    """Something is archived, brought back, or dropped."""
    what = r.random()
    if what < 0.5:
        await archive(shelf, files, which, lambda _: None)
    elif what < 0.75 and (entries := await shelf.entries(Which())):
        await restore(shelf, files, r.choice(entries), lambda _: None)
    else:
        await shelf.drop_empty()


class Candles:
    """What is stored, and what should be."""

    def __init__(self, store: ArchivedCandleStore, r: random.Random) -> None:
        self.store, self.random = store, r
        self.told: dict[Micros, list[float]] = {}

    def some(self) -> dict[Micros, list[float]]:
        """New ones with holes, changed ones, or some that are known already."""
        r = self.random
        if self.told and r.random() < 0.3:
            known = sorted(self.told)
            start = r.randrange(len(known))
            return {ts: self.told[ts] for ts in known[start : start + r.randrange(1, 50)]}
        first, length = r.randrange(60 * 1_440), r.choice([1, 3, 100, 1_500])
        found = {}
        for i in range(first, first + length):
            if length < 10 or r.random() < 0.8:
                close = r.uniform(90, 110)
                found[YEAR_END + i * MINUTE] = [close, close + 1, close - 1, close, r.uniform(0, 3), r.uniform(1, 2)]
        return found

    async def append(self) -> None:
        rows = self.some()
        columns: dict[str, object] = {"ts": list(rows)}
        columns |= dict(zip(NUMBERS, zip(*rows.values(), strict=True), strict=True))
        done = await self.store.append(CandleFrame.of(*MARKET, M1, columns))
        assert done.new == len(rows.keys() - self.told.keys())
        self.told |= rows

    async def check(self) -> None:
        if not self.told:
            return
        times = sorted(self.told)
        frame = await self.store.load(*MARKET, M1, None, None)
        assert frame.ts.tolist() == times
        np.testing.assert_array_equal(
            [getattr(frame, name) for name in NUMBERS], np.transpose([self.told[ts] for ts in times])
        )
        (known,) = await self.store.coverage()
        assert (known.first_ts, known.last_ts, known.rows) == (times[0], times[-1], len(times))
        n, before = self.random.randrange(1, 3_000), self.random.choice(times)
        tail = await self.store.tail(*MARKET, M1, n, before)
        assert tail.ts.tolist() == [ts for ts in times if ts < before][-n:]
        for timeframe in rollups.TARGETS:
            fresh = reading.closed(resample(frame, timeframe), int(frame.close_ts[-1]))
            ready = await self.store.rolled(MARKET, timeframe, None, None)
            assert ready is not None
            for name in COLUMNS:
                np.testing.assert_array_equal(getattr(ready, name), getattr(fresh, name), err_msg=f"{timeframe} {name}")


@pytest.mark.parametrize("seed", range(3))
async def test_candles_are_what_was_told_wherever_they_are(pool: Any, tmp_path: Path, seed: int) -> None:
    r, shelf, files = random.Random(seed), PgShelf(pool), Files(tmp_path)
    candles = Candles(ArchivedCandleStore(PgCandleStore(pool), shelf, files, RealClock()), r)
    for _ in range(25):
        if r.random() < 0.6:
            await candles.append()
        else:
            await move(shelf, files, Which(kind=CANDLES, before_ts=YEAR_END + r.randrange(70) * DAY), r)
        await candles.check()


class Messages:
    """What is stored, and what should be."""

    def __init__(self, pool: Any, store: ArchivedRawStore, r: random.Random) -> None:
        self.pool, self.store, self.random = pool, store, r
        self.told: dict[tuple[Any, ...], RawFrame] = {}

    def some(self) -> RawFrame:
        """Equal times and numbers are frequent, and receipts are not in the order of the venue's times."""
        r = self.random
        if self.told and r.random() < 0.2:
            return r.choice(list(self.told.values()))
        ts = YEAR_END + r.randrange(12 * 24) * HOUR + r.randrange(3)
        channel, received = r.choice(["trades", "book"]), ts + r.randrange(-2, 5) * HOUR
        frame = RawFrame(*MARKET, channel, ts, received, r.randrange(4), b'{"a":%d}' % r.randrange(9))
        return self.told.setdefault((frame.channel, ts, frame.seq, received), frame)

    async def append(self) -> None:
        await self.store.append([self.some() for _ in range(self.random.choice([1, 5, 40]))])

    async def check(self) -> None:
        start = YEAR_END + self.random.randrange(12 * 24) * HOUR
        end = start + self.random.randrange(1, 200) * HOUR
        read = [f async for page in self.store.read(*MARKET, ("trades", "book"), start, end) for f in page]
        assert sorted(map(repr, read)) == sorted(repr(f) for f in self.told.values() if start <= f.ts < end)
        order = [(f.recv_ts, f.seq) for f in read]
        assert order == sorted(order)
        for channel in ("trades", "book"):
            mine = sorted(
                (f for f in self.told.values() if f.channel == channel), key=lambda f: (f.ts, f.seq, f.recv_ts)
            )
            n = self.random.randrange(1, 30)
            assert await self.store.tail(*MARKET, channel, n) == mine[-n:]
            known = await self.pool.fetchrow("SELECT * FROM raw_coverage WHERE channel = $1", channel)
            expected = (mine[0].ts, mine[-1].ts, len(mine)) if mine else None
            assert expected == (known and (known["first_ts"], known["last_ts"], known["rows"]))


@pytest.mark.parametrize("seed", range(3))
async def test_messages_are_what_was_told_wherever_they_are(pool: Any, tmp_path: Path, seed: int) -> None:
    r, shelf, files = random.Random(seed), PgShelf(pool), Files(tmp_path)
    store = ArchivedRawStore(PgRawStore(pool), shelf, files, RealClock(), fresh_seconds=0)
    messages = Messages(pool, store, r)
    for _ in range(30):
        if r.random() < 0.6:
            await messages.append()
        else:
            channel, before = r.choice([None, "trades"]), YEAR_END + r.randrange(14) * DAY
            await move(shelf, files, Which(kind=RAW, channel=channel, before_ts=before), r)
        await messages.check()
