"""Holes of trades and old holes of candles, on a fake feed and a store in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from onetape.domain.errors import Refused, Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import (
    FROM_TRADES,
    NONE_THERE,
    NOT_RECORDED,
    Channel,
    Gap,
    Origin,
    Print,
    RawFrame,
    Received,
    Want,
)
from onetape.domain.units import HOUR, MINUTE, SECOND, Timeframe
from onetape.marketdata.backfill import TOO_OLD, backfill
from onetape.marketdata.fetching import Fetching, Lengths
from onetape.marketdata.mending import Mending
from onetape.marketdata.repair import NO_LONGER, NO_TRADES, NOT_WANTED, Repairs, Served
from onetape.marketdata.trades import BuiltSeries, Trades
from onetape.marketdata.turns import Turns
from onetape.ports import PastTrades
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
    past: PastTrades | None = PastTrades(kept=None, page=100, per_second=10.0)

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
        return {(g.symbol, g.start_ts / SECOND, g.end_ts / SECOND): row.how for g, row in self.holes()}


class Desk:
    def __init__(self, venue: Venue, built: Sequence[Timeframe] = (), offered: Sequence[Timeframe] = ()) -> None:
        self.venue, self.store, self.kept = venue, Store(), 0
        self.back: int | None = None
        self.rate, self.newest = 1.0, 10**15
        fetching = Fetching(venue, self.store, self._keep, self._settled, self._rate)  # type: ignore[arg-type]
        lengths = Lengths(tuple(built), tuple(offered))
        served = Served(lambda: (SYMBOL, OTHER), lambda _: lengths, lambda _: self.back, lambda _: self.newest)
        self.repairs = Repairs(venue, self.store, fetching, served)  # type: ignore[arg-type]

    async def _rate(self, _: str) -> float:
        return self.rate

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


async def test_progress_of_a_repair_is_forgotten_with_its_hole() -> None:
    desk = Desk(Venue(range(100, 200)))
    await desk.store.add_gaps([hole(100, 199)])
    desk.venue.cut = 2
    await desk.repairs.work()
    assert len(desk.repairs._got) == 1
    await desk.store.close_gaps([hole(100, 199)], "imported")
    await desk.repairs.work()
    assert desk.repairs._got == {}


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
    assert desk.store.how() == {(SYMBOL, 1_800, hour): FROM_TRADES, (SYMBOL, hour, 2 * hour + 10): ""}
    ((_, left),) = [each for each in desk.store.holes() if not each[1].how]
    assert (left.since_ts, left.seconds_left is not None) == (1_800 * SECOND, True)
    assert await desk.repairs.work() == 0.0
    await desk.repairs.work()
    assert desk.store.how() == {
        (SYMBOL, 1_800, 2 * hour): FROM_TRADES,
        (SYMBOL, 2 * hour, 2 * hour + 10): NONE_THERE,
    }


async def test_repair_of_a_long_hole_goes_on_after_a_restart_where_it_was() -> None:
    hour = HOUR / SECOND
    desk = Desk(Venue([0.5 * hour, 1.5 * hour]))
    await desk.store.add_gaps([hole(0, 2 * hour)])
    await desk.repairs.work()
    again = Desk(desk.venue)
    again.store = desk.store
    again.repairs._candles = desk.store
    await again.repairs.work()
    assert [asked[1:] for asked in desk.venue.asked] == [(0, hour + 1e-6), (hour, 2 * hour + 1e-6)]
    assert desk.store.how() == {(SYMBOL, 0, 2 * hour): FROM_TRADES}


async def test_what_the_venue_no_longer_has_is_closed_with_that_reason_and_the_rest_is_fetched() -> None:
    now, hour = 10**15 // SECOND, HOUR // SECOND
    desk = Desk(Venue([now - hour + 5]))
    desk.venue.past = PastTrades(kept=HOUR, page=100, per_second=10.0)
    await desk.store.add_gaps([hole(now - 2 * hour, now - hour + 10)])
    await desk.repairs.work()
    assert desk.store.how() == {
        (SYMBOL, now - 2 * hour, now - hour): NO_LONGER,
        (SYMBOL, now - hour, now - hour + 10): FROM_TRADES,
    }


async def test_trades_older_than_wanted_are_not_asked_for() -> None:
    desk = Desk(Venue(range(10)))
    desk.back = HOUR
    await desk.store.add_gaps([hole(0, 9)])
    await desk.repairs.work()
    assert desk.venue.asked == []
    assert desk.store.how() == {(SYMBOL, 0, 9): NOT_WANTED}


async def test_holes_of_a_venue_that_tells_no_past_trades_are_closed_with_that_reason() -> None:
    desk = Desk(Venue(range(10)))
    desk.venue.past = None
    await desk.store.add_gaps([hole(0, 9)])
    await desk.repairs.work()
    assert desk.store.how() == {(SYMBOL, 0, 9): NO_TRADES}


async def test_candles_of_a_short_hole_come_from_its_trades_and_are_completed_by_the_venues(make_feed: Any) -> None:
    venue = Venue(range(60, 240))
    feed = make_feed([1, 2], 10)  # its candles; 3 it has not
    feed.past_trades = venue.past_trades
    desk = Desk(venue)
    fetching = Fetching(feed, desk.store, desk._keep, desk._settled, desk._rate)
    repairs = Repairs(feed, desk.store, fetching, Served(lambda: (SYMBOL,), lambda _: Lengths((), (M1,))))
    await repairs.at_once(SYMBOL, (MINUTE, 4 * MINUTE))
    built = await desk.store.load("okx", SYMBOL, M1, None, None)
    assert built.origin.tolist() == [Origin.BUILT] * 3
    pages = [page async for page in backfill(feed, desk.store, SYMBOL, M1, (MINUTE, 4 * MINUTE))]
    assert [ts // MINUTE for page in pages for ts in page.ts.tolist()] == [1, 2, 3]
    stored = await desk.store.load("okx", SYMBOL, M1, None, None)
    assert stored.origin.tolist() == [Origin.BACKFILLED, Origin.BACKFILLED, Origin.BUILT]
    assert await desk.store.gaps("okx", None, None) == await desk.store.absent("okx", SYMBOL, "candles:1m") == []


async def test_candles_are_taken_first_where_their_trades_would_take_long(make_feed: Any) -> None:
    desk = Desk(Venue(range(60, 240)))
    desk.rate = 1_000.0
    await desk.repairs.at_once(SYMBOL, (MINUTE, 4 * MINUTE))
    assert desk.venue.asked == []


async def test_old_hole_of_candles_waits_for_its_trades_only_when_they_are_soon_there(make_feed: Any) -> None:
    desk = Desk(Venue(range(60, 240)))
    await desk.store.add_gaps([hole(60, 240)])
    assert await desk.repairs.soon(SYMBOL, (MINUTE, 2 * MINUTE))
    assert not await desk.repairs.soon(OTHER, (MINUTE, 2 * MINUTE))
    desk.repairs._fetching._rates[SYMBOL] = 1e6
    assert not await desk.repairs.soon(SYMBOL, (MINUTE, 2 * MINUTE))


async def test_hole_beside_an_imported_file_is_not_downloaded_unasked(make_feed: Any) -> None:
    feed, store = make_feed(range(3_000), 3_000), MemoryCandleStore()
    await store.add_gaps([Gap("okx", SYMBOL, "candles:1m", 0, 9 * MINUTE, NOT_RECORDED)])
    await Mending(feed, store, lambda: [(SYMBOL, "1m")]).work()
    assert feed.asked == []


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
    trades.follow(wants, lambda _: False)
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
