"""The demo as a person sees it: from the socket of the exchange to the page, and answers of the API."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
import time
import urllib.request
from typing import Any

import msgspec
from websockets.asyncio.client import connect

from bench.market_data import collector_latency, decode_rate
from bench.timing import Row, percentile
from onetape.app.demo import SAMPLE

SECONDS = 20.0
SETTLING = 5.0
READY = 150.0
SEARCHES = 4
SAID = {  # a name in Collector.stats(): what it means, and its target
    "frame_committed": ("exchange frame to committed row, p99", 25.0),
    "candle_committed": ("candle to committed row, p99", 25.0),
    "hint_published": ("frame to hint on the bus, p99", None),
}
PATHS = ("health", "symbols", "strategies", "bots", "fills")


def rows() -> list[Row]:
    return [decoded(), *asyncio.run(of_collector()), *asyncio.run(of_demo())]


def decoded() -> Row:
    return Row(job="live", what="messages decoded, one core", value=decode_rate(2.0), unit="a second")


async def of_collector() -> list[Row]:
    """Frames and candles to their commit: venue, collector and PostgreSQL, without web and bots."""
    stats = await collector_latency(SECONDS)
    found = []
    for name, summary in stats.items():
        if isinstance(summary, dict):
            note = f"p50 {summary['p50_ms']:.1f}, worst {summary['worst_ms']:.1f}, {summary['count']:,} of them"
            what, target = SAID[name]
            found.append(Row(job="live", what=what, value=float(summary["p99_ms"]), target=target, note=note))
    return found


async def of_demo() -> list[Row]:
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        words = ("-m", "onetape", "demo", "--no-browser", "--port", str(port), "--data-dir", folder)
        quiet = asyncio.subprocess.DEVNULL
        demo = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=quiet, stderr=quiet)
        try:
            begun = time.perf_counter()
            await ready(port)
            started = time.perf_counter() - begun
            await asyncio.sleep(SETTLING)
            lags = await page_lags(port)
            answers = await asyncio.to_thread(answer_times, port)
            await asyncio.to_thread(search, port)
            searching_lags = await page_lags(port)
            searching_answers = await asyncio.to_thread(answer_times, port)
            still = await asyncio.to_thread(running, port)
        finally:
            demo.terminate()
            await demo.wait()
    return [
        Row(job="live", what="demo, first start until ready", value=started, unit="s"),
        Row(
            job="live", what="wire to dashboard subscription, p99", value=percentile(lags, 0.99), target=50.0,
            note=f"p50 {percentile(lags, 0.5):.1f}, {len(lags):,} messages; newest data of each",
        ),
        Row(job="live", what="API answer while the demo runs, p95", value=percentile(answers, 0.95),
            note=f"p50 {percentile(answers, 0.5):.1f}, {len(answers)} requests"),
        Row(
            job="live", what="  wire to dashboard while searches keep all cores busy, p99",
            value=percentile(searching_lags, 0.99), target=50.0,
            note=f"p50 {percentile(searching_lags, 0.5):.1f}; {still} searches still running at the end",
        ),
        Row(
            job="live", what="  API answer while they run, p95",
            value=percentile(searching_answers, 0.95), target=200.0,
            note=f"p50 {percentile(searching_answers, 0.5):.1f}",
        ),
    ]  # fmt: skip


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def ready(port: int) -> None:
    end = time.monotonic() + READY
    while time.monotonic() < end:
        try:
            await asyncio.to_thread(fetch, port, "ready")
        except OSError:
            await asyncio.sleep(0.2)
        else:
            return
    raise TimeoutError(f"the demo was not ready after {READY:g} s")


def fetch(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=10) as answer:
        return msgspec.json.decode(answer.read())


async def page_lags(port: int) -> list[float]:
    """Milliseconds from the socket of the exchange to a page, for the newest data of each message."""
    lags: list[float] = []
    address = f"ws://127.0.0.1:{port}/api/v1/stream?symbol=demo:BTC-USD&bots=true"
    async with connect(address) as page:
        await page.recv()  # what was there before
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            async with asyncio.timeout(10):
                message = msgspec.json.decode(await page.recv())
            if received := message.get("received"):
                lags.append(time.time() * 1e3 - received / 1e3)
    return lags


def search(port: int) -> None:
    """As many searches as may run at once and some more, each longer than this measurement takes."""
    exchange, symbol, timeframe = SAMPLE
    wish = {"strategy": "sma_cross", "exchange": exchange, "symbol": symbol, "timeframe": timeframe, "method": "random",
            "space": {"fast": "2:200", "slow": "201:2000"}, "trials": 100_000}  # fmt: skip
    for seed in range(SEARCHES):
        body = msgspec.json.encode(wish | {"seed": seed + 1})
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v1/optimizations", body, {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(asked, timeout=10).close()
    end = time.monotonic() + READY
    while not running(port):
        if time.monotonic() > end:
            raise TimeoutError(f"no search ran after {READY:g} s")
        time.sleep(0.2)


def running(port: int) -> int:
    return len(fetch(port, "jobs?kind=optimize&state=running")["items"])


def answer_times(port: int) -> list[float]:
    taken = []
    for i in range(200):
        begun = time.perf_counter()
        fetch(port, PATHS[i % len(PATHS)])
        taken.append(1e3 * (time.perf_counter() - begun))
    return taken
