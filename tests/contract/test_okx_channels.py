"""Every channel of the native OKX feed against the simulated exchange: a swap, its pair, and the venue as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import numpy as np
import pytest

from onetape.domain.frame import CandleFrame
from onetape.domain.market import (
    Book,
    Channel,
    Funding,
    Index,
    InstrumentChange,
    Mark,
    Print,
    Received,
    VenueStatus,
    Want,
)
from onetape.domain.units import HOUR, MINUTE
from onetape.exchanges.connection import Habits
from onetape.exchanges.okx.feed import OkxFeed
from onetape.venue.server import Venue

PAIR, SWAP = "BTC-USD", "BTC-USD-SWAP"
START = 1_560_000_000_000_000
HABITS = Habits(backoff=0.05, backoff_limit=0.2, connects=1_000)


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    n = 400
    close = 8_000 + np.arange(n) % 7
    columns = {
        "ts": START + np.arange(n) * MINUTE,
        "open": close,
        "high": close + 2,
        "low": close - 2,
        "close": close,
        "volume": np.full(n, 3.5),
    }
    venue = Venue([CandleFrame.of("okx", PAIR, "1m", columns)], speed=60.0, start_ts=START + 100 * MINUTE, limits=False)
    await venue.start()
    yield venue
    await venue.stop()


@pytest.fixture
async def feed(venue: Venue) -> AsyncIterator[OkxFeed]:
    feed = OkxFeed(venue.rest_url, venue.ws_url, habits=HABITS)
    yield feed
    await feed.close()


async def first_of(feed: OkxFeed, *wants: Want) -> dict[tuple[str, str], Received]:
    """The first message of each stream."""
    found: dict[tuple[str, str], Received] = {}
    names = {(want.symbol, want.name) for want in wants}
    async with asyncio.timeout(20), aclosing(feed.stream(wants)) as stream:  # type: ignore[type-var]
        async for received in stream:
            if received.raw is not None:
                found.setdefault((received.raw.symbol, received.raw.channel), received)
            if names <= set(found):
                return found
    raise AssertionError("the stream ended")


async def test_every_channel_of_a_swap_speaks(feed: OkxFeed, venue: Venue) -> None:
    channels = {
        Channel.TRADES: Print,
        Channel.TRADES_ALL: Print,
        Channel.BOOK: Book,
        Channel.BOOK5: Book,
        Channel.BBO: Book,
        Channel.MARK: Mark,
        Channel.FUNDING: Funding,
    }
    found = await first_of(feed, *(Want(SWAP, channel) for channel in channels))
    for channel, kind in channels.items():
        (event, *_) = found[(SWAP, str(channel))].events
        assert isinstance(event, kind), channel
        assert event.symbol == SWAP
    funding = found[(SWAP, "funding")].events[0]
    assert isinstance(funding, Funding)
    assert venue.now() < funding.ts <= venue.now() + 8 * HOUR
    five = found[(SWAP, "book5")].events[0]
    assert isinstance(five, Book)
    assert len(five.bids) == 5


async def test_sizes_of_a_swap_are_coins_whatever_its_contract_is(feed: OkxFeed) -> None:
    """The swap trades what its pair trades: about 3.5 coins a minute, in contracts of a part of a coin."""
    instrument = next(i for i in await feed.instruments() if i.symbol == SWAP)
    assert instrument.contract_size != 1.0
    pages = [page async for page in feed.past_trades(SWAP, START + 50 * MINUTE, START + 60 * MINUTE)]
    total = sum(e.qty for page in pages for e in page.events if isinstance(e, Print))
    assert total == pytest.approx(35.0, rel=0.5)


async def test_index_of_a_swap_is_told_as_its_pairs(feed: OkxFeed) -> None:
    found: list[Index] = []
    async with asyncio.timeout(20), aclosing(feed.stream([Want(SWAP, Channel.INDEX)])) as stream:  # type: ignore[type-var]
        async for received in stream:
            found += [e for e in received.events if isinstance(e, Index)]
            if found:
                break
    assert found[0].symbol == PAIR


async def test_venue_as_a_whole_tells_its_instruments_and_its_maintenance(feed: OkxFeed, venue: Venue) -> None:
    venue.announce("Upgrade", "scheduled", START, START + HOUR)
    found = await first_of(feed, Want("*", Channel.STATUS), Want("*", Channel.INSTRUMENTS))
    (status,) = found[("*", "status")].events
    assert isinstance(status, VenueStatus)
    assert (status.title, status.state, status.end_ts) == ("Upgrade", "scheduled", START + HOUR)
    assert [s.title for s in await feed.status()] == ["Upgrade"]
    told = [e.symbol for e in found[("*", "instruments")].events if isinstance(e, InstrumentChange)]
    assert set(told) <= {PAIR, SWAP}
    assert told


async def test_a_suspension_is_told_on_the_stream_and_shown_by_rest(feed: OkxFeed, venue: Venue) -> None:
    states: list[str] = []
    wants = [Want("*", Channel.INSTRUMENTS), Want(PAIR, Channel.TRADES)]
    async with asyncio.timeout(20), aclosing(feed.stream(wants)) as stream:  # type: ignore[type-var]
        async for received in stream:
            told = [e.instrument for e in received.events if isinstance(e, InstrumentChange) and e.symbol == PAIR]
            states += [each.state for each in told]
            if told and len(states) == 1:
                venue.change_state(PAIR, "suspend")
            if states[-1:] == ["suspend"]:
                break
    assert [each.state for each in await feed.instruments() if each.symbol == PAIR] == ["suspend"]


async def test_what_okx_does_not_have_is_refused_by_name_and_shown(feed: OkxFeed) -> None:
    wants = [Want(PAIR, Channel.TRADES), Want(PAIR, Channel.FUNDING), Want("NO-SUCH-SWAP", Channel.TRADES)]
    await first_of(feed, wants[0])
    states = {}
    async with asyncio.timeout(20), aclosing(feed.stream(wants)) as stream:  # type: ignore[type-var]
        async for _ in stream:
            states = {(s.symbol, s.channel): s for s in feed.streams().items}
            break
    assert states[(PAIR, "trades")].state == "live"
    assert "pays no funding" in states[(PAIR, "funding")].reason
    assert "has no instrument NO-SUCH-SWAP" in states[("NO-SUCH-SWAP", "trades")].reason
    assert {states[key].state for key in states if key != (PAIR, "trades")} == {"refused"}


async def test_clock_of_the_venue_is_measured_while_streaming(feed: OkxFeed) -> None:
    """The simulated exchange lives in 2019: its clock is years behind."""
    async with asyncio.timeout(20), aclosing(feed.stream([Want(PAIR, Channel.TRADES)])) as stream:  # type: ignore[type-var]
        async for _ in stream:
            if feed.streams().clock_offset_ms:
                break
    assert feed.streams().clock_offset_ms < -1e11


async def test_where_trades_all_needs_a_login_trades_come_in_their_place_and_it_is_shown(
    feed: OkxFeed, venue: Venue
) -> None:
    venue.members_only("trades-all")
    wants = [Want(PAIR, Channel.TRADES_ALL), Want(SWAP, Channel.TRADES_ALL)]
    found: set[str] = set()
    states = {}
    async with asyncio.timeout(20), aclosing(feed.stream(wants)) as stream:  # type: ignore[type-var]
        async for received in stream:
            if received.raw is not None:
                assert received.raw.channel == "trades"
                found.add(received.raw.symbol)
            if found == {PAIR, SWAP}:
                states = {(s.symbol, s.channel): s for s in feed.streams().items}
                break
    assert states[(PAIR, "trades")].state == "live"
    for symbol in (PAIR, SWAP):
        assert states[(symbol, "trades_all")].state == "refused"
        assert "trades are recorded in its place" in states[(symbol, "trades_all")].reason
