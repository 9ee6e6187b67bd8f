"""Each venue that is named, over real sockets: a small server answers its REST and sends its recorded messages.

What is asked of all: instruments and history with our anchors, trades, candles where the venue streams them, the book,
every message kept, and a gap row after both connections were lost.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from onetape.domain.frame import concat
from onetape.domain.market import Book, Candle, Channel, Forming, Gap, Print, Received, Want
from onetape.domain.units import HOUR, Timeframe
from onetape.exchanges.ccxt.feed import CcxtFeed
from onetape.exchanges.connection import Habits

DATA = Path(__file__).parents[1] / "data" / "venues"
QUICK = Habits(silence=5.0, backoff=0.05, backoff_limit=0.2)
H1 = Timeframe.parse("1h")
START = 1_704_067_200_000_000  # 2024-01-01T00:00Z, a Monday
HOURS = [(START + i * HOUR) // 1_000_000 for i in range(5)]  # seconds


class Wire(NamedTuple):
    """`rest`: answers by the end of the path; `later`: a trade after the loss; `acks`: what answers a request."""

    symbol: str
    rest: dict[str, Any]
    urls: Any
    candles: str
    later: dict[str, Any]


BYBIT = Wire(
    "BTC-USDT",
    {
        "/v5/market/instruments-info": {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": [
            {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "innovation": "0", "status": "Trading",
             "marginTrading": "both", "lotSizeFilter": {"basePrecision": "0.000001", "quotePrecision": "0.00000001",
             "minOrderQty": "0.000048", "maxOrderQty": "71.73956243", "minOrderAmt": "1", "maxOrderAmt": "4000000"},
             "priceFilter": {"tickSize": "0.01"}}]}, "time": 1704067200000},
        "/v5/market/kline": {"retCode": 0, "retMsg": "OK", "result": {"symbol": "BTCUSDT", "category": "spot", "list": [
            [str(s * 1_000), "42000", "42100", "41900", f"42{i:03}", "12.5", "525000"] for i, s in enumerate(HOURS)
            ][::-1]}, "time": 1704067200000},
        "/v5/market/time": {"retCode": 0, "retMsg": "OK", "result": {"timeSecond": "1704100000",
                            "timeNano": "1704100000000000000"}, "time": 1704100000000},
    },
    lambda rest, ws: {"spot": rest, "futures": rest, "v2": rest, "public": rest, "private": rest,
                      "ws": {"public": {"spot": f"{ws}/v5/public/spot", "linear": f"{ws}/v5/public/linear"}}},
    "5m",
    {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1672304496868, "data": [
        {"T": 1672304496865, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "i": "later", "BT": False}]},
)  # fmt: skip
KRAKEN = Wire(
    "BTC-USD",
    {
        "/AssetPairs": {"error": [], "result": {"XXBTZUSD": {
            "altname": "XBTUSD", "wsname": "XBT/USD", "aclass_base": "currency", "base": "XXBT",
            "aclass_quote": "currency", "quote": "ZUSD", "lot": "unit", "cost_decimals": 5, "pair_decimals": 1,
            "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [], "leverage_sell": [], "fees": [[0, 0.25]],
            "fees_maker": [[0, 0.16]], "fee_volume_currency": "ZUSD", "ordermin": "0.0001", "costmin": "0.5",
            "tick_size": "0.1", "status": "online"}}},
        "/Assets": {"error": [], "result": {
            "XXBT": {"aclass": "currency", "altname": "XBT", "decimals": 10, "display_decimals": 5,
                     "status": "enabled"},
            "ZUSD": {"aclass": "currency", "altname": "USD", "decimals": 4, "display_decimals": 2,
                     "status": "enabled"}}},
        "/OHLC": {"error": [], "result": {"XXBTZUSD": [
            [s, "42000.0", "42100.0", "41900.0", f"42{i:03}.0", "42010.0", "12.5", 99] for i, s in enumerate(HOURS)],
            "last": HOURS[-1]}},
        "/Time": {"error": [], "result": {"unixtime": 1704100000, "rfc1123": "Mon, 01 Jan 24 09:06:40 +0000"}},
    },
    lambda rest, ws: {"public": rest, "private": rest, "ws": {"public": ws, "publicV2": ws}},
    "5m",
    {"channel": "trade", "type": "update", "data": [
        {"symbol": "BTC/USD", "side": "sell", "price": 30000.1, "qty": 0.5, "ord_type": "market",
         "trade_id": 4669999, "timestamp": "2023-09-25T07:59:36.708706Z"}]},
)  # fmt: skip
VENUES = {"bybit": BYBIT, "kraken": KRAKEN}


class Server:
    """Sends the venue's recorded messages to whoever asks for anything; after a loss also the later trade."""

    def __init__(self, name: str, wire: Wire) -> None:
        self.name, self.wire, self.lost = name, wire, False
        self.sockets: set[web.WebSocketResponse] = set()

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        await self.drop()
        await self._runner.cleanup()

    async def drop(self) -> None:
        self.lost = True
        for socket in list(self.sockets):
            await socket.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._socket(request)
        for path, answer in self.wire.rest.items():
            if request.path.endswith(path):
                return web.json_response(answer)
        return web.json_response({"error": ["EGeneral:Unknown method"]}, status=404)

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.add(socket)
        asked = 0
        async for message in socket:
            text = str(message.data)
            if "subscribe" not in text:
                continue
            asked += 1
            if asked == 1:
                await asyncio.sleep(0.3)  # the other streams are asked for meanwhile
                for line in (DATA / f"{self.name}.jsonl").read_text().splitlines():
                    await socket.send_str(line)
                if self.lost:
                    await socket.send_str(json.dumps(self.wire.later))
        self.sockets.discard(socket)
        return socket


@pytest.fixture(params=list(VENUES))
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    made = Server(request.param, VENUES[request.param])
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def feed(server: Server) -> AsyncIterator[CcxtFeed]:
    rest, ws = f"http://127.0.0.1:{server.port}", f"ws://127.0.0.1:{server.port}"
    options = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "enableUnifiedAccount": True}
    settings = {"urls": {"api": server.wire.urls(rest, ws)}, "enableRateLimit": False, "options": options}
    made = CcxtFeed(server.name, settings, habits=QUICK)
    made._venue.has["fetchCurrencies"] = False
    yield made
    await made.close()


async def test_instruments_and_history_have_our_names_steps_and_anchors(feed: CcxtFeed, server: Server) -> None:
    (found,) = [one for one in await feed.instruments() if one.symbol == server.wire.symbol]
    assert found.tick > 0
    assert found.lot > 0
    pages = [page async for page in feed.history(server.wire.symbol, H1, START, START + 5 * HOUR)]
    whole = concat(pages)
    assert whole.ts.tolist() == [s * 1_000_000 for s in HOURS]
    assert whole.close.tolist() == [42000.0 + i for i in range(5)]


async def test_streams_are_told_kept_and_have_a_gap_after_a_loss(feed: CcxtFeed, server: Server) -> None:
    wants = [Want(server.wire.symbol, channel) for channel in (Channel.TRADES, Channel.BOOK)]
    wants.append(Want(server.wire.symbol, Channel.CANDLES, server.wire.candles))
    kinds: set[type] = set()
    seen: list[Received] = []
    dropping: list[asyncio.Task[None]] = []
    async with asyncio.timeout(20), aclosing(feed.stream(wants)) as stream:  # type: ignore[type-var]
        async for received in stream:
            seen.append(received)
            kinds.update(type(event) for event in received.events)
            if {Print, Book, Candle, Forming} <= kinds and not dropping:
                dropping.append(asyncio.create_task(server.drop()))
            if Gap in kinds:
                break
    channels = {received.raw.channel for received in seen if received.raw is not None}
    assert {"trades", "book", f"candles:{server.wire.candles}"} <= channels
    ids = [e.id for r in seen for e in r.events if isinstance(e, Print)]
    assert len(ids) == len(set(ids))
    gap = next(e for r in seen for e in r.events if isinstance(e, Gap))
    assert gap.cause
    assert gap.start_ts < gap.end_ts
