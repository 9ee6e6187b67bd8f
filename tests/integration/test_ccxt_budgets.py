"""A venue that says "too many" through the library: all processes leave it alone, and slow down."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from onetape.bus.budgets import RedisBudgets
from onetape.exchanges.ccxt.feed import CcxtFeed


class Busy:
    """Answers the time; `refusals` times as a busy venue does."""

    def __init__(self) -> None:
        self.refusals: list[tuple[int, str]] = []
        self.asked: list[float] = []

    async def answer(self, _: web.Request) -> web.Response:
        self.asked.append(time.monotonic())
        if self.refusals:
            status, wait = self.refusals.pop(0)
            return web.Response(status=status, text="slow down", headers={"Retry-After": wait} if wait else {})
        return web.json_response({"serverTime": 1_700_000_000_000})


@pytest.fixture
async def venue() -> AsyncIterator[tuple[Busy, str]]:
    busy = Busy()
    app = web.Application()
    app.router.add_get("/api/v3/time", busy.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield busy, f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/api/v3"  # type: ignore[union-attr]
    await runner.cleanup()


def feed_of(url: str, budgets: RedisBudgets) -> CcxtFeed:
    return CcxtFeed("binance", {"urls": {"api": {"public": url}}}, budgets=budgets)


@pytest.mark.parametrize("status", [429, 418])
async def test_too_many_makes_every_process_wait(venue: tuple[Busy, str], redis_url: str, status: int) -> None:
    busy, url = venue
    one, other = RedisBudgets(redis_url), RedisBudgets(redis_url)
    first, second = feed_of(url, one), feed_of(url, other)
    busy.refusals = [(status, "3")]
    begun = time.monotonic()
    assert abs(await first.now() - 1_700_000_000_000_000) < 10_000_000  # asked again after the pause
    assert time.monotonic() - begun >= 3.0
    assert busy.asked[1] - busy.asked[0] >= 3.0  # nothing was asked in between
    busy.refusals = [(status, "")]
    begun = time.monotonic()
    await first._rest.ask(first._venue.fetch_time)
    await second.now()  # of another process: it waited with the first
    assert time.monotonic() - begun >= 2.0
    assert await other.delay("ccxt:binance", 8.0, 16.0) < 1.0  # open again, at half speed
    for feed in (first, second):
        await feed.close()
    await one.close()
    await other.close()
