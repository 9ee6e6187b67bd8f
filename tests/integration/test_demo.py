"""`onetape demo` as a person starts it: real processes, real servers, a clean end, and a second start that goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onetape.app.demo import free_port

LIMIT = 120.0


class Demo:
    """One run of the demo."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder, self.port = folder, free_port()
        self.output = folder.parent / f"output-{self.port}"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                self.command("demo", "--no-browser", "--port", str(self.port), *flags), stdout=file, stderr=file
            )

    def command(self, verb: str, *args: str) -> list[str]:
        return [sys.executable, "-m", "onetape", verb, *args, "--data-dir", str(self.folder)]

    def says(self) -> str:
        return self.output.read_text()

    def get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except OSError:
            return {}

    def until(self, holds: Callable[[], Any]) -> Any:
        give_up = time.monotonic() + LIMIT
        while not (found := holds()):
            assert self.process.poll() is None, self.says()
            assert time.monotonic() < give_up, self.says()
            time.sleep(0.1)
        return found

    def ready(self) -> None:
        self.until(lambda: self.get("ready").get("ready"))

    def fills(self) -> list[Any]:
        return list(self.get("fills?limit=200").get("items", []))

    def stop(self) -> float:
        """Ctrl-C; gives how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0
        return time.monotonic() - began

    def run(self, verb: str, *args: str) -> tuple[int, str, str]:
        done = subprocess.run(self.command(verb, *args), capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    for entry in Path("/proc").iterdir():  # nothing may be left
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            marks = (str(tmp_path).encode() in command, str(tmp_path).encode() in environment)
            assert not any(marks), command


def test_the_demo_trades_survives_and_goes_on(folder: Path) -> None:
    demo = Demo(folder)
    demo.ready()
    said = demo.says()
    assert "85,455 one-minute candles of BTC-USD imported" in said
    assert re.search(r"donchian_breakout +\d+ +\d+% ", said)
    assert f"http://localhost:{demo.port}" in said
    demo.until(demo.fills)

    health = demo.get("health")
    assert {name: state["state"] for name, state in health["services"].items()} == dict.fromkeys(
        ("postgres", "valkey", "venue", "collector", "trader", "web"), "running"
    )

    other = subprocess.run(
        demo.command("demo", "--no-browser"), capture_output=True, text=True, timeout=60, check=False
    )
    assert other.returncode == 1
    assert "another onetape runs on it" in other.stderr

    assert_bots_by_command(demo)
    assert_killed_servers_come_back(demo)
    before = demo.fills()
    assert demo.stop() < 8  # 5 s on a machine with nothing else to do

    again = Demo(folder)
    again.ready()
    assert "imported before" in again.says()
    again.until(lambda: len(again.fills()) > len(before))
    times = [fill["timestamp"] for fill in again.fills()]
    assert times == sorted(times, reverse=True)  # time never ran backwards
    assert [fill["id"] for fill in again.fills()][-len(before) :] == [fill["id"] for fill in before]
    code, lines, _ = again.run("logs", "--json", "--service", "trader")
    assert code == 0
    assert any(json.loads(line)["event"] == "fill_stored" for line in lines.splitlines())
    again.stop()


def assert_killed_servers_come_back(demo: Demo) -> None:
    """And what is said of them, and that trading goes on."""
    for name, note in (("postgres", "postmaster.pid"), ("valkey", "valkey.pid")):
        pid = int((demo.folder / name / "data" / note).read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        back = {"state": "running", "restarts": 1, "error": "was ended by SIGKILL"}
        demo.until(lambda: back.items() <= demo.get("health").get("services", {}).get(name, {}).items())  # noqa: B023
        assert demo.says().count(f"{name} was ended by SIGKILL; it is started again.") == 1
    fills = len(demo.fills())
    demo.until(lambda: len(demo.fills()) > fills)


def assert_bots_by_command(demo: Demo) -> None:
    """Beside the running platform."""
    code, out, _ = demo.run("bot", "list", "--json")
    assert code == 0
    assert {bot["name"] for bot in json.loads(out)["items"]} == {"minute-cross", "five-minute-trend"}
    flags = ("-s", "sma_cross", "--symbol", "BTC-USD", "--exchange", "demo", "--timeframe", "1m", "--set", "fast=2")
    code, out, err = demo.run("bot", "create", "mine", *flags, "--set", "slow=4", "--start", "--json")
    assert code == 0, err
    assert json.loads(out)["wanted"] == "running"
    demo.until(lambda: demo.get("bots/mine").get("status") == "running")
    demo.until(lambda: any(fill["bot"] == "mine" for fill in demo.fills()))
    assert demo.run("bot", "pause", "mine")[0] == 0
    demo.until(lambda: demo.get("bots/mine").get("status") == "paused")
    assert demo.run("bot", "stop", "mine")[0] == 0
    demo.until(lambda: demo.get("bots/mine").get("status") == "stopped")
    assert demo.run("bot", "delete", "mine")[0] == 0
    assert "mine" in demo.run("bot", "show", "mine")[2]


def test_a_port_in_use_is_said_in_a_sentence(folder: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        args = [sys.executable, "-m", "onetape", "up", "--no-browser", "--port", port, "--data-dir", str(folder)]
        done = subprocess.run(args, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"--port is {port}: not free" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_the_exchange_up_says_so_once_and_serves(folder: Path) -> None:
    env = {**os.environ, "ONETAPE_OKX_REST_URL": "http://127.0.0.1:9", "ONETAPE_OKX_WS_URL": "ws://127.0.0.1:9/ws/v5"}
    port, output = free_port(), folder.parent / "output"
    args = [sys.executable, "-m", "onetape", "up", "--no-browser", "--port", str(port), "--data-dir", str(folder)]
    with output.open("wb") as file:
        process = subprocess.Popen(args, stdout=file, stderr=file, env=env)
    give_up = time.monotonic() + LIMIT
    while not ("is ready" in output.read_text() and "onetape demo" in output.read_text()):
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < give_up, output.read_text()
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert output.read_text().count("onetape demo") == 1
    assert "Traceback" not in output.read_text()
