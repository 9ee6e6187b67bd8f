"""The collector on a fake feed and stores in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from onetape.clock import RealClock
from onetape.domain.errors import Transient
from onetape.domain.frame import CandleFrame
from onetape.domain.market import (
    FROM_TRADES,
    Book,
    Candle,
    Channel,
    Forming,
    Gap,
    Origin,
    Print,
    RawFrame,
    Received,
    Streams,
    StreamState,
    Want,
)
from onetape.domain.units import MINUTE, Timeframe
from onetape.marketdata import absence, collector, doubts, keeper
from onetape.marketdata.collector import Collector, wants_for
from onetape.marketdata.trades import LOST
from onetape.ports import Appended, AuditCount, Verdict
from onetape.storage.memory import MemoryCandleStore

M1 = Timeframe.parse("1m")
SYMBOL = "BTC-USD"
CANDLES = [Want(SYMBOL, Channel.CANDLES, "1m")]


class Store(MemoryCandleStore):
    """Tells the order of commits, and can be away."""

    def __init__(self, journal: list[tuple[str, int]]) -> None:
        super().__init__()
        self.closed: dict[Gap, str] = {}
        self.journal, self.away = journal, False

    async def append(self, frame: CandleFrame) -> Appended:
        if self.away:
            raise Transient("the database is away.")
        self.journal += [("stored", int(ts) // MINUTE) for ts in frame.ts]
        return await super().append(frame)

    async def close_gaps(self, gaps: Sequence[Gap], how: str) -> int:
        self.closed |= dict.fromkeys(gaps, how)
        return await super().close_gaps(gaps, how)


class Raws:
    def __init__(self) -> None:
        self.frames: list[RawFrame] = []

    async def append(self, frames: Sequence[RawFrame]) -> int:
        self.frames += frames
        return len(frames)

    async def last_ts(self, exchange: str, symbol: str, channel: str) -> int:
        return max((f.ts for f in self.frames if (f.symbol, f.channel) == (symbol, channel)), default=0)

    async def tail(self, exchange: str, symbol: str, channel: str, n: int) -> list[RawFrame]:
        return [f for f in self.frames if (f.symbol, f.channel) == (symbol, channel)][-n:]

    async def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: int, end_ts: int
    ) -> AsyncIterator[list[RawFrame]]:
        yield [f for f in self.frames if f.channel in channels and start_ts <= f.ts < end_ts]


class Judge:
    """Remembers verdicts."""

    def __init__(self) -> None:
        self.verdicts: list[Verdict] = []

    async def judged(self, verdicts: Sequence[Verdict]) -> None:
        self.verdicts += verdicts

    async def counts(self, exchange: str | None = None, symbol: str | None = None) -> list[AuditCount]:
        return []

    async def differences(self, exchange: str, symbol: str, timeframe: Timeframe, limit: int = 100) -> list[Verdict]:
        return self.verdicts[-limit:]


class Wire:
    """A bus that remembers."""

    def __init__(self, journal: list[tuple[str, int]]) -> None:
        self.journal, self.messages = journal, []

    def publish(self, topic: str, body: msgspec.Struct) -> None:
        self.messages.append((topic, body))
        if topic.startswith("candle:"):
            self.journal.append(("told", body.open_ts // MINUTE))  # type: ignore[attr-defined]

    def of(self, start: str) -> list[Any]:
        return [body for topic, body in self.messages if topic.startswith(start)]


class Desk:
    def __init__(self, feed: Any, wants: Sequence[Want] = CANDLES, depth: int = 20) -> None:
        self.journal: list[tuple[str, int]] = []
        self.feed, self.store, self.raws, self.bus = feed, Store(self.journal), Raws(), Wire(self.journal)
        self.judge = Judge()
        self.collector = Collector(
            feed, self.store, self.raws, self.bus, RealClock(), wants, depth=lambda _: depth,  # type: ignore[arg-type]
            audits=self.judge,
        )  # fmt: skip

    async def minutes(self) -> list[int]:
        return ((await self.store.load("okx", SYMBOL, M1, None, None)).ts // MINUTE).tolist()

    def told(self) -> list[int]:
        return [minute for what, minute in self.journal if what == "told"]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.collector.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.005)


async def test_start_loads_the_past_and_says_so_once(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
    assert await desk.minutes() == list(range(80, 100))
    assert desk.told() == [99]  # the newest: who follows loads the rest


async def test_closed_candle_is_stored_before_it_is_told(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        for minute in (100, 101):
            desk.feed.close_minute(minute)
        await until(lambda: desk.told()[-1] == 101)
    assert desk.told() == [99, 100, 101]
    for minute in (100, 101):
        assert desk.journal.index(("stored", minute)) < desk.journal.index(("told", minute))


async def test_candles_that_arrive_during_the_first_load_follow_it_without_a_hole(make_feed: Any) -> None:
    feed = make_feed(range(100), 100)
    feed.close_minute(100)
    feed.close_minute(101)
    feed.now_minute = 100  # the load still sees the minute before
    desk = Desk(feed)
    async with desk.running():
        await until(lambda: 101 in desk.told())
    assert await desk.minutes() == list(range(80, 102))
    assert desk.told() == sorted(set(desk.told()))


async def test_missed_candle_is_fetched_before_the_next_is_told(make_feed: Any, candle: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        desk.feed.minutes |= {100, 101, 102}
        desk.feed.now_minute = 103
        desk.feed.say(candle(102))  # 100 and 101 never came
        await until(lambda: 102 in desk.told())
    assert desk.told() == [99, 100, 101, 102]
    assert await desk.minutes() == list(range(80, 103))
    assert await desk.store.gaps("okx", SYMBOL, "candles:1m") == []


async def test_gap_of_the_feed_is_kept_and_repaired_at_once(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        desk.feed.minutes |= {100, 101}
        desk.feed.now_minute = 102
        desk.feed.say(Gap("okx", SYMBOL, "candles:1m", 100 * MINUTE, 102 * MINUTE, "the line was cut"))
        await until(lambda: 101 in desk.told())
        await until(lambda: bool(desk.bus.of("gap:")))
    assert await desk.minutes() == list(range(80, 102))
    assert await desk.store.gaps("okx", SYMBOL, "candles:1m") == []  # closed by its candles
    assert desk.collector.stats()["gaps"] == 1


async def test_gap_of_trades_stays_open_where_trades_are_not_recorded(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        desk.feed.say(Gap("okx", SYMBOL, "trades", 5, 9, "the line was cut"))
        await until(lambda: bool(desk.bus.of("gap:")))
    assert len(await desk.store.gaps("okx", SYMBOL, "trades")) == 1


async def test_a_gap_of_which_nobody_keeps_the_past_is_closed_at_once(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    gap = Gap("okx", SYMBOL, "book", 5, 9, "the line was cut")
    async with desk.running():
        desk.feed.say(gap)
        await until(lambda: bool(desk.bus.of("gap:")))
    assert await desk.store.gaps("okx", SYMBOL, "book") == []
    assert await desk.store.add_gaps([gap]) == 0  # it is known


TRADES = Want(SYMBOL, Channel.TRADES)


def trade(seconds: float, price: float = 100.0, qty: float = 1.0) -> Print:
    return Print("okx", SYMBOL, f"{seconds}:{price}", int(seconds * 1_000_000), price, qty, 1)


async def test_trades_missed_between_two_runs_are_fetched_and_the_gap_is_closed(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100), [*CANDLES, TRADES])
    desk.raws.frames.append(RawFrame("okx", SYMBOL, "trades", 5_000_000, 1, 1, b"before"))
    answer = RawFrame("okx", SYMBOL, "trades_rest", 7_000_000, 2, 2, b"answer")
    desk.feed.pages = [Received(answer, (trade(6), trade(7)))]
    async with desk.running():
        desk.feed.say(trade(9), channel="trades", ts=9_000_000)
        await until(lambda: desk.collector.stats()["repaired"] == 1)
    assert [f.data for f in desk.raws.frames] == [b"before", b"{}", b"answer"]
    (gap,) = desk.bus.of("gap:")
    assert (gap.start_ts, gap.end_ts, gap.cause) == (5_000_000, 9_000_000, absence.STOPPED)
    assert await desk.store.gaps("okx", SYMBOL, "trades") == []
    assert desk.store.closed[gap] == FROM_TRADES


async def test_a_length_that_divides_no_minute_is_built_from_trades(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100), [*CANDLES, Want(SYMBOL, Channel.CANDLES, "7s"), TRADES])
    async with desk.running():
        await until(lambda: bool(desk.told()))
        for seconds, price in ((1, 9.0), (7, 10.0), (12, 12.0), (13.5, 11.0), (14.5, 5.0)):
            desk.feed.say(trade(seconds, price), channel="trades", ts=int(seconds * 1_000_000))
        await until(lambda: len(desk.bus.of("candle:okx:BTC-USD:7s")) == 1)
        desk.feed.say(trade(13.9, 13.0), channel="trades")  # late
        desk.feed.say(trade(20, 6.0), channel="trades")
        desk.feed.say(trade(21, 6.0), channel="trades")
        await until(lambda: len(desk.bus.of("candle:okx:BTC-USD:7s")) == 2)
    stored = await desk.store.load("okx", SYMBOL, Timeframe.parse("7s"), None, None)
    assert stored.ts.tolist() == [7_000_000, 14_000_000]  # the bucket of the first trade was not seen whole
    assert [stored.open[0], stored.high[0], stored.low[0], stored.close[0], stored.volume[0]] == [10, 13, 10, 13, 4]
    assert set(stored.origin) == {Origin.BUILT}
    (one,) = await desk.store.corrections("okx", SYMBOL, Timeframe.parse("7s"), 0, 10**9)
    assert (one.before[3], one.after[3]) == (11.0, 13.0)
    assert [c.open_ts for c in desk.bus.of("candle:okx:BTC-USD:7s")] == [7_000_000, 14_000_000]  # told once each


async def test_candles_of_the_venue_are_compared_with_its_trades(
    make_feed: Any, candle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "_TELL_SECONDS", 0.02)
    desk = Desk(make_feed(range(100), 100), [*CANDLES, TRADES])
    async with desk.running():
        await until(lambda: bool(desk.told()))
        for seconds, price in ((5_990, 9.0), (6_001, 200.0), (6_061, 300.0)):
            desk.feed.say(trade(seconds, price), channel="trades")
        desk.feed.close_minute(100)
        desk.feed.close_minute(101)  # says 201, and the only trade was at 300
        desk.feed.say(trade(6_130, 1.0), channel="trades")
        await until(lambda: len(desk.judge.verdicts) == 2)
    assert [(v.open_ts // MINUTE, v.verdict) for v in desk.judge.verdicts] == [(100, "equal"), (101, "price")]
    assert (desk.collector.stats()["judged"], desk.collector.stats()["differing"]) == (2, 1)


async def test_a_minute_with_more_volume_than_its_trades_is_a_gap_of_trades(
    make_feed: Any, candle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "_TELL_SECONDS", 0.02)
    desk = Desk(make_feed(range(100), 100), [*CANDLES, TRADES])
    gap = Gap("okx", SYMBOL, "trades", 100 * MINUTE, 101 * MINUTE, LOST)
    async with desk.running():
        await until(lambda: bool(desk.told()))
        desk.feed.say(trade(5_990, 9.0), channel="trades")
        desk.feed.close_minute(100)  # with volume, and no trade came
        desk.feed.say(trade(6_130, 1.0), channel="trades")
        await until(lambda: gap in desk.bus.of("gap:"))
    assert [v.verdict for v in desk.judge.verdicts] == ["missing trades"]


async def test_the_state_of_the_streams_is_told_with_what_was_counted(
    make_feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "_TELL_SECONDS", 0.02)
    desk = Desk(make_feed(range(100), 100), [*CANDLES, TRADES])
    state = StreamState(exchange="okx", symbol=SYMBOL, channel="trades", state="live")
    monkeypatch.setattr(desk.feed, "streams", lambda: Streams("okx", 1, (state,)))
    async with desk.running():
        for seconds in range(3):
            desk.feed.say(trade(seconds), channel="trades")
        await until(lambda: bool(told := desk.bus.of("streams:okx")) and told[-1].items[0].messages == 3)
        await until(lambda: bool(told := desk.bus.of("recording:okx")) and told[-1].counts["frames"] == 3)
    assert desk.bus.of("streams:okx")[-1].items[0].delay_p99_ms >= 0
    recording = desk.bus.of("recording:okx")[-1]
    assert recording.stages["frame_committed"].count == 3
    assert recording.waiting.keys() == {"frames", "candles", "gaps"}


async def test_doubled_candle_is_told_once(make_feed: Any, candle: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        desk.feed.close_minute(100)
        desk.feed.say(candle(100))
        desk.feed.close_minute(101)
        await until(lambda: 101 in desk.told())
    assert desk.told() == [99, 100, 101]


async def test_impossible_candle_is_refused_and_counted(make_feed: Any, candle: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        desk.feed.say(msgspec.structs.replace(candle(100), high=1.0))
        desk.feed.say(text=b'{"last":1}')
        await until(lambda: len(desk.raws.frames) == 2)
    assert await desk.minutes() == list(range(80, 100))
    assert desk.collector.stats()["faults"] == 1


async def test_database_that_is_away_delays_and_loses_nothing(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        desk.store.away = True
        for minute in (100, 101, 102):
            desk.feed.close_minute(minute)
        await until(lambda: desk.collector.stats()["candles_waiting"] == 3)
        assert desk.told() == [99]
        desk.store.away = False
        await until(lambda: 102 in desk.told())
    assert await desk.minutes() == list(range(80, 103))


async def test_history_that_is_away_holds_candles_only_for_a_while(
    make_feed: Any, candle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_HOLD_SECONDS", 0.1)
    monkeypatch.setattr(keeper, "_RETRY_SECONDS", 0.1)
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        desk.feed.minutes |= {100, 101, 102}
        desk.feed.now_minute = 103
        desk.feed.broken = True
        desk.feed.say(candle(102))
        await until(lambda: 102 in desk.told())
        (gap,) = await desk.store.gaps("okx", SYMBOL, "candles:1m")
        assert (gap.start_ts, gap.end_ts, gap.cause) == (100 * MINUTE, 102 * MINUTE, keeper.MISSED)
        desk.feed.broken = False  # the debt is paid when the venue is back
        async with asyncio.timeout(30):
            while await desk.store.gaps("okx", SYMBOL, "candles:1m"):
                await asyncio.sleep(0.01)
    assert await desk.minutes() == list(range(80, 103))
    assert desk.told() == [99, 102]


async def test_raw_frames_are_kept_byte_for_byte_and_prints_follow_their_commit(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100), [*CANDLES, Want(SYMBOL, Channel.TRADES)])
    text = b'{"arg": {"channel":"trades"},  "data":[]}'
    async with desk.running():
        desk.feed.say(Print("okx", SYMBOL, "1", 5, 9.0, 1.0, 1, 1), text=text, channel="trades")
        await until(lambda: bool(desk.bus.of("prints:")))
    assert [f.data for f in desk.raws.frames] == [text]


async def test_trades_of_one_commit_are_told_in_one_message_for_each_symbol(make_feed: Any) -> None:
    others = "ETH-USDT"
    desk = Desk(make_feed(range(100), 100), [Want(SYMBOL, Channel.TRADES), Want(others, Channel.TRADES)])
    async with desk.running():
        for i, symbol in enumerate((SYMBOL, others, SYMBOL, SYMBOL)):
            desk.feed.say(Print("okx", symbol, str(i), 5, 9.0, 1.0, 1, 1), channel="trades", symbol=symbol)
        await until(lambda: len(desk.raws.frames) == 4 and len(desk.bus.of("prints:")) == 2)
    told = {each.symbol: [trade.id for trade in each.trades] for each in desk.bus.of("prints:")}
    assert told == {SYMBOL: ["0", "2", "3"], others: ["1"]}


async def test_newest_book_and_forming_win_over_those_not_yet_sent(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100), [*CANDLES, Want(SYMBOL, Channel.BOOK)])
    async with desk.running():
        for i in range(100):
            book = Book("okx", SYMBOL, i, [], [], recv_ts=RealClock().now())
            desk.feed.say(book, Forming("okx", SYMBOL, "1m", i, 1, 1, 1, 1, 1), channel="book")
        await until(lambda: bool(desk.bus.of("book:")) and desk.bus.of("book:")[-1].ts == 99)
        await until(lambda: desk.bus.of("forming:")[-1].open_ts == 99)
    assert len(desk.bus.of("book:")) < 20
    assert desk.collector.stats()["hint_published"]["count"] > 0


async def test_new_wants_are_followed_while_the_others_go_on(make_feed: Any, candle: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        more = [*CANDLES, Want("ETH-USD", Channel.CANDLES, "1m"), Want(SYMBOL, Channel.TRADES)]
        desk.collector.want(more)
        await until(lambda: any(c.symbol == "ETH-USD" for c in desk.bus.of("candle:")))
        assert desk.feed.changed == [tuple(more)]
        desk.feed.close_minute(100)
        await until(lambda: 100 in desk.told())
        desk.collector.want(more[1:])
        await until(lambda: len(desk.feed.changed) == 2)
        desk.feed.close_minute(101)  # nobody wants it any more
        desk.feed.say(text=b'{"last":1}')
        await until(lambda: any(f.data == b'{"last":1}' for f in desk.raws.frames))
    assert len(desk.feed.streamed) == 1
    assert await desk.minutes() == list(range(80, 101))


async def test_end_commits_what_is_left(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        for _ in range(50):
            desk.feed.say(text=b"[]")
        await until(lambda: desk.collector.stats()["frames"] == 50)
    assert len(desk.raws.frames) == 50


async def test_gap_whose_candles_are_there_already_is_not_recorded(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100))
    async with desk.running():
        await until(lambda: bool(desk.told()))
        desk.feed.say(Gap("okx", SYMBOL, "candles:1m", 90 * MINUTE, 95 * MINUTE, "the line was cut"))
        desk.feed.close_minute(100)
        await until(lambda: 100 in desk.told())
    assert await desk.store.gaps("okx", SYMBOL, "candles:1m") == []


async def test_timeframe_that_the_venue_has_not_is_left_to_the_reader(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100), [*CANDLES, Want(SYMBOL, Channel.CANDLES, "7m")])
    async with desk.running():
        await until(lambda: bool(desk.told()))
    assert desk.feed.streamed == [tuple(CANDLES)]


def test_wants_hold_1m_and_each_timeframe_once_for_every_symbol() -> None:
    got = wants_for(["A-B", "C-D"], ["1h", "1m", "1H"], [Channel.CANDLES, Channel.TRADES])
    assert [(w.symbol, w.channel.value, w.timeframe) for w in got[:3]] == [
        ("A-B", "candles", "1m"),
        ("A-B", "candles", "1h"),
        ("A-B", "trades", ""),
    ]
    assert len(got) == 6


async def test_built_candles_on_a_hole_are_made_of_the_trades_that_were_fetched_again(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100), [*CANDLES, Want(SYMBOL, Channel.CANDLES, "7s"), TRADES])
    frame = RawFrame("okx", SYMBOL, "trades_rest", 27_000_000, 2, 2, b"answer")
    desk.feed.pages = [Received(frame, (trade(15, 3.0), trade(20, 4.0), trade(22, 5.0), trade(27, 6.0)))]
    async with desk.running():
        for seconds in (1, 8, 15):
            desk.feed.say(trade(seconds, 3.0), channel="trades")
        # the trades at 20 and 22 are lost with the line
        gap = Gap("okx", SYMBOL, "trades", 15_000_000, 27_000_000, "the line was cut")
        desk.feed.say(gap, trade(27, 6.0), channel="trades")
        desk.feed.say(trade(36, 7.0), channel="trades")
        desk.feed.say(trade(43, 8.0), channel="trades")
        await until(lambda: desk.collector.stats()["repaired"] == 1)
        await until(lambda: any(c.open_ts == 35_000_000 for c in desk.bus.of("candle:okx:BTC-USD:7s")))
    stored = await desk.store.load("okx", SYMBOL, Timeframe.parse("7s"), None, None)
    assert (stored.ts // 1_000_000).tolist() == [7, 14, 21, 35]
    assert stored.volume.tolist() == [1, 2, 2, 1]
    assert stored.close.tolist() == [3, 4, 6, 7]
    assert await desk.store.gaps("okx", SYMBOL, "candles:7s") == []


async def test_a_built_candle_that_was_not_stored_when_the_program_was_killed_is_built_again(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100), [*CANDLES, Want(SYMBOL, Channel.CANDLES, "7s"), TRADES])
    kept = Candle("okx", SYMBOL, "7s", 7_000_000, 14_000_000, 3.0, 3.0, 3.0, 3.0, 1.0, 3.0, Origin.BUILT, 0)
    await desk.store.append(CandleFrame.from_candles([kept]))
    # the bucket of 14 s was over, its trades stored, the candle not yet; then the program was killed
    desk.raws.frames.append(RawFrame("okx", SYMBOL, "trades", 22_000_000, 1, 1, b"before"))
    answer = RawFrame("okx", SYMBOL, "trades_rest", 27_000_000, 2, 2, b"answer")
    desk.feed.pages = [Received(answer, (trade(15, 3.0), trade(20, 4.0), trade(22, 5.0), trade(27, 6.0)))]
    async with desk.running():
        desk.feed.say(trade(29, 7.0), channel="trades", ts=29_000_000)
        desk.feed.say(trade(36, 7.0), channel="trades", ts=36_000_000)
        await until(lambda: desk.collector.stats()["repaired"] == 1)
    stored = await desk.store.load("okx", SYMBOL, Timeframe.parse("7s"), None, None)
    assert (stored.ts // 1_000_000).tolist() == [7, 14, 21]
    assert (stored.open[1], stored.close[1], stored.volume[1]) == (3.0, 4.0, 2.0)


async def test_trades_that_come_in_the_place_of_every_single_match_are_told_like_these(
    make_feed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = make_feed(range(100), 100)
    refused = StreamState(exchange="okx", symbol=SYMBOL, channel="trades_all", state="refused")
    monkeypatch.setattr(feed, "streams", lambda: Streams("okx", 0, (refused,)))
    monkeypatch.setattr(collector, "_TELL_SECONDS", 0.01)
    desk = Desk(feed, [Want(SYMBOL, Channel.TRADES_ALL)])
    async with desk.running():
        for number in range(200):
            feed.say(Print("okx", SYMBOL, str(number), 1, 1.0, 1.0, 1), channel="trades")
            await asyncio.sleep(0.005)
            if desk.collector.stats()["prints"] > 3:
                break
    assert desk.collector.stats()["prints"] > 3


async def test_a_trade_that_comes_too_late_for_its_candle_has_it_built_again(make_feed: Any) -> None:
    desk = Desk(make_feed(range(100), 100), [*CANDLES, Want(SYMBOL, Channel.CANDLES, "7s"), TRADES])
    answer = RawFrame("okx", SYMBOL, "trades_rest", 13_000_000, 2, 2, b"answer")
    desk.feed.pages = [Received(answer, (trade(8, 2.0), trade(9, 3.0), trade(13, 4.0)))]
    async with desk.running():
        for seconds, price in ((1, 1.0), (9, 3.0), (13, 4.0), (22, 5.0), (8, 2.0)):  # the last one is 14 s late
            desk.feed.say(trade(seconds, price), channel="trades")
        await until(lambda: desk.collector.stats()["repaired"] == 1)
    stored = await desk.store.load("okx", SYMBOL, Timeframe.parse("7s"), None, None)
    assert (stored.ts[0], stored.open[0], stored.volume[0]) == (7_000_000, 2.0, 3.0)


async def test_a_candle_that_differs_from_its_trades_is_asked_for_again(
    make_feed: Any, candle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubts, "_PAUSE", 0.01)
    monkeypatch.setattr(collector, "_TELL_SECONDS", 0.02)
    desk = Desk(make_feed(range(1), 1), [*CANDLES, TRADES])
    async with desk.running():
        await until(lambda: bool(desk.told()))
        for seconds in (1, 61, 62, 125):
            desk.feed.say(trade(seconds, 101.0, 0.5), channel="trades")
        desk.feed.minutes.add(1)
        desk.feed.now_minute = 2
        desk.feed.say(msgspec.structs.replace(candle(1), volume=0.7))  # and what it said later was lost
        async with asyncio.timeout(30):
            while not await desk.store.corrections("okx", SYMBOL, M1, 0, 10**9):
                await asyncio.sleep(0.01)
    frame = await desk.store.load("okx", SYMBOL, M1, None, None)
    assert frame.volume.tolist() == [1.0, 1.0]


async def test_the_last_candles_of_the_run_before_are_asked_for_again(
    make_feed: Any, candle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doubts, "_PAUSE", 0.01)
    desk = Desk(make_feed(range(100), 100))
    wrong = msgspec.structs.replace(candle(99), volume=0.4)  # the program was killed before it was told right
    await desk.store.append(CandleFrame.from_candles([candle(98), wrong]))
    async with desk.running(), asyncio.timeout(30):
        while not await desk.store.corrections("okx", SYMBOL, M1, 0, 10**10):
            await asyncio.sleep(0.01)
    frame = await desk.store.load("okx", SYMBOL, M1, None, None)
    assert frame.volume.tolist()[-2:] == [1.0, 1.0]


async def test_candles_that_the_venue_refuses_are_built_from_trades_until_it_gives_them(make_feed: Any) -> None:
    feed = make_feed()
    feed.timeframes = frozenset(("1s", "1m"))
    said = ["live"]

    def streams() -> Streams:
        state = StreamState(exchange="okx", symbol=SYMBOL, channel="candles:1s", state=said[0])
        return Streams("okx", 0, (state,))

    feed.streams = streams
    wants = [*CANDLES, Want(SYMBOL, Channel.CANDLES, "1s")]
    desk = Desk(feed, wants)
    async with desk.running():
        await until(lambda: len(desk.collector._keepers) == 2)
        said[0] = "refused"
        await until(lambda: feed.changed)
        assert feed.changed[-1] == (*wants, Want(SYMBOL, Channel.TRADES))  # it is still asked for
        await until(lambda: len(desk.collector._keepers) == 1)
        for i, seconds in enumerate((0.5, 1.5, 1.7, 2.5, 4.5)):
            trade = Print("okx", SYMBOL, str(i), int(seconds * 1e6), 100.0 + i, 1.0, 1)
            feed.say(trade, channel="trades", ts=trade.ts)
        await until(lambda: "candle:okx:BTC-USD:1s" in dict(desk.bus.messages))
        stored = await desk.store.load("okx", SYMBOL, Timeframe.parse("1s"), None, None)
        assert (stored.ts[0], stored.volume[0], stored.candle(0).origin) == (1_000_000, 2.0, Origin.BUILT)
        said[0] = "live"
        await until(lambda: len(desk.collector._keepers) == 2)
        assert feed.changed[-1] == tuple(wants)
