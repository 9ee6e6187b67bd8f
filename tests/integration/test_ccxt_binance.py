"""Binance through the library over real sockets: a small server speaks as much of its wire as a spot stream needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from onetape.domain.market import Book, Channel, Gap, Print, Received, Want
from onetape.exchanges.ccxt.decoding import decoder
from onetape.exchanges.ccxt.feed import CcxtFeed
from onetape.exchanges.connection import Habits

SYMBOL = "BTC-USDT"
TRADES, BOOK = Want(SYMBOL, Channel.TRADES), Want(SYMBOL, Channel.BOOK)
QUICK = Habits(silence=5.0, backoff=0.05, backoff_limit=0.2)
LISTED = {
    "timezone": "UTC",
    "serverTime": 1_700_000_000_000,
    "rateLimits": [],
    "exchangeFilters": [],
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "status": "TRADING",
            "baseAsset": "BTC",
            "baseAssetPrecision": 8,
            "quoteAsset": "USDT",
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
                {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
                {"filterType": "NOTIONAL", "minNotional": "5.0"},
            ],
            "permissions": ["SPOT"],
        }
    ],
}


class Binance:
    """Sends a trade and a depth update every 20 ms to whoever has subscribed to them. Update ids rise by one."""

    def __init__(self) -> None:
        self.sockets: dict[web.WebSocketResponse, set[str]] = {}
        self.asked: list[dict[str, Any]] = []
        self.connected = 0
        self.u = 100
        self._trade = 0

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/v3/exchangeInfo", self._json(lambda: LISTED))
        app.router.add_get("/api/v3/depth", self._json(self._depth))
        app.router.add_get("/stream/{lane}", self._socket)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self._playing = asyncio.create_task(self._play())

    async def stop(self) -> None:
        self._playing.cancel()
        for socket in list(self.sockets):
            await socket.close()
        await self._runner.cleanup()

    async def drop(self) -> None:
        for socket in list(self.sockets):
            await socket.close()

    async def drop_one(self) -> None:
        """The connection that was made first."""
        await next(iter(self.sockets)).close()

    def _json(self, answer: Callable[[], Any]) -> Any:
        async def handle(_: web.Request) -> web.Response:
            return web.json_response(answer())

        return handle

    def _depth(self) -> dict[str, Any]:
        return {"lastUpdateId": self.u, "bids": [["100.00", "1"], ["99.00", "2"]], "asks": [["101.00", "3"]]}

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connected += 1
        wanted = self.sockets.setdefault(socket, set())
        async for message in socket:
            asked = json.loads(message.data)
            self.asked.append(asked)
            act = wanted.update if asked["method"] == "SUBSCRIBE" else wanted.difference_update
            act(asked["params"])
            await socket.send_json({"result": None, "id": asked["id"]})
        del self.sockets[socket]
        return socket

    async def _play(self) -> None:
        while True:
            await asyncio.sleep(0.02)
            self.u += 1
            self._trade += 1
            ms = 1_700_000_000_000 + self.u
            trade = {
                "e": "aggTrade",
                "E": ms,
                "s": "BTCUSDT",
                "a": self._trade,
                "p": "100.50",
                "q": "0.1",
                "T": ms,
                "m": True,
            }
            level = ["100.00", str(1 + self.u % 5)]
            depth = {"e": "depthUpdate", "E": ms, "s": "BTCUSDT", "U": self.u, "u": self.u, "b": [level], "a": []}
            for socket, wanted in list(self.sockets.items()):
                for said, stream in ((trade, "@aggTrade"), (depth, "@depth")):
                    if any(stream in one for one in wanted) and not socket.closed:
                        await socket.send_json(said)


@pytest.fixture
async def venue() -> AsyncIterator[Binance]:
    made = Binance()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def feed(venue: Binance) -> AsyncIterator[CcxtFeed]:
    rest, ws = f"http://127.0.0.1:{venue.port}/api/v3", f"ws://127.0.0.1:{venue.port}/stream"
    settings = {
        "urls": {"api": {"public": rest, "v3": rest, "ws": {"spot": ws}}},
        "enableRateLimit": False,
        "options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False},
    }
    made = CcxtFeed("binance", settings, habits=QUICK)
    yield made
    await made.close()


async def watch(feed: CcxtFeed, wants: list[Want], enough: Callable[[Received], bool]) -> list[Received]:
    seen: list[Received] = []
    async with asyncio.timeout(20), aclosing(feed.stream(wants)) as stream:  # type: ignore[type-var]
        async for received in stream:
            seen.append(received)
            if enough(received):
                return seen
    raise AssertionError("the stream ended")


def prints(seen: list[Received]) -> list[int]:
    return [int(e.id) for r in seen for e in r.events if isinstance(e, Print)]


async def test_every_trade_comes_once_with_the_message_that_told_it(feed: CcxtFeed) -> None:
    count = 0

    def enough(received: Received) -> bool:
        nonlocal count
        count += len(prints([received]))
        return count >= 20

    seen = await watch(feed, [TRADES], enough)
    ids = prints(seen)
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    for received in seen:
        assert received.raw is not None
        assert json.loads(received.raw.data)["a"] == int(received.events[0].id)  # type: ignore[union-attr]


async def test_book_begins_with_the_answer_of_rest_kept_among_its_messages(
    feed: CcxtFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onetape.exchanges.ccxt.books._INTERVAL", 0)
    told: list[Book] = []

    def enough(received: Received) -> bool:
        told.extend(e for e in received.events if isinstance(e, Book))
        return len(told) >= 10

    seen = await watch(feed, [BOOK], enough)
    frames = [r.raw for r in seen if r.raw is not None]
    assert sum(b"lastUpdateId" in frame.data for frame in frames) == 1
    assert {frame.channel for frame in frames} == {"book"}
    assert all(book.valid and book.asks == [(101.0, 3.0)] for book in told)
    decode = decoder("binance")
    again = [(b"lastUpdateId" in frame.data, decode(frame)) for frame in frames]
    assert [events for rest, events in again if not rest and events] == [r.events for r in seen if r.raw and r.events]
    assert [len(events) for rest, events in again if rest] == [1]


async def test_lost_connection_is_a_gap_and_an_invalid_book_and_then_comes_back(feed: CcxtFeed, venue: Binance) -> None:
    dropped: list[asyncio.Task[None]] = []
    valid: list[bool] = []
    gaps: list[Gap] = []

    def enough(received: Received) -> bool:
        valid.extend(e.valid for e in received.events if isinstance(e, Book))
        gaps.extend(e for e in received.events if isinstance(e, Gap) and e.channel == "trades")
        if True in valid and not dropped and prints([received]):
            dropped.append(asyncio.create_task(venue.drop()))
        return False in valid and valid[-1] and bool(gaps)

    seen = await watch(feed, [TRADES, BOOK], enough)
    (gap,) = gaps
    times = [e.ts for r in seen for e in r.events if isinstance(e, Print)]
    assert gap.start_ts in times
    assert gap.end_ts in times
    assert not any(gap.start_ts < ts < gap.end_ts for ts in times)
    ids = prints(seen)
    assert ids == sorted(set(ids))


async def test_one_lost_connection_of_two_is_no_hole_in_trades_and_book(feed: CcxtFeed, venue: Binance) -> None:
    dropped = 0

    def enough(received: Received) -> bool:
        nonlocal dropped
        states = feed.streams().items
        if len(states) == 2 and all(state.sockets == 2 for state in states):
            if dropped == 4:
                return True
            dropped += 1
            asyncio.get_running_loop().create_task(venue.drop_one())
        return False

    seen = await watch(feed, [TRADES, BOOK], enough)
    events = [e for r in seen for e in r.events]
    assert not any(isinstance(e, Gap) for e in events)
    assert all(e.valid for e in events if isinstance(e, Book))
    ids = prints(seen)
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    chain = [json.loads(r.raw.data) for r in seen if r.raw is not None and r.raw.channel == "book"]
    updates = [message["u"] for message in chain if "u" in message]
    assert updates == list(range(updates[0], updates[0] + len(updates)))
    assert sum("lastUpdateId" in message for message in chain) == 1  # one chain, whoever brought its messages


async def test_streams_have_rates_and_delays(feed: CcxtFeed) -> None:
    told: list[Any] = []

    def enough(_: Received) -> bool:
        told[:] = feed.streams().items
        return len(told) == 2 and all(s.per_second > 1 and s.delay_p50_ms >= 0 and s.dropped for s in told)

    await watch(feed, [TRADES, BOOK], enough)
    for state in told:
        assert state.delay_p50_ms <= state.delay_p99_ms
        assert 0 <= state.age_ms < 1_000
        assert state.sockets == 2


async def test_stream_that_is_no_longer_wanted_is_left(feed: CcxtFeed, venue: Binance) -> None:
    left = False

    def enough(received: Received) -> bool:
        nonlocal left
        if not left and any(isinstance(e, Book) for e in received.events):
            left = True
            feed.change([TRADES])
        return any(asked["method"] == "UNSUBSCRIBE" for asked in venue.asked)

    await watch(feed, [TRADES, BOOK], enough)
    gone = [a["params"] for a in venue.asked if a["method"] == "UNSUBSCRIBE"]
    assert set(map(tuple, gone)) == {("btcusdt@depth@100ms",)}


async def test_nothing_is_left_open_at_the_end(feed: CcxtFeed, venue: Binance) -> None:
    await watch(feed, [TRADES, BOOK], lambda received: any(isinstance(e, Book) for e in received.events))
    await feed.close()
    async with asyncio.timeout(30):
        while venue.sockets:
            await asyncio.sleep(0.01)
    assert feed.streams().items == ()


async def test_stream_that_cannot_be_had_is_shown_with_the_reason(feed: CcxtFeed) -> None:
    nothing, best = Want("NO-SUCH", Channel.TRADES), Want(SYMBOL, Channel.BBO)
    refused: list[str] = []

    def enough(received: Received) -> bool:
        refused[:] = sorted(item.reason for item in feed.streams().items if item.state == "refused")
        return len(refused) == 2

    await watch(feed, [nothing, best, TRADES], enough)
    assert refused[0].startswith("bbo of binance is not read through ccxt; it reads trades, candles,")
    assert refused[1] == "binance has no instrument NO-SUCH. Names look like BTC-USDT or BTC-USDT-SWAP."


async def test_venue_that_does_not_answer_is_said_to_be_in_trouble(
    unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onetape.exchanges.ccxt.rest._PAUSE", 0.001)
    address = f"http://127.0.0.1:{unused_tcp_port}/api/v3"
    feed = CcxtFeed(
        "binance", {"urls": {"api": {"public": address}}, "options": {"fetchCurrencies": False}}, habits=QUICK
    )

    async def consume() -> None:
        async for _ in feed.stream([TRADES]):
            raise AssertionError("nothing can come")

    consuming = asyncio.create_task(consume())
    async with asyncio.timeout(15):
        while not feed.streams().trouble:
            await asyncio.sleep(0.02)
    assert feed.streams().trouble == "127.0.0.1 cannot be reached: it refuses the connection."
    consuming.cancel()
    await asyncio.gather(consuming, return_exceptions=True)
    await feed.close()
