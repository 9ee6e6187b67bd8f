"""The native feed on a recorded market: every print of the recording, and the book it ends with."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

from onetape.domain.market import Book, Channel, Print, Want
from onetape.exchanges.connection import Habits
from onetape.exchanges.okx.feed import OkxFeed
from onetape.venue.played import by_instrument
from onetape.venue.recording import read_file
from onetape.venue.server import Venue

SYMBOL = "BTC-USDT"
RECORDING = "capture/okx_v5_public_2022-05-13_BTC-USDT_UNI-USD-SWAP.ws.gz"


async def test_prints_and_book_of_a_recording_arrive_whole(shared_data: Path) -> None:
    recording = read_file(shared_data / RECORDING)
    expected = [row["tradeId"] for p in recording if (p.symbol, p.channel) == (SYMBOL, "trades") for row in p.data]
    final = by_instrument(recording)[SYMBOL].book(10**18, 25)
    venue = Venue(recording=recording, speed=20, limits=False)
    await venue.start()
    feed = OkxFeed(venue.rest_url, venue.ws_url, habits=Habits(ping_after=1.0, silence=30.0, backoff=0.05))
    prints: list[str] = []
    book: Book | None = None
    try:
        async with (
            asyncio.timeout(20),
            aclosing(feed.stream([Want(SYMBOL, c) for c in (Channel.TRADES, Channel.BOOK)])) as stream,
        ):  # type: ignore[type-var]
            async for received in stream:
                prints += [event.id for event in received.events if isinstance(event, Print)]
                book = next((event for event in received.events if isinstance(event, Book)), book)
                if venue.finished.is_set() and len(prints) >= len(expected) and book and book.ts == final.ts:
                    break
    finally:
        await feed.close()
        await venue.stop()
    assert prints == expected
    assert book is not None
    assert book.valid
    assert [round(price * 10) for price, _ in book.bids] == final.bids.place.tolist()
    assert [round(price * 10) for price, _ in book.asks] == final.asks.place.tolist()
    assert [round(qty * 10**8) for _, qty in book.asks] == final.asks.lots.tolist()
