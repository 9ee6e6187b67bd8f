"""The collector process without the process: the list of markets is edited while it records."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import pytest

from onetape.app import lastknown
from onetape.app.collecting import Collecting
from onetape.app.wiring import open_platform
from onetape.domain.bots import BotSpec, BotStatus, BotView
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Channel
from onetape.domain.markets import Markets, Recorded
from onetape.domain.units import MINUTE
from onetape.marketdata import wanted
from onetape.ports import Message
from onetape.settings import Settings
from onetape.venue.server import Venue

START = 1_560_000_000_000_000


def tape(symbol: str, n: int = 3_000) -> CandleFrame:
    rng = np.random.default_rng(7)
    close = np.round(8_000 + np.cumsum(rng.normal(0, 5, n)), 1)
    opens = np.concatenate(([8_000.0], close[:-1]))
    prices = {"open": opens, "high": np.maximum(opens, close) + 2, "low": np.minimum(opens, close) - 2, "close": close}
    volume = np.round(rng.uniform(1, 5, n), 4)
    return CandleFrame.of("demo", symbol, "1m", {"ts": START + np.arange(n) * MINUTE, **prices, "volume": volume})


async def until(holds: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.05)


async def test_a_market_that_is_added_to_the_file_is_recorded_and_the_other_goes_on(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    venue = Venue(
        [tape("BTC-USD"), dataclasses.replace(tape("BTC-USD"), symbol="ETH-USD")],
        speed=120.0,
        start_ts=START + 1_500 * MINUTE,
        limits=False,
    )
    await venue.start()
    settings = Settings(
        data_dir=tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        exchange="demo",
        okx_rest_url=venue.rest_url,
        okx_ws_url=venue.ws_url,
    )
    channels = (Channel.TRADES, Channel.CANDLES)
    wanted.write(settings.config_dir, Markets((Recorded(("BTC-USD",), channels, ()),)))
    async with open_platform(settings) as platform:
        failures: list[BaseException] = []
        collecting = Collecting(platform, lambda _, error, __: failures.append(error))
        task = asyncio.create_task(collecting.run())
        try:
            await until(lambda: platform.raw.tail("demo", "BTC-USD", "trades", 1))
            assert await platform.raw.tail("demo", "ETH-USD", "trades", 1) == []
            both = Recorded(("BTC-USD", "ETH-USD"), channels, ())
            wanted.write(settings.config_dir, Markets((both,), spool_mb=70))
            await until(lambda: platform.raw.tail("demo", "ETH-USD", "trades", 1))
            await until(lambda: platform.audits.counts("demo", "ETH-USD"))
            assert collecting.spooled()["demo"].limit == 70_000_000
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert failures == []
        assert await platform.candles.gaps("demo", "BTC-USD", "trades") == []
        verdicts = {one.verdict for one in await platform.audits.counts("demo")}
        assert verdicts <= {"equal", "not judged", "rounding"}
    await venue.stop()


async def test_a_suspension_reaches_the_table_with_its_time_and_the_bus(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    venue = Venue([tape("BTC-USD")], speed=60.0, start_ts=START + 1_500 * MINUTE, limits=False)
    await venue.start()
    settings = Settings(
        data_dir=tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        exchange="demo",
        okx_rest_url=venue.rest_url,
        okx_ws_url=venue.ws_url,
    )
    wanted.write(settings.config_dir, Markets((Recorded(("BTC-USD",), (Channel.TRADES,), ()),)))
    told: list[object] = []

    async with open_platform(settings) as platform:

        async def listen() -> None:
            async for message in platform.bus.subscribe("instrument:demo:BTC-USD"):
                if isinstance(message, Message):
                    told.append(message.body)  # noqa: PERF401

        collecting = Collecting(platform, lambda *_: None)
        tasks = [asyncio.create_task(collecting.run()), asyncio.create_task(listen())]

        async def heard() -> bool:
            return bool(told)

        try:
            await until(lambda: platform.raw.tail("demo", "*", "instruments", 1))
            await until(lambda: platform.instruments.known("demo"))
            before = venue.now()
            venue.change_state("BTC-USD", "suspend")
            await until(lambda: platform.instruments.changes("demo", "BTC-USD"))
            await until(heard)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        (change,) = await platform.instruments.changes("demo", "BTC-USD")
        assert change.changed == ("state",)
        assert abs(change.ts - before) < 90 * 60_000_000  # venue time; its clock runs fast and is measured now and then
        assert told == [change]
        assert [each.state for each in await platform.candles.instruments() if each.symbol == "BTC-USD"] == ["suspend"]
    await venue.stop()


class Door:
    """The way to a server over a socket, shut until it is opened."""

    def __init__(self, url: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="door"))  # the path of a socket must be short
        address = urlsplit(url)
        (host,) = parse_qs(address.query)["host"]
        self._sockets = list(Path(host).glob(".s.PGSQL.*[0-9]"))
        self.url = url.replace(quote(host, safe=""), quote(str(self._folder), safe="")).replace(host, str(self._folder))

    def open(self) -> None:
        for socket in self._sockets:
            (self._folder / socket.name).symlink_to(socket)

    def close(self) -> None:
        shutil.rmtree(self._folder)


@pytest.mark.native  # the door is in the way of a socket, and a server by URL has a port
async def test_started_while_the_database_is_away_everything_wanted_is_recorded_and_stored_later(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """The file wants BTC-USD; a bot, of which only the file of the last answer knows, ETH-USD."""
    venue = Venue(
        [tape("BTC-USD"), dataclasses.replace(tape("BTC-USD"), symbol="ETH-USD")],
        speed=120.0,
        start_ts=START + 1_500 * MINUTE,
        limits=False,
    )
    await venue.start()
    door = Door(database_url)
    settings = Settings(
        data_dir=tmp_path,
        database_url=door.url,
        redis_url=redis_url,
        exchange="demo",
        okx_rest_url=venue.rest_url,
        okx_ws_url=venue.ws_url,
    )
    wanted.write(settings.config_dir, Markets((Recorded(("BTC-USD",), (Channel.TRADES, Channel.CANDLES), ()),)))
    spec = BotSpec(name="b", exchange="demo", symbol="ETH-USD", timeframe="1m", strategy="ema_cross")
    bot = BotView(spec=spec, status=BotStatus.RUNNING, wanted=BotStatus.RUNNING)
    lastknown.remember(tmp_path / "collector" / "bots.json", [bot])
    async with open_platform(settings, services=False, patient=True) as platform:
        failures: list[BaseException] = []
        collecting = Collecting(platform, lambda _, error, __: failures.append(error))
        task = asyncio.create_task(collecting.run())

        async def spooled() -> bool:
            return sum(state.items for state in collecting.spooled().values()) > 5

        try:
            await until(spooled)
            door.open()
            for symbol in ("BTC-USD", "ETH-USD"):
                await until(lambda symbol=symbol: platform.raw.tail("demo", symbol, "candles:1m", 1))  # type: ignore[misc]
            await until(lambda: platform.raw.tail("demo", "BTC-USD", "trades", 1))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert failures == []
    await venue.stop()
    door.close()
