"""Candles that are judged later than they came, on a store in memory and given trades."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from onetape.domain.errors import Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Origin, Print
from onetape.domain.units import HOUR, MINUTE, Micros, Timeframe
from onetape.marketdata.rejudging import Rejudging
from onetape.ports import Verdict
from onetape.storage.memory import MemoryCandleStore

SYMBOL = "A-B"
M1, SERIES = Timeframe.parse("1m"), ("A-B", "1m")
Span = tuple[Micros, Micros]


def candle(minute: int, volume: float = 2.0, origin: Origin = Origin.VENUE) -> Candle:
    ts = minute * MINUTE
    return Candle("okx", SYMBOL, "1m", ts, ts + MINUTE, 10.0, 11.0, 10.0, 11.0, volume, 0.0, origin)


def trades(minute: int) -> list[Print]:
    """The two that make the candle of that minute."""
    ts = minute * MINUTE
    return [Print("okx", SYMBOL, f"{ts + i}", ts + i * 1_000, 10.0 + i, 1.0, 1) for i in (0, 1)]


class Tape:
    def __init__(self, minutes: Sequence[int]) -> None:
        self.prints = [trade for minute in minutes for trade in trades(minute)]
        self.holes: list[Span] = []
        self.read_spans: list[Span] = []
        self.problem: Exception | None = None

    async def unknown(self, symbol: str, channel: str, span: Span) -> list[Span]:
        return self.holes

    async def read(self, symbol: str, channel: str, span: Span) -> AsyncIterator[Sequence[Print]]:
        self.read_spans.append((span[0] // MINUTE, span[1] // MINUTE))
        if self.problem is not None:
            raise self.problem
        for trade in self.prints:
            if span[0] <= trade.ts < span[1]:
                yield [trade]


class Audits:
    def __init__(self, open_minutes: Sequence[int] = ()) -> None:
        self.minutes, self.verdicts = list(open_minutes), dict[int, str]()

    async def unjudged(self, exchange: str, symbol: str, timeframe: Timeframe, end_ts: Micros) -> list[Micros]:
        return [minute * MINUTE for minute in self.minutes if minute * MINUTE < end_ts]

    async def judged(self, verdicts: Sequence[Verdict]) -> None:
        self.verdicts |= {v.open_ts // MINUTE: v.verdict for v in verdicts}


class Feed:
    exchange = "okx"

    async def now(self) -> Micros:
        return 1_000 * MINUTE


class Desk:
    def __init__(self, candles: Sequence[Candle], tape: Tape, unjudged: Sequence[int] = ()) -> None:
        self.store, self.tape, self.audits = MemoryCandleStore(), tape, Audits(unjudged)
        self._candles = candles
        feed: Any = Feed()
        audits: Any = self.audits
        self.judging = Rejudging(feed, self.store, audits, tape, lambda _: "trades")

    async def work(self, ready: Sequence[tuple[str, str]] = ()) -> dict[int, str]:
        if self._candles:
            await self.store.append(CandleFrame.from_candles(self._candles))
        await self.judging.work(ready)
        return self.audits.verdicts


async def test_candles_whose_trades_were_repaired_are_judged() -> None:
    desk = Desk([candle(10), candle(11, 3.0), candle(12)], Tape([10, 11, 12]))
    desk.judging.touched([SERIES], (10 * MINUTE + 7, 11 * MINUTE + 7))
    assert await desk.work() == {10: "equal", 11: "missing trades"}
    assert desk.tape.read_spans == [(10, 13)]


async def test_after_a_start_those_without_a_verdict_are_judged_once() -> None:
    desk = Desk([candle(n) for n in range(10, 14)], Tape([10, 11, 12, 13]), [10, 13])
    assert await desk.work([SERIES]) == {10: "equal", 13: "equal"}
    desk.audits.verdicts.clear()
    assert await desk.work([SERIES]) == {}


async def test_candles_on_a_hole_wait_for_its_repair_and_no_trade_is_read() -> None:
    tape = Tape([10, 11])
    tape.holes = [(10 * MINUTE + 5, 10 * MINUTE + 9)]
    desk = Desk([candle(10)], tape, [10])
    assert await desk.work([SERIES]) == {}
    assert tape.read_spans == []
    tape.holes = []
    desk.judging.touched([SERIES], (10 * MINUTE, 11 * MINUTE))
    assert await desk.work() == {10: "equal"}


async def test_only_what_the_venue_said_is_judged_and_nothing_longer_than_an_hour() -> None:
    desk = Desk([candle(10, origin=Origin.BUILT), candle(11, origin=Origin.BACKFILLED)], Tape([10, 11]))
    desk.judging.touched([SERIES, (SYMBOL, "4h")], (0, 4 * HOUR))
    assert await desk.work() == {11: "equal"}


async def test_what_cannot_be_read_now_is_read_later_and_what_is_refused_is_left() -> None:
    tape = Tape([10])
    desk = Desk([candle(10)], tape)
    desk.judging.put(SERIES, 10 * MINUTE)
    tape.problem = Transient("the database is away.")
    with pytest.raises(Transient):
        await desk.work()
    tape.problem = None
    assert await desk.work() == {10: "equal"}
    desk.audits.verdicts.clear()
    desk.judging.put(SERIES, 10 * MINUTE)
    tape.problem = Refused("a size is not known.")
    assert await desk.work() == {}
    tape.problem = None
    assert await desk.work() == {}
