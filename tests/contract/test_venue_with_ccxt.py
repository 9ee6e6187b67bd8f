"""The simulated venue read by the ccxt library: a client that no one here wrote."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import ccxt.pro
import numpy as np
import pytest

from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.venue.login import Key
from onetape.venue.server import Venue

SYMBOL = "BTC/USDT"
BEGIN_TS = 1_546_300_800_000_000  # 2019-01-01T00:00:00Z
MINUTES = 1_440


def _frame() -> CandleFrame:
    rng = np.random.default_rng(5)
    close = 40_000 + rng.integers(-200, 201, MINUTES).cumsum()
    opening = np.concatenate(([40_000], close[:-1]))
    columns: dict[str, object] = {
        "ts": BEGIN_TS + np.arange(MINUTES) * MINUTE,
        "open": opening / 10,
        "high": (np.maximum(opening, close) + 50) / 10,
        "low": (np.minimum(opening, close) - 50) / 10,
        "close": close / 10,
        "volume": rng.integers(10**7, 10**10, MINUTES) / 10**8,
    }
    return CandleFrame.of("okx", "BTC-USDT", "1m", columns)


FRAME = _frame()


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    made = Venue([FRAME], speed=60, limits=False, keys={"k": Key("s", "p")})
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def exchange(venue: Venue) -> AsyncIterator[Any]:
    settings = {
        "apiKey": "k",
        "secret": "s",
        "password": "p",
        "enableRateLimit": False,
        "options": {"fetchMarkets": {"types": ["spot"]}},
        "urls": {"api": {"rest": venue.rest_url, "ws": venue.ws_url}},
    }
    made = ccxt.pro.okx(settings)
    yield made
    await made.close()


async def _within(seconds: float, work: Any) -> Any:
    return await asyncio.wait_for(work, seconds)


async def test_markets_have_the_steps_of_the_data(exchange: Any) -> None:
    markets = await _within(10, exchange.load_markets())
    market = markets[SYMBOL]
    assert (market["id"], market["spot"], market["active"]) == ("BTC-USDT", True, True)
    assert market["precision"] == {"amount": 1e-8, "price": 0.1}
    assert market["limits"]["amount"]["min"] == 1e-5


async def test_time_is_the_venues(exchange: Any, venue: Venue) -> None:
    assert abs(await _within(5, exchange.fetch_time()) - venue.now() // 1_000) < 60_000


async def test_candles_are_those_of_the_data(exchange: Any) -> None:
    since = BEGIN_TS // 1_000 + 100 * 60_000
    rows = await _within(10, exchange.fetch_ohlcv(SYMBOL, "1m", since=since, limit=50))
    assert [r[0] for r in rows] == [since + i * 60_000 for i in range(50)]
    part = FRAME.rows(100, 150)
    assert [r[1:] for r in rows] == [
        list(r) for r in zip(part.open, part.high, part.low, part.close, part.volume, strict=True)
    ]


async def test_the_newest_candles_end_with_the_running_one(exchange: Any, venue: Venue) -> None:
    rows = await _within(10, exchange.fetch_ohlcv(SYMBOL, "1h", limit=5))
    assert len(rows) == 5
    assert 0 <= venue.now() // 1_000 - rows[-1][0] <= 3_660_000


async def test_trades_book_and_ticker_agree(exchange: Any, venue: Venue) -> None:
    trades = await _within(10, exchange.fetch_trades(SYMBOL, limit=50))
    assert len(trades) == 50
    assert [t["timestamp"] for t in trades] == sorted(t["timestamp"] for t in trades)
    assert {t["side"] for t in trades} == {"buy", "sell"}
    book = await _within(5, exchange.fetch_order_book(SYMBOL, limit=20))
    assert (len(book["bids"]), len(book["asks"])) == (20, 20)
    assert book["bids"][0][0] < book["asks"][0][0]
    ticker = await _within(5, exchange.fetch_ticker(SYMBOL))
    assert ticker["bid"] < ticker["last"] <= ticker["ask"]
    assert ticker["low"] <= ticker["last"] <= ticker["high"]


async def test_watched_trades_arrive(exchange: Any) -> None:
    trades = await _within(10, exchange.watch_trades(SYMBOL))
    assert trades[-1]["symbol"] == SYMBOL
    assert trades[-1]["price"] > 0


async def test_watched_candles_arrive_and_equal_the_data_once_closed(exchange: Any) -> None:
    seen: dict[int, list[float]] = {}
    while len(seen) < 3:
        for row in await _within(10, exchange.watch_ohlcv(SYMBOL, "1m")):
            seen[row[0]] = list(row)
    closed = sorted(seen)[1]  # a later one has begun, so the last that was seen of it is its end
    i = (closed * 1_000 - BEGIN_TS) // MINUTE
    c = FRAME.candle(i)
    assert seen[closed] == [closed, c.open, c.high, c.low, c.close, c.volume]


async def test_the_watched_book_stays_whole(exchange: Any) -> None:
    nonces = []
    for _ in range(8):
        book = await _within(10, exchange.watch_order_book(SYMBOL))
        nonces.append(book["nonce"])
        assert (len(book["bids"]), len(book["asks"])) == (400, 400)
        assert book["bids"][0][0] < book["asks"][0][0]
    assert nonces == sorted(nonces)
    assert len(set(nonces)) > 1


async def test_the_watched_ticker_arrives(exchange: Any) -> None:
    ticker = await _within(10, exchange.watch_ticker(SYMBOL))
    assert ticker["bid"] < ticker["last"] <= ticker["ask"]


async def test_an_order_is_refused_by_name_and_leaves_the_client_usable(exchange: Any) -> None:
    with pytest.raises(ccxt.ExchangeError, match="takes no orders"):
        await _within(10, exchange.create_order(SYMBOL, "limit", "buy", 0.001, 1_000))
    assert await _within(5, exchange.fetch_time())
