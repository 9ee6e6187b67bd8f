"""`onetape venue` as a process, as a person starts it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from onetape.cli.main import main

Open = Callable[..., Any]


async def start(*args: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "onetape", "venue", *args)
    return await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)


async def test_it_says_its_addresses_serves_the_sample_and_stops_cleanly_on_ctrl_c() -> None:
    process = await start("--port", "0", "--speed", "60")
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    rest = next(word for word in line.split() if word.startswith("http://")).rstrip(",")
    assert "/ws/v5" in line
    async with aiohttp.ClientSession() as session, session.get(f"{rest}/market/ticker?instId=BTC-USDT") as answer:
        assert (await answer.json())["data"][0]["instId"] == "BTC-USDT"
    process.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(process.communicate(), 5)
    assert process.returncode == 0
    assert b"Traceback" not in errors


async def test_a_file_of_hourly_candles_is_played_under_the_name_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    rows = [f"{1_546_300_800 + i * 3_600},{100 + i},{102 + i},{99 + i},{101 + i},{i + 1}" for i in range(48)]
    file.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    process = await start("--port", "0", "--from", str(file), "--symbol", "ABC-USD", "--json")
    assert process.stdout is not None
    text = (await asyncio.wait_for(process.stdout.readuntil(b"\n}\n"), 20)).decode()
    said = json.loads(text)
    assert said["symbols"] == ["ABC-USD", "ABC-USD-SWAP"]
    query = {"instId": "ABC-USD", "bar": "1H", "limit": "3"}
    url = f"{said['rest']}/api/v5/market/history-candles"
    async with aiohttp.ClientSession() as session, session.get(url, params=query) as answer:
        row = (await answer.json())["data"][0]
    # the replay begins after a third of 48 hours, so hour 15 is the last one that is over: 100 + 15, 102 + 15 ...
    assert row[:6] == [str(1_546_300_800_000 + 15 * 3_600_000), "115", "117", "114", "116", "16"]
    process.send_signal(signal.SIGTERM)
    await asyncio.wait_for(process.communicate(), 5)
    assert process.returncode == 0


async def test_a_taken_port_is_a_sentence_and_exit_1(opened: Open) -> None:
    async with opened() as client:
        process = await start("--port", str(client.venue.port))
        _, errors = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 1
        assert f"port {client.venue.port}" in errors.decode()
        assert "Traceback" not in errors.decode()


@pytest.mark.parametrize(
    "args",
    [["--port", "70000"], ["--speed", "0"], ["--from", "no-such-file.csv"], ["--start", "soon"], ["--prot", "1"]],
)
def test_bad_arguments_are_a_sentence_and_exit_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["venue", *args]) == 2
    said = capsys.readouterr().err
    assert args[1] in said or args[0] in said
