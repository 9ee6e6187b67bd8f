"""Candles and a running venue for the tests of the venue."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest

from onetape.domain.frame import CandleFrame
from onetape.domain.units import DAY, MINUTE
from onetape.venue.server import Venue

BEGIN_TS = 1_546_300_800_000_000  # 2019-01-01T00:00:00Z


def random_frame(n: int, *, seed: int = 1, symbol: str = "BTC-USDT", begin_ts: int = BEGIN_TS) -> CandleFrame:
    """A walk with one decimal; every 50th minute is missing."""
    rng = np.random.default_rng(seed)
    close = 40_000 + rng.integers(-200, 201, n).cumsum()
    opening = np.concatenate(([40_000], close[:-1])) + rng.integers(-30, 31, n)
    high = np.maximum(opening, close) + rng.integers(0, 100, n)
    low = np.minimum(opening, close) - rng.integers(0, 100, n)
    keep = np.arange(n) % 50 != 49
    columns: dict[str, object] = {
        "ts": (begin_ts + np.arange(n) * MINUTE)[keep],
        "open": (opening / 10)[keep],
        "high": (high / 10)[keep],
        "low": (low / 10)[keep],
        "close": (close / 10)[keep],
        "volume": (rng.integers(1, 10**10, n) / 10**8)[keep],
    }
    return CandleFrame.of("okx", symbol, "1m", columns)


class Client:
    """A bare client of the wire."""

    def __init__(self, venue: Venue, session: aiohttp.ClientSession) -> None:
        self.venue, self.session = venue, session

    async def get(self, path: str, **query: str) -> tuple[int, dict[str, Any]]:
        async with self.session.get(f"{self.venue.rest_url}/api/v5/{path}", params=query) as answer:
            return answer.status, await answer.json()

    async def data(self, path: str, **query: str) -> list[Any]:
        status, body = await self.get(path, **query)
        assert (status, body["code"], body["msg"]) == (200, "0", "")
        return body["data"]

    def connect(self, url: str) -> Any:
        return self.session.ws_connect(f"{self.venue.ws_url}/{url}", max_msg_size=0)


async def say(socket: aiohttp.ClientWebSocketResponse, document: object) -> None:
    await socket.send_str(document if isinstance(document, str) else json.dumps(document))


async def hear(
    socket: aiohttp.ClientWebSocketResponse, wanted: Callable[[dict[str, Any]], bool] = bool
) -> dict[str, Any]:
    """The next message that is wanted."""
    while True:
        message = await socket.receive(timeout=30)
        assert message.type == aiohttp.WSMsgType.TEXT, message
        document = json.loads(message.data)
        if wanted(document):
            return document


async def subscribe(socket: aiohttp.ClientWebSocketResponse, *channels: str, symbol: str = "BTC-USDT") -> None:
    args = [{"channel": channel, "instId": symbol} for channel in channels]
    await say(socket, {"op": "subscribe", "args": args})


Open = Callable[..., Any]


@pytest.fixture
def opened() -> Open:
    """`async with opened(frame, speed=60) as client:` a running venue without limits, unless asked for."""

    @asynccontextmanager
    async def open_(*frames: CandleFrame, **options: Any) -> AsyncIterator[Client]:
        venue = Venue(frames or [random_frame(3 * 1_440)], **({"speed": 60, "limits": False} | options))
        await venue.start()
        try:
            async with aiohttp.ClientSession() as session:
                yield Client(venue, session)
        finally:
            await venue.stop()

    return open_


@pytest.fixture
def frame_of() -> Callable[..., CandleFrame]:
    return random_frame


@pytest.fixture
def talk() -> dict[str, Callable[..., Awaitable[Any]]]:
    return {"say": say, "hear": hear, "subscribe": subscribe}


__all__ = ["BEGIN_TS", "DAY", "Client"]
