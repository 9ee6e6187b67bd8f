"""`onetape up` on a new data directory without PostgreSQL: recording begins, the tables are made when it comes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from onetape.app.demo import free_port
from onetape.domain.market import Channel
from onetape.domain.markets import Markets, Recorded
from onetape.domain.units import MINUTE
from onetape.marketdata import wanted
from onetape.venue.server import Venue
from tests.integration.test_collecting import START, Door, tape

LIMIT = 60.0


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/ready", timeout=2) as answer:
            return bool(json.load(answer)["ready"])
    except (OSError, urllib.error.HTTPError):
        return False


async def until(holds: Callable[[], object], output: Path) -> None:
    give_up = time.monotonic() + LIMIT
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < give_up, output.read_text()
        await asyncio.sleep(0.1)


@pytest.mark.native  # the door is in the way of a socket, and a server by URL has a port
async def test_the_market_is_recorded_before_postgresql_is_there_and_the_tables_are_made_when_it_comes(
    empty_database_url: str, redis_url: str, tmp_path: Path
) -> None:
    venue = Venue([tape("BTC-USD")], speed=60.0, start_ts=START + 1_500 * MINUTE, limits=False)
    await venue.start()
    door, port, data, output = Door(empty_database_url), free_port(), tmp_path / "data", tmp_path / "output"
    wanted.write(data / "config", Markets((Recorded(("BTC-USD",), (Channel.TRADES, Channel.CANDLES), ()),)))
    env = {
        **os.environ,
        "ONETAPE_DATABASE_URL": door.url,
        "ONETAPE_REDIS_URL": redis_url,
        "ONETAPE_EXCHANGE": "demo",
        "ONETAPE_OKX_REST_URL": venue.rest_url,
        "ONETAPE_OKX_WS_URL": venue.ws_url,
    }
    args = ("-m", "onetape", "up", "--no-browser", "--port", str(port), "--data-dir", str(data))
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(sys.executable, *args, env=env, stdout=file, stderr=file)
    try:
        spool = data / "spool" / "demo"
        await until(lambda: sum(part.stat().st_size for part in spool.glob("*")) > 2_000, output)
        said = output.read_text()
        assert "PostgreSQL did not answer" in said
        assert "The market is recorded to disk meanwhile" in said
        assert not ready(port)
        door.open()
        await until(lambda: ready(port), output)
        assert "its tables are up to date" in output.read_text()
        assert "started again" not in output.read_text()
        connection = await asyncpg.connect(empty_database_url)
        assert await connection.fetchval("SELECT count(*) FROM raw_market_data WHERE channel = 'trades'") > 0
        assert await connection.fetchval("SELECT count(*) FROM gaps WHERE channel = 'trades'") == 0
        await connection.close()
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.wait(), 30)
        await venue.stop()
        door.close()
    assert process.returncode == 0


async def test_a_database_of_a_newer_program_ends_the_start_with_a_sentence(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO schema_migration (version, name, sha256, variant, took) VALUES (9999, 'later', 'x', 'common', 0)"
    )
    await connection.close()
    env = {**os.environ, "ONETAPE_DATABASE_URL": database_url, "ONETAPE_REDIS_URL": redis_url}
    args = ("-m", "onetape", "up", "--no-browser", "--port", str(free_port()), "--data-dir", str(tmp_path / "data"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *args, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), LIMIT)
    assert process.returncode == 2
    assert "newer than this program" in said.decode()
