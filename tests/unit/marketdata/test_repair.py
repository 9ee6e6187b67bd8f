"""Holes of trades and old holes of candles, on a fake feed and a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from onetape.domain.errors import Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import FROM_TRADES, NONE_THERE, Channel, Gap, Print, RawFrame, Received, Want
from onetape.domain.units import HOUR, MINUTE, SECOND, Timeframe
from onetape.marketdata import repair as repairing
from onetape.marketdata.backfill import TOO_OLD
from onetape.marketdata.mending import Mending
from onetape.marketdata.repair import SPLIT, Repairs
from onetape.marketdata.trades import BuiltSeries, Trades
from onetape.marketdata.turns import Turns
from onetape.storage.memory import MemoryCandleStore

M1, S30 = Timeframe.parse("1m"), Timeframe.parse("30s")
SYMBOL, OTHER = "BTC-USD", "ETH-USD"


def trade(second: float, price: float = 1.0, symbol: str = SYMBOL) -> Print:
    return Print("okx", symbol, str(second), int(second * SECOND), price, 1.0, "buy")


def hole(start: float, end: float, symbol: str = SYMBOL, channel: str = "trades") -> Gap:
    return Gap("okx", symbol, channel, int(start * SECOND), int(end * SECOND), "the line was cut")


class Venue:
    """Its past: `seconds` with a trade each, in pages of `page`; `away` and `unwilling` symbols; `cut` after so many
    pages."""

    exchange, timeframes = "okx", frozenset(("1m",))

    def __init__(self, seconds: Sequence[float] = (), page: int = 10) -> None:
        self.seconds, self.page = list(seconds), page
        self.away: set[str] = set()
        self.unwilling: set[str] = set()
        self.cut = 0
        self.asked: list[tuple[str, float, float]] = []

    async def now(self) -> int:
        return 10**15

    async def past_trades(self, symbol: str, start_ts: int, end_ts: int) -> AsyncIterator[Received]:
        self.asked.append((symbol, start_ts / SECOND, end_ts / SECOND))
        if symbol in self.away:
            raise Transient("the venue is away.")
        if symbol in self.unwilling:
            raise Refused("it tells no trades of that time.")
        inside = [s for s in self.seconds if start_ts <= s * SECOND < end_ts]
        for n, i in enumerate(range(0, len(inside), self.page), 1):
            page = tuple(trade(s, symbol=symbol) for s in inside[i : i + self.page])
            yield Received(RawFrame("okx", symbol, "trades_rest", page[-1].ts, 1, n, b"{}"), page)
            if n == self.cut:
                raise Transient("the line was cut.")


class Store(MemoryCandleStore):
    def how(self) -> dict[tuple[str, float, float], str]:
        return {(g.symbol, g.start_ts / SECOND, g.end_ts / SECOND): how for g, how in self._gaps.items()}


class Desk:
    def __init__(self, venue: Venue, built: Sequence[Timeframe] = ()) -> None:
        self.venue, self.store, self.kept = venue, Store(), 0
        self.repairs = Repairs(venue, self.store, self._keep, self._settled)  # type: ignore[arg-type]
        self.newest = 10**15
        self.repairs.serve(lambda: (SYMBOL, OTHER), lambda _: list(built), lambda _: self.newest)

    async def _keep(self, frame: RawFrame) -> None:
        self.kept += 1

    async def _settled(self) -> None:
        pass


async def test_hole_around_a_repaired_one_is_fetched_from_its_own_start() -> None:
    desk = Desk(Venue(range(50, 201)))
    await desk.store.add_gaps([hole(100, 200)])
    await desk.repairs.work()
    await desk.store.add_gaps([hole(50, 201, channel="trades_all")])
    await desk.repairs.work()
    assert [asked[1:] for asked in desk.venue.asked] == [(100, 200.000001), (50, 201.000001)]
    assert set(desk.store.how().values()) == {FROM_TRADES}


async def test_interrupted_repair_goes_on_from_the_last_trade_it_got(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onetape.marketdata.turns._FIRST", 0.0)
    desk = Desk(Venue(range(100, 200)))
    await desk.store.add_gaps([hole(100, 199)])
    desk.venue.cut = 2
    await desk.repairs.work()
    desk.venue.cut = 0
    await desk.repairs.work()
    assert [asked[1:] for asked in desk.venue.asked] == [(100, 199.000001), (119, 199.000001)]
    assert desk.store.how() == {(SYMBOL, 100, 199): FROM_TRADES}


async def test_hole_that_cannot_be_filled_does_not_keep_the_others_waiting() -> None:
    desk = Desk(Venue(range(300)))
    desk.venue.away.add(SYMBOL)
    await desk.store.add_gaps([hole(10, 20), hole(30, 40, OTHER)])
    await desk.repairs.work()
    assert desk.store.how() == {(SYMBOL, 10, 20): "", (OTHER, 30, 40): FROM_TRADES}
    desk.venue.away.clear()
    await desk.repairs.work()
    assert [asked[0] for asked in desk.venue.asked] == [SYMBOL, OTHER]  # the first waits before it is tried again


async def test_a_candle_that_still_runs_is_not_built_though_the_clock_of_the_venue_is_ahead() -> None:
    desk = Desk(Venue([*range(50, 110)]), [S30])
    await desk.store.add_gaps([hole(95, 105)])
    desk.newest = 105 * SECOND
    await desk.repairs.work()
    assert desk.venue.asked == []
    desk.venue.seconds, desk.newest = [*range(50, 130)], 121 * SECOND
    await desk.repairs.work()
    assert [asked[1:] for asked in desk.venue.asked] == [(90, 120)]
    frame = await desk.store.load("okx", SYMBOL, S30, None, None)
    assert frame.volume.tolist() == [30.0]


async def test_hole_of_which_the_venue_tells_nothing_is_set_aside_and_forgotten_when_it_is_closed() -> None:
    desk = Desk(Venue(range(300)))
    desk.venue.unwilling.add(SYMBOL)
    await desk.store.add_gaps([hole(10, 20)])
    for _ in range(3):
        await desk.repairs.work()
    assert len(desk.venue.asked) == 1
    await desk.store.close_gaps([hole(10, 20)], "imported")
    await desk.repairs.work()
    assert desk.repairs._turns._waiting == {}


async def test_long_hole_is_worked_off_hour_by_hour() -> None:
    hour = HOUR / SECOND
    desk = Desk(Venue([0.5 * hour, 1.5 * hour]))
    await desk.store.add_gaps([hole(1_800, 2 * hour + 10)])
    assert await desk.repairs.work() == 0.0
    await desk.repairs.work()
    assert desk.store.how() == {
        (SYMBOL, 1_800, 2 * hour + 10): SPLIT,
        (SYMBOL, 1_800, hour): FROM_TRADES,
        (SYMBOL, hour, 2 * hour): FROM_TRADES,
        (SYMBOL, 2 * hour, 2 * hour + 10): NONE_THERE,
    }


async def test_hole_longer_than_the_reach_stays_open_and_is_not_asked_for() -> None:
    desk = Desk(Venue(range(10)))
    await desk.store.add_gaps([hole(0, repairing.LONGEST_HOLE / SECOND + 1)])
    await desk.repairs.work()
    assert desk.venue.asked == []


def test_a_gap_waits_twice_as_long_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000.0]
    monkeypatch.setattr("onetape.marketdata.turns.time.monotonic", lambda: now[0])
    turns, gap = Turns(), hole(0, 1)
    turns.later(gap)
    assert (turns.due([gap]), turns.seconds(60.0)) == ([], 5.0)
    now[0] += 5
    assert turns.due([gap]) == [gap]
    turns.later(gap)
    assert turns.seconds(60.0) == 10.0


async def test_old_hole_of_candles_is_filled_in_the_background(make_feed: Any, candle: Any) -> None:
    feed, store = make_feed(range(3_000), 3_000), MemoryCandleStore()
    await store.append(CandleFrame.from_candles([candle(9)]))
    await store.add_gaps([Gap("okx", SYMBOL, "candles:1m", 10 * MINUTE, 2_500 * MINUTE, TOO_OLD)])
    await Mending(feed, store, lambda: [(SYMBOL, "1m")]).work()
    assert len(await store.load("okx", SYMBOL, M1, None, None)) == 2_491
    assert await store.gaps("okx", None, None) == []
    assert feed.asked == [(10, 1_010), (1_010, 2_010), (2_010, 2_500)]


async def test_long_hole_of_candles_is_filled_in_turn_with_the_others(
    make_feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onetape.marketdata.mending._SLICES", 1)
    feed, store = make_feed(range(9_000), 9_000), MemoryCandleStore()
    await store.add_gaps([Gap("okx", SYMBOL, "candles:1m", 0, 1_500 * MINUTE, TOO_OLD)])
    await store.add_gaps([Gap("okx", SYMBOL, "candles:1m", 5_000 * MINUTE, 5_003 * MINUTE, "x")])
    mending = Mending(feed, store, lambda: [(SYMBOL, "1m")])
    assert await mending.work()
    assert not await mending.work()
    assert feed.asked == [(0, 1_000), (5_000, 5_003), (1_000, 1_500)]
    assert await store.gaps("okx", None, None) == []


async def test_hole_of_a_series_that_is_not_recorded_and_the_newest_are_left_alone(make_feed: Any) -> None:
    feed, store = make_feed(range(100), 100), MemoryCandleStore()
    await store.add_gaps([Gap("okx", SYMBOL, "candles:1m", 96 * MINUTE, 98 * MINUTE, "x")])
    await store.add_gaps([Gap("okx", OTHER, "candles:1m", 10 * MINUTE, 12 * MINUTE, "x")])
    await Mending(feed, store, lambda: [(SYMBOL, "1m")]).work()
    assert feed.asked == []


async def test_built_candles_of_a_quiet_time_are_absent_once_no_trades_are_missing() -> None:
    venue, store = Venue([65]), Store()
    built = hole(60, 120, channel="candles:30s")
    await store.add_gaps([built, hole(61, 119)])
    mending = Mending(venue, store, lambda: [(SYMBOL, "30s")])  # type: ignore[arg-type]
    await mending.work()
    assert venue.asked == []  # trades are missing still
    await store.close_gaps([hole(61, 119)], FROM_TRADES)
    await mending.work()
    assert (await store.load("okx", SYMBOL, S30, None, None)).ts.tolist() == [60 * SECOND]
    assert await store.gaps("okx", None, None) == []
    assert store.how()[SYMBOL, 90, 120] == NONE_THERE


def test_built_candle_closes_by_time_where_no_later_trade_comes() -> None:
    trades = Trades("okx")
    wants = [Want(SYMBOL, Channel.CANDLES, "30s"), Want(SYMBOL, Channel.TRADES)]
    trades.follow(wants, frozenset())
    trades.add(SYMBOL, [trade(10), trade(31), trade(40, 2.0)])
    assert trades.advance(1_000 * SECOND, {SYMBOL}) == []  # the venue's clock stands at 40 s
    assert trades.advance(1_021 * SECOND, {SYMBOL}) == []  # 61 s; trades may be two seconds late
    assert trades.advance(1_022 * SECOND, set()) == []  # the line is down: nobody knows what was traded
    ((built, first),) = trades.advance(1_022 * SECOND, {SYMBOL})
    assert (built.open_ts, built.close, first) == (30 * SECOND, 2.0, True)
    ((again, first),) = trades.add(SYMBOL, [trade(59, 3.0)])  # later than was thought possible
    assert (again.open_ts, again.close, first) == (30 * SECOND, 3.0, False)


def test_candle_between_two_holes_is_built() -> None:
    series = BuiltSeries("okx", SYMBOL, S30)
    series.add(trade(1))
    series.missed(hole(31, 32))
    series.missed(hole(95, 96))
    found = [c.open_ts for s in (35, 61, 91, 121) for c, _ in series.add(trade(s))]
    assert found == [60 * SECOND]
