"""What every market feed keeps to. A new adapter joins by one more entry in `feeds.CASES`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from onetape.domain.frame import concat
from onetape.domain.market import (
    WATCHED,
    Book,
    Candle,
    Channel,
    Forming,
    Gap,
    Print,
    Quote,
    Received,
    StreamState,
    Want,
)
from onetape.domain.units import MINUTE, Timeframe
from onetape.exchanges.okx.feed import OkxFeed
from onetape.marketdata.aggregator import CandleBuilder
from onetape.marketdata.collector import wants_for
from onetape.ports import MarketFeed
from onetape.venue.server import Venue
from tests.contract.feeds import CASES, QUICK, START, SYMBOL, Case, okx_wire, tape

M1 = Timeframe.parse("1m")


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
async def stage(case: Case) -> AsyncIterator[Any]:
    made = case.stage()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """The simulated OKX, for what only its own adapter does."""
    made = okx_wire()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def feed(case: Case, stage: Any) -> AsyncIterator[MarketFeed]:
    feed = case.open(stage)
    yield feed
    await feed.close()


def needs(case: Case, ability: str) -> None:
    if ability in case.lacks:
        pytest.skip(f"this adapter has no {ability}")


async def watch(feed: MarketFeed, enough: Callable[[Received], bool], *channels: Channel) -> list[Received]:
    """What the stream brings until `enough`."""
    seen: list[Received] = []
    async with (
        asyncio.timeout(20),
        aclosing(feed.stream(wants_for([SYMBOL], [], channels or WATCHED))) as stream,
    ):  # type: ignore[type-var]
        async for received in stream:
            seen.append(received)
            if enough(received):
                return seen
    raise AssertionError("the stream ended")


def has(kind: type) -> Callable[[Received], bool]:
    return lambda received: any(isinstance(e, kind) for e in received.events)


async def test_history_is_complete_rising_and_closed(feed: MarketFeed, stage: Any) -> None:
    start, end = START + 100 * MINUTE, START + 1_450 * MINUTE
    pages = [page async for page in feed.history(SYMBOL, M1, start, end)]
    whole = concat(pages)
    assert len(pages) > 1
    assert whole.ts.tolist() == list(range(start, end, MINUTE))
    expected = tape().between(start, end)
    for name in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(whole, name), getattr(expected, name))


async def test_history_never_holds_the_running_candle(feed: MarketFeed, stage: Any) -> None:
    now = await feed.now()
    pages = [page async for page in feed.history(SYMBOL, M1, now - 5 * MINUTE, now + 5 * MINUTE)]
    assert int(pages[-1].close_ts[-1]) <= await feed.now()


async def test_now_is_the_venues_time(feed: MarketFeed, stage: Any) -> None:
    before, now, after = stage.now(), await feed.now(), stage.now()
    assert before - 1_000 <= now <= after + (after - before)  # stated in milliseconds, and it moves while we ask


async def test_instruments_have_steps(feed: MarketFeed) -> None:
    found = {instrument.symbol: instrument for instrument in await feed.instruments()}
    assert SYMBOL in found
    assert all(instrument.tick > 0 and instrument.lot > 0 for instrument in found.values())


async def test_stream_brings_every_channel_with_its_raw_frames(feed: MarketFeed) -> None:
    kinds: set[type] = set()

    def enough(received: Received) -> bool:
        kinds.update(type(event) for event in received.events)
        return {Candle, Forming, Print, Quote, Book} <= kinds

    seen = await watch(feed, enough)
    events = [e for r in seen for e in r.events]
    assert all(e.recv_ts > 0 for e in events if not isinstance(e, Gap))
    assert {r.raw.channel for r in seen if r.raw} == {"trades", "book", "ticker", "candles:1m"}
    assert all(r.raw.data.startswith(b"{") for r in seen if r.raw)


async def test_closed_candles_come_once_in_order_and_equal_history(feed: MarketFeed) -> None:
    candles: list[Candle] = []

    def enough(received: Received) -> bool:
        candles.extend(e for e in received.events if isinstance(e, Candle))
        return len(candles) >= 4

    await watch(feed, enough, Channel.CANDLES)
    opens = [c.open_ts for c in candles]
    assert opens == list(range(opens[0], opens[0] + 4 * MINUTE, MINUTE))
    expected = tape().between(opens[0], opens[0] + 4 * MINUTE)
    assert [c.close for c in candles] == expected.close.tolist()
    assert [c.volume for c in candles] == expected.volume.tolist()


async def test_prints_rebuild_the_candles_of_the_venue(feed: MarketFeed) -> None:
    """Same bounds, same prices; volumes up to the sum's last digit, because the venue states them rounded."""
    builder = CandleBuilder("okx", SYMBOL, "1m")
    built: dict[int, Candle] = {}
    told: dict[int, Candle] = {}

    def enough(received: Received) -> bool:
        for event in received.events:
            if isinstance(event, Print) and (candle := builder.add(event)):
                built[candle.open_ts] = candle
            elif isinstance(event, Candle):
                told[event.open_ts] = event
        return len(set(sorted(built)[1:]) & set(told)) >= 2  # the first may have begun before we came

    await watch(feed, enough, Channel.TRADES, Channel.CANDLES)
    for ts in sorted(set(sorted(built)[1:]) & set(told)):
        mine, theirs = built[ts], told[ts]
        assert (mine.open, mine.high, mine.low, mine.close) == (theirs.open, theirs.high, theirs.low, theirs.close)
        assert mine.volume == pytest.approx(theirs.volume, rel=1e-12)


async def test_dropped_connections_come_back_with_a_gap(feed: MarketFeed, stage: Any) -> None:
    dropped = False

    def enough(received: Received) -> bool:
        nonlocal dropped
        if not dropped and has(Print)(received):
            dropped = True
            stage.drop_connections()
            time.sleep(0.3)  # half a minute of the market, which nobody receives
        return dropped and has(Gap)(received)

    seen = await watch(feed, enough, Channel.TRADES)
    gap = next(e for e in seen[-1].events if isinstance(e, Gap))
    before = [e for r in seen[:-1] for e in r.events if isinstance(e, Print)]
    after = next(e for e in seen[-1].events if isinstance(e, Print))
    assert (gap.symbol, gap.channel) == (SYMBOL, "trades")
    assert (gap.start_ts, gap.end_ts) == (before[-1].ts, after.ts)
    assert gap.cause


async def test_one_dropped_connection_of_two_is_no_hole(feed: MarketFeed, stage: Any) -> None:
    prints: list[Print] = []
    dropped = 0

    def enough(received: Received) -> bool:
        nonlocal dropped
        prints.extend(e for e in received.events if isinstance(e, Print))
        (state,) = feed.streams().items
        if state.sockets == 2 and dropped < 4:  # each of them twice, in turn
            stage.drop_oldest_connection()
            dropped += 1
        return dropped == 4 and state.sockets == 2

    seen = await watch(feed, enough, Channel.TRADES)
    assert not any(has(Gap)(r) for r in seen)
    reference = OkxFeed(stage.rest_url, stage.ws_url)
    pages = [page async for page in reference.past_trades(SYMBOL, prints[0].ts, prints[-1].ts + 1_000)]
    await reference.close()
    between = [e.id for page in pages for e in page.events if isinstance(e, Print)]
    ids = [p.id for p in prints]
    assert ids == [i for i in between if int(ids[0]) <= int(i) <= int(ids[-1])]


async def test_silent_venue_is_left_and_found_again(feed: MarketFeed, stage: Any) -> None:
    silent = False

    def enough(received: Received) -> bool:
        nonlocal silent
        if not silent and has(Print)(received):
            silent = True
            stage.go_silent()
            asyncio.get_running_loop().call_later(2.5, stage.go_silent, False)
        return silent and has(Gap)(received)

    await watch(feed, enough, Channel.TRADES)


async def test_announced_upgrade_is_followed_without_a_hole(feed: MarketFeed, stage: Any, case: Case) -> None:
    needs(case, "notices")
    old: set[object] = set()
    prints: list[Print] = []

    def enough(received: Received) -> bool:
        prints.extend(e for e in received.events if isinstance(e, Print))
        if not old and prints:
            old.update(stage._connections)
            stage.notice()
        return bool(old) and not old & set(stage._connections) and received.raw is not None

    seen = await watch(feed, enough, Channel.TRADES)
    assert not any(has(Gap)(r) for r in seen)
    pages = [page async for page in feed.past_trades(SYMBOL, prints[0].ts, prints[-1].ts + 1_000)]
    between = [e.id for page in pages for e in page.events if isinstance(e, Print)]
    ids = [p.id for p in prints]
    assert ids == [i for i in between if int(ids[0]) <= int(i) <= int(ids[-1])]


async def test_broken_book_is_invalid_then_valid_again(feed: MarketFeed, stage: Any) -> None:
    valid: list[bool] = []

    def enough(received: Received) -> bool:
        for event in received.events:
            if isinstance(event, Book):
                valid.append(event.valid)
                assert event.valid or not event.bids
        if len(valid) == 3:
            stage.skip_book_update(SYMBOL)
        return False in valid and valid[-1]

    await watch(feed, enough, Channel.BOOK)


async def test_books_are_sorted_and_do_not_cross(feed: MarketFeed) -> None:
    books: list[Book] = []

    def enough(received: Received) -> bool:
        """Books are told with a message or by the clock, whichever comes first."""
        books.extend(e for e in received.events if isinstance(e, Book))
        return len(books) >= 4

    await watch(feed, enough, Channel.BOOK)
    for book in books:
        bids, asks = [p for p, _ in book.bids], [p for p, _ in book.asks]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert bids[0] < asks[0]
        assert len(bids) <= 25


async def test_busy_history_is_waited_for(feed: MarketFeed, stage: Any) -> None:
    stage.refuse(1)
    pages = [page async for page in feed.history(SYMBOL, M1, START, START + 10 * MINUTE)]
    assert sum(map(len, pages)) == 10


async def test_change_brings_the_new_stream_and_does_not_interrupt_the_others(
    feed: MarketFeed, stage: Any, case: Case
) -> None:
    changed = False
    came: list[int] = []
    prints: list[Print] = []

    def enough(received: Received) -> bool:
        nonlocal changed
        prints.extend(e for e in received.events if isinstance(e, Print))
        if not changed and prints:
            changed = True
            feed.change(wants_for([SYMBOL], [], [Channel.TRADES, Channel.CANDLES]))
        if has(Forming)(received):
            came.append(len(prints))
        return len(came) > 0 and len(prints) > came[0] + 20

    seen = await watch(feed, enough, Channel.TRADES, Channel.TICKER)
    reference = OkxFeed(stage.rest_url, stage.ws_url) if "past trades" in case.lacks else feed
    pages = [page async for page in reference.past_trades(SYMBOL, prints[0].ts, prints[-1].ts + 1_000)]
    await reference.close()
    between = [e.id for page in pages for e in page.events if isinstance(e, Print)]
    ids = [p.id for p in prints]
    assert ids == [i for i in between if int(ids[0]) <= int(i) <= int(ids[-1])]  # none is missing
    assert not any(has(Gap)(r) for r in seen)


async def test_streams_tell_how_each_one_is_doing(feed: MarketFeed, stage: Any) -> None:
    assert feed.streams().items == ()
    told: dict[str, StreamState] = {}

    def enough(received: Received) -> bool:
        told.update((state.channel, state) for state in feed.streams().items)
        return has(Print)(received) and told["trades"].state == "live"

    await watch(feed, enough, Channel.TRADES, Channel.CANDLES)
    assert set(told) == {"trades", "candles:1m"}
    assert told["trades"].messages > 0
    assert told["trades"].event_ts > START
    assert told["trades"].age_ms >= 0
    assert told["trades"].sockets >= 1


async def test_past_trades_come_once_older_first_and_inside_the_span(feed: MarketFeed, stage: Any, case: Case) -> None:
    needs(case, "past trades")
    start, end = START + 1_000 * MINUTE + 123_000, START + 1_007 * MINUTE
    pages = [page async for page in feed.past_trades(SYMBOL, start, end)]
    prints = [e for page in pages for e in page.events if isinstance(e, Print)]
    ids = [int(p.id) for p in prints]
    assert ids == sorted(set(ids))
    assert all(start <= p.ts < end for p in prints)
    assert all(p.raw is not None and p.raw.channel == "trades_rest" and p.raw.data for p in pages)
    builder = CandleBuilder("okx", SYMBOL, "1m")
    built = [candle for p in prints if (candle := builder.add(p))]
    expected = tape().between(START + 1_001 * MINUTE, START + 1_006 * MINUTE)
    assert [c.close for c in built[1:]] == expected.close.tolist()
    assert [c.volume for c in built[1:]] == pytest.approx(expected.volume.tolist())


async def test_book_from_rest_is_sorted_and_kept_as_it_came(feed: MarketFeed) -> None:
    received = await feed.book(SYMBOL)
    (book,) = received.events
    assert isinstance(book, Book)
    assert book.bids[0][0] < book.asks[0][0]
    assert received.raw is not None
    assert received.raw.channel == "book_rest"


async def test_stored_frames_decode_to_the_same_events(feed: MarketFeed, case: Case) -> None:
    """Books are told by the clock while they run and by receipt afterwards; everything else is the same."""
    kinds: set[type] = set()

    def enough(received: Received) -> bool:
        kinds.update(type(event) for event in received.events)
        return {Candle, Book} <= kinds

    seen = await watch(feed, enough)
    decode = case.decoder(feed.exchange)
    for received in seen:
        if received.raw is not None and received.raw.channel != "book":
            assert decode(received.raw) == tuple(e for e in received.events if not isinstance(e, Gap))
    books = [e for r in seen if r.raw and r.raw.channel == "book" for e in decode(r.raw)]
    assert all(isinstance(b, Book) and b.valid for b in books)
    assert books


async def test_want_that_cannot_be_fulfilled_does_not_stop_the_others(feed: MarketFeed) -> None:
    wants = [Want("NO-SUCH", Channel.TRADES), Want(SYMBOL, Channel.TRADES), Want(SYMBOL, Channel.CANDLES, "7m")]
    async with asyncio.timeout(10), aclosing(feed.stream(wants)) as stream:  # type: ignore[type-var]
        async for received in stream:
            if has(Print)(received):
                return


async def test_venue_that_comes_later_is_found(unused_tcp_port: int) -> None:
    venue = Venue([tape()], port=unused_tcp_port, speed=120.0, start_ts=START + 1_500 * MINUTE, limits=False)
    feed = OkxFeed(venue.rest_url, venue.ws_url, habits=QUICK)
    watching = asyncio.create_task(watch(feed, has(Print), Channel.TRADES))
    async with asyncio.timeout(30):
        while not feed.trouble:
            await asyncio.sleep(0.01)
    assert feed.trouble == "127.0.0.1 cannot be reached: it refuses the connection."
    await venue.start()
    await watching
    assert feed.trouble == ""
    await feed.close()
    await venue.stop()
