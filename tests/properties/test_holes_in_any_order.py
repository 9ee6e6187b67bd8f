"""Outages, late trades, kills and repairs in any order end in the same trades and candles, and in rows of holes that
are apart and closed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from onetape.domain.errors import Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Gap, Origin, Print, RawFrame, Received, candle_channel
from onetape.domain.units import HOUR, SECOND, Micros, Timeframe
from onetape.marketdata.aggregator import CandleBuilder
from onetape.marketdata.fetching import Fetching, Lengths
from onetape.marketdata.mending import Mending
from onetape.marketdata.repair import Repairs, Served
from onetape.marketdata.trades import LATE
from onetape.ports import PastTrades
from onetape.storage.memory import MemoryCandleStore

M1, S30 = Timeframe.parse("1m"), Timeframe.parse("30s")
SYMBOL = "BTC-USD"
START = HOUR - 300 * SECOND  # a full hour, where the repair begins a new piece, lies inside
LENGTH = 600  # seconds
END = START + LENGTH * SECOND
Span = tuple[Micros, Micros]


def candles(trades: Iterable[Print], timeframe: Timeframe, start: Micros, end: Micros) -> list[Candle]:
    builder = CandleBuilder("okx", SYMBOL, timeframe)
    inside = [trade for trade in trades if start <= trade.ts < end]
    return [c for c in (*(builder.add(trade) for trade in inside), builder.advance(end)) if c]


class Venue:
    """Tells all of its past, in pages of five; `cut` > 0: the line breaks after so many of them."""

    exchange, timeframes = "okx", frozenset(("1m",))
    past = PastTrades(kept=None, page=5, per_second=10.0)

    def __init__(self, trades: list[Print]) -> None:
        self.trades, self.cut = trades, 0

    async def now(self) -> Micros:
        return 10**15

    async def past_trades(self, symbol: str, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        inside = [trade for trade in self.trades if start_ts <= trade.ts < end_ts]
        for n, page in enumerate(_pages(inside), 1):
            await asyncio.sleep(0)
            data = json.dumps([trade.id for trade in page]).encode()
            yield Received(RawFrame("okx", symbol, "trades_rest", page[-1].ts, 1, n, data), tuple(page))
            if n == self.cut:
                raise Transient("the line was cut.")

    async def history(
        self, _: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[CandleFrame]:
        await asyncio.sleep(0)
        if found := candles(self.trades, timeframe, start_ts, end_ts):
            yield CandleFrame.from_candles(found)


def _pages(trades: list[Print]) -> list[tuple[Print, ...]]:
    return [tuple(trades[i : i + 5]) for i in range(0, len(trades), 5)]


class World:
    """`store` and `ids` outlive every process; `work` and `mend` belong to the one that runs."""

    def __init__(self, trades: list[Print], outages: list[Span]) -> None:
        self.venue, self.store = Venue(trades), MemoryCandleStore()
        self.ids = {t.id for t in trades if not any(a <= t.ts < b for a, b in outages)}
        self.start_again()

    def start_again(self) -> None:
        venue: Any = self.venue
        fetching = Fetching(venue, self.store, self._keep, self._settled, self._rate)
        served = Served(lambda: (SYMBOL,), lambda _: Lengths((S30,), (M1,)), newest=lambda _: 10**15)
        self.repairs = Repairs(venue, self.store, fetching, served)
        self.mending = Mending(venue, self.store, lambda: ((SYMBOL, "1m"), (SYMBOL, "30s")), self.repairs.soon)

    async def stream(self, outages: list[Span]) -> None:
        """What was received and stored before: candles on which no outage lies."""
        for timeframe in (M1, S30):
            whole = [
                candle
                for candle in candles(self.venue.trades, timeframe, START, END)
                if not any(a < candle.close_ts and b > candle.open_ts for a, b in outages)
            ]
            if whole:
                await self.store.append(CandleFrame.from_candles(whole))

    async def note(self, span: Span, cause: str) -> None:
        wide = [(candle_channel(each), each.floor(span[0]), each.next(span[1] - 1)) for each in (M1, S30)]
        await self.store.add_gaps([Gap("okx", SYMBOL, *hole, cause) for hole in (("trades", *span), *wide)])

    async def kill(self, steps: int) -> None:
        """In the middle of its work."""
        tasks = [asyncio.create_task(self.repairs.work()), asyncio.create_task(self.mending.work())]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.start_again()

    async def cut(self, pages: int) -> None:
        self.venue.cut = pages
        await self.repairs.work()
        self.venue.cut = 0

    async def finish(self) -> None:
        for _ in range(60):
            await self.repairs.work()
            await self.mending.work()
            if not await self.store.gaps("okx", None, None):
                return

    async def _keep(self, frame: RawFrame) -> None:
        self.ids |= set(json.loads(frame.data))

    async def _settled(self) -> None: ...

    async def _rate(self, _: str) -> float:
        return 1.0


SECONDS = st.integers(0, LENGTH - 1)
STEPS = st.lists(
    st.one_of(
        st.just(("work", 0)),
        st.just(("mend", 0)),
        st.just(("outage", 0)),
        st.tuples(st.just("late"), SECONDS),
        st.tuples(st.just("kill"), st.integers(0, 12)),
        st.tuples(st.just("cut"), st.integers(1, 4)),
    ),
    max_size=12,
)


async def outcome(at: list[int], outages: list[Span], steps: list[tuple[str, int]]) -> World:
    trades = [Print("okx", SYMBOL, str(i), START + s * SECOND, 1.0 + i, 1.0, 1) for i, s in enumerate(sorted(at))]
    world, unknown = World(trades, outages), list(outages)
    await world.stream(outages)
    for step, number in steps:
        if step == "work":
            await world.repairs.work()
        elif step == "mend":
            await world.mending.work()
        elif step == "kill":
            await world.kill(number)
        elif step == "cut":
            await world.cut(number)
        elif step == "late":
            await world.note((START + number * SECOND, START + number * SECOND + 1), LATE)
        elif unknown:
            await world.note(unknown.pop(), "the line was cut")
    for outage in unknown:
        await world.note(outage, "the program was not running")
    await world.finish()
    return world


@given(
    at=st.lists(SECONDS, min_size=1, max_size=120) | st.just(list(range(0, LENGTH, 4))),
    spans=st.lists(st.tuples(SECONDS, st.integers(1, 300)), min_size=1, max_size=4),
    steps=STEPS,
)
@example(at=list(range(0, LENGTH, 4)), spans=[(61, 300)], steps=[("late", 390), ("cut", 1)])
@settings(max_examples=120, deadline=None)
def test_holes_end_closed_and_apart_and_nothing_is_missing(
    at: list[int], spans: list[tuple[int, int]], steps: list[tuple[str, int]]
) -> None:
    outages = [(START + s * SECOND, min(START + (s + length) * SECOND, END)) for s, length in spans]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("onetape.marketdata.turns._FIRST", 0.0)
        world = asyncio.run(outcome(at, outages, steps))
    assert world.ids == {trade.id for trade in world.venue.trades}
    for timeframe in (M1, S30):
        stored = asyncio.run(world.store.load("okx", SYMBOL, timeframe, None, None))
        wanted = CandleFrame.from_candles(candles(world.venue.trades, timeframe, START, END))
        for name in ("ts", "open", "high", "low", "close", "volume"):
            assert getattr(stored, name).tolist() == getattr(wanted, name).tolist(), name
        assert Origin.SYNTHETIC not in stored.origin
    rows = sorted((gap.channel, row.start_ts, row.end_ts, row.how) for gap, row in world.store.holes())
    assert all(how for *_, how in rows)
    assert all(a[0] != b[0] or a[2] <= b[1] for a, b in itertools.pairwise(rows))
