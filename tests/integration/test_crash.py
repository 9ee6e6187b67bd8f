"""The trader is a real process that is killed with SIGKILL at random moments, again and again. Afterwards its ledger is
the one of a bot that was never disturbed, candle for candle and to the last digit."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from onetape.app.wiring import Platform, open_platform
from onetape.bus.memory import MemoryBus
from onetape.domain import topics
from onetape.domain.bots import BotSpec, BotStatus, LimitsSpec
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.units import MINUTE
from onetape.settings import Settings
from onetape.storage.pool import open_pool
from onetape.trading.memory import MemoryCandles, MemoryLedger
from onetape.trading.runner import Outside, Runner

HISTORY, CANDLES, DEATHS = 200, 700, 6
START = 1_600_000_200_000_000
LIMIT = 120.0  # only for what hangs: a busy machine needs half a minute to start a process


def market() -> CandleFrame:
    """A random walk on round ticks, so that means are exact."""
    n = HISTORY + CANDLES
    rng = np.random.default_rng(7)
    close = np.round(10_000 * np.exp(np.cumsum(rng.normal(0, 0.0015, n))))
    open_ = np.concatenate(([10_000.0], close[:-1]))
    columns = {
        "ts": START + MINUTE * np.arange(n),
        "open": open_,
        "high": np.maximum(open_, close) + rng.integers(0, 12, n),
        "low": np.minimum(open_, close) - rng.integers(0, 12, n),
        "close": close,
        "volume": np.ones(n),
    }
    return CandleFrame.of("test", "BTC-USD", "1m", columns)


def specs() -> list[BotSpec]:
    limits = LimitsSpec(allow_short=True, stop=0.004, take=0.006, trail=0.005)
    one = BotSpec(
        name="minute",
        exchange="test",
        symbol="BTC-USD",
        timeframe="1m",
        strategy="sma_cross",
        parameters={"fast": 2, "slow": 5, "short": True},
        limits=limits,
    )
    return [one, msgspec.structs.replace(one, name="five", timeframe="5m")]


class Trader:
    """The process, and its end."""

    def __init__(self, platform: Platform) -> None:
        self._env = {**os.environ, **platform.outside}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        args = [sys.executable, "-m", "onetape.app.roles", "trader"]
        self._process = subprocess.Popen(args, env=self._env, stdin=subprocess.DEVNULL)

    def end(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(10)


async def reached(platform: Platform, ts: int) -> None:
    """Returns when every bot has decided on the candle that closes at `ts` (the last of its timeframe by then)."""
    async with asyncio.timeout(LIMIT):
        while True:
            views = await platform.bots.list()
            if all(view.candle_ts + (5 * MINUTE if view.spec.timeframe == "5m" else MINUTE) > ts for view in views):
                return
            await asyncio.sleep(0.05)


async def feed(platform: Platform, frame: CandleFrame, trader: Trader) -> None:
    """Candle by candle: committed, then announced; the trader dies now and then, in the middle of its work."""
    dice = random.Random(11)
    deaths = set(dice.sample(range(50, CANDLES - 50), DEATHS))
    for i in range(HISTORY, len(frame)):
        await platform.candles.append(frame.rows(i, i + 1))
        platform.bus.publish(topics.candle("test", "BTC-USD", "1m"), frame.candle(i))
        await asyncio.sleep(0.002)
        if i - HISTORY in deaths:
            await asyncio.sleep(dice.random() * 0.02)
            trader.end(signal.SIGKILL)
            trader.start()
            if dice.random() < 0.7:  # else it dies again while it is catching up
                await reached(platform, int(frame.ts[i]))


async def undisturbed(platform: Platform, spec: BotSpec, frame: CandleFrame, start_ts: int) -> MemoryLedger:
    ledger = MemoryLedger()
    strategy = platform.registry.build(spec.strategy, spec.parameters)
    outside = Outside(MemoryCandles(frame), ledger, MemoryBus())
    runner = Runner(spec, strategy, Instrument.unknown(spec.exchange, spec.symbol), outside)
    await runner.begin(start_ts)
    await runner.catch_up()
    return ledger


async def check(platform: Platform, pool: Any, spec: BotSpec, frame: CandleFrame) -> None:
    marks = await pool.fetch('SELECT * FROM bot_performance WHERE bot = $1 ORDER BY "timestamp"', spec.name)
    fills = await pool.fetch("SELECT * FROM trades WHERE bot = $1", spec.name)
    orders = await pool.fetch("SELECT * FROM orders WHERE bot = $1", spec.name)
    signals = await pool.fetch("SELECT * FROM signals WHERE bot = $1", spec.name)
    first_close = marks[0]["timestamp"]
    start = first_close - (5 * MINUTE if spec.timeframe == "5m" else MINUTE)
    twin = await undisturbed(platform, spec, frame, max(start, int(frame.ts[HISTORY])))
    assert {row["timestamp"]: (row["equity"], row["qty"]) for row in marks} == {
        ts: (state.account.equity(state.price), state.account.qty) for (_, ts), state in twin.marks.items()
    }
    assert len(fills) > 30
    assert {row["id"]: (row["timestamp"], row["side"], row["qty"], row["price"], row["fee"]) for row in fills} == {
        fill.id: (fill.ts, int(fill.side), fill.qty, fill.price, fill.fee) for fill in twin.fills.values()
    }
    assert len(fills) == len(twin.fills)
    assert {row["id"]: (row["status"], row["qty"], row["price"], row["filled_qty"]) for row in orders} == {
        order.id: (str(order.status), order.qty, order.price, order.filled_qty) for order in twin.orders.values()
    }
    assert {row["timestamp"]: (row["target"], row["confidence"]) for row in signals} == {
        ts: (signal.target, signal.confidence) for (_, ts), (signal, _) in twin.signals.items()
    }
    state = await platform.trades.restore(spec.name)
    assert state is not None
    np.testing.assert_array_equal(np.array(state.account), np.array(twin.states[spec.name].account))
    np.testing.assert_array_equal(np.array(state.book), np.array(twin.states[spec.name].book))


async def test_a_trader_killed_at_random_moments_leaves_the_ledger_of_an_undisturbed_one(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=database_url, redis_url=redis_url, exchange="test")
    frame = market()
    async with open_platform(settings) as platform:
        await platform.candles.append(frame.rows(0, HISTORY))
        for spec in specs():
            await platform.bots.put(spec)
            await platform.bots.wish(spec.name, BotStatus.RUNNING)
        for spec in specs():  # compiled once, here: else the first trader does it, on a busy machine for a minute
            await undisturbed(platform, spec, frame.rows(0, HISTORY), START)
        trader = Trader(platform)
        trader.start()
        try:
            async with asyncio.timeout(LIMIT):
                while any(view.reason != "waits for the first candle" for view in await platform.bots.list()):
                    await asyncio.sleep(0.05)
            await feed(platform, frame, trader)
            await reached(platform, int(frame.close_ts[-1]))
        finally:
            trader.end(signal.SIGTERM)
        pool = await open_pool(database_url)
        for spec in specs():
            await check(platform, pool, spec, frame)
        await pool.close()
