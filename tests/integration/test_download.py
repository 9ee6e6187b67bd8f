"""`onetape data download` from the simulated venue into PostgreSQL."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE, Timeframe, parse_time
from onetape.storage.candles import PgCandleStore
from onetape.venue.server import Venue

START = parse_time("2024-01-01")
MINUTES = 20_000
NOW = 18_000  # the venue's minute at the start of a test
M1 = Timeframe.parse("1m")


def tape() -> CandleFrame:
    rng = np.random.default_rng(3)
    close = np.round(100 + np.cumsum(rng.normal(0, 0.05, MINUTES)), 2)
    opens = np.concatenate(([100.0], close[:-1]))
    columns = {"open": opens, "high": np.maximum(opens, close), "low": np.minimum(opens, close), "close": close}
    volume = np.round(rng.uniform(1, 5, MINUTES), 3)
    return CandleFrame.of(
        "okx", "BTC-USD", "1m", {"ts": START + np.arange(MINUTES) * MINUTE, **columns, "volume": volume}
    )


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    frame = tape()
    opened = Venue([frame, dataclasses.replace(frame, symbol="ETH-USD")], start_ts=START + NOW * MINUTE)
    await opened.start()
    yield opened
    await opened.stop()


class Command:
    """Runs `onetape data ... --json` as a process of its own against the venue and the test's database."""

    def __init__(self, venue: Venue, database_url: str, redis_url: str, folder: Path) -> None:
        self._environment = os.environ | {
            "ONETAPE_DATABASE_URL": database_url,
            "ONETAPE_REDIS_URL": redis_url,
            "ONETAPE_DATA_DIR": str(folder / "data"),
            "ONETAPE_OKX_REST_URL": venue.rest_url,
            "ONETAPE_OKX_WS_URL": venue.ws_url,
        }

    async def begin(self, *args: str) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "onetape", "data", *args, "--json")
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(*command, env=self._environment, stdout=pipe, stderr=pipe)

    async def __call__(self, *args: str) -> tuple[int | None, Any]:
        process = await self.begin(*args)
        out, _ = await process.communicate()
        return process.returncode, json.loads(out)


@pytest.fixture
def command(venue: Venue, database_url: str, redis_url: str, tmp_path: Path) -> Command:
    return Command(venue, database_url, redis_url, tmp_path)


def picked(document: Any, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(one[name] for name in names) for one in document["series"]]


async def test_symbols_and_timeframes_come_together_and_again_nothing_comes(command: Command, pool: Any) -> None:
    asked = ("download", "--symbol", "BTC-USD,ETH-USD", "--timeframe", "1m,1h", "--since", "20240102")
    more = ("--until", "2024-01-02T12:00")
    code, document = await command(*asked, *more)
    assert (code, document["ok"]) == (0, True)
    assert picked(document, "symbol", "timeframe", "rows_new", "stored", "missing", "impossible") == [
        ("BTC-USD", "1m", 720, 720, 0, 0),
        ("BTC-USD", "1h", 12, 12, 0, 0),
        ("ETH-USD", "1m", 720, 720, 0, 0),
        ("ETH-USD", "1h", 12, 12, 0, 0),
    ]
    stored = await PgCandleStore(pool).load("okx", "BTC-USD", M1, None, None)
    expected = tape().between(parse_time("2024-01-02"), parse_time("2024-01-02T12:00"))
    np.testing.assert_array_equal(stored.ts, expected.ts)
    np.testing.assert_allclose(stored.close, expected.close, rtol=1e-12)
    code, document = await command(*asked, *more)
    assert (code, [rows for (rows,) in picked(document, "rows_new")]) == (0, [0, 0, 0, 0])


async def test_an_unknown_symbol_fails_with_the_venues_words(command: Command) -> None:
    code, document = await command(
        "download", "--symbol", "NO-SUCH,BTC-USD", "--timeframe", "1h", "--since", "20240110"
    )
    assert code == 1
    assert picked(document, "state") == [("failed",), ("done",)]
    assert "NO-SUCH" in document["series"][0]["error"]


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        (("--symbol", "BTC-USD", "--since", "soon"), "--since"),
        (("--symbol", "BTC-USD,", "--since", "20240101"), "--symbol"),
        (("--symbol", "BTC-USD", "--timeframe", "1m,fast", "--since", "20240101"), "--timeframe"),
        (("--exchange", "nowhere", "--symbol", "BTC-USD", "--since", "20240101"), "--exchange"),
    ],
)
async def test_what_cannot_be_meant_is_refused(command: Command, flags: Sequence[str], field: str) -> None:
    code, document = await command("download", *flags)
    assert (code, document["field"]) == (2, field)


async def test_interrupted_it_keeps_whole_pages_and_goes_on_from_there(command: Command, pool: Any) -> None:
    asked = ("download", "--symbol", "BTC-USD", "--since", "20240101", "--until", "20240107")
    process = await command.begin(*asked)
    while not await pool.fetchval("SELECT coalesce(sum(rows), 0) FROM candle_coverage"):
        assert process.returncode is None
        await asyncio.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert process.returncode == 130, out.decode() + err.decode()
    assert b"the same command goes on there" in err
    document = json.loads(out)
    assert document["stopped"]
    assert picked(document, "state") == [("cancelled",)]
    stored = len(await PgCandleStore(pool).load("okx", "BTC-USD", M1, None, None))
    assert 0 < stored < 6 * 1440
    assert stored % 300 == 0
    code, document = await command(*asked)
    assert code == 0
    assert picked(document, "rows_new", "stored", "missing") == [(6 * 1440 - stored, 6 * 1440, 0)]
