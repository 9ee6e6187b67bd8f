"""A bot that lives event by event does exactly what a backtest says, also when it is killed again and again."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import numpy as np
import pytest

from onetape.backtest.fleet import spec_of as spec_of_bot
from onetape.backtest.run import run
from onetape.core.state import F_FEE, F_ID, F_PRICE, F_QTY, F_SIDE
from onetape.domain.accounts import Account
from onetape.domain.bots import BotSpec, LimitsSpec
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.instrument import Instrument
from onetape.domain.orders import Role
from onetape.domain.units import MINUTE
from onetape.strategies.contract import Signals, Strategy
from onetape.strategies.market import Market
from onetape.trading.memory import MemoryCandles, MemoryLedger
from onetape.trading.runner import Outside, Runner

START = 1_600_000_200_000_000  # on a 15-minute boundary
INSTRUMENT = Instrument(exchange="test", symbol="BTC-USD", tick=0.01, lot=1e-6, min_qty=1e-5)


class Zigzag(Strategy, frozen=True, tag="parity_zigzag"):
    """Long above the mean of a few closes, short below; resting limits and exits now and then."""

    period: int = 4

    def warmup(self) -> int:
        return self.period

    def signals(self, market: Market) -> Signals:
        n, k = len(market), self.period
        mean = np.full(n, np.nan)
        if n >= k:
            mean[k - 1 :] = np.lib.stride_tricks.sliding_window_view(market.close, k).mean(axis=1)
        target = np.where(market.close > mean, 1.0, -0.5)
        target[np.isnan(mean)] = np.nan
        phase = (market.ts // (MINUTE * market.timeframe.count)) % 5
        return Signals.holding(
            target,
            np.where(np.isnan(mean), 0.0, 0.7),
            stop=np.where(phase < 3, 0.004, np.nan),
            take=np.where(phase > 1, 0.006, np.nan),
            trail=np.where(phase == 4, 0.003, np.nan),
            limit=np.where((phase == 2) & (target > 0), market.close * 0.999, np.nan),
        )


def frame_of(seed: int, n: int, holes: bool) -> CandleFrame:
    """A random walk of 1-minute candles, with minutes missing when asked."""
    rng = np.random.default_rng(seed)
    close = np.round(10_000 * np.exp(np.cumsum(rng.normal(0, 0.0015, n))), 2)
    open_ = np.concatenate(([10_000.0], close[:-1]))
    high = np.round(np.maximum(open_, close) * (1 + rng.random(n) * 0.001), 2)
    low = np.round(np.minimum(open_, close) * (1 - rng.random(n) * 0.001), 2)
    ts = START + MINUTE * np.arange(n)
    keep = rng.random(n) > 0.07 if holes else np.ones(n, bool)
    columns = {"ts": ts, "open": open_, "high": high, "low": low, "close": close, "volume": np.ones(n)}
    return CandleFrame.of("test", "BTC-USD", "1m", {name: column[keep] for name, column in columns.items()})


def spec_of(timeframe: str) -> BotSpec:
    limits = LimitsSpec(allow_short=True)
    return BotSpec(
        name="twin", exchange="test", symbol="BTC-USD", timeframe=timeframe, strategy="parity_zigzag", limits=limits
    )


def batch(spec: BotSpec, strategy: Strategy, frame: CandleFrame) -> tuple[Account, Any, Any]:
    """Account, equity at each fill candle and fill rows by a backtest over the same candles."""
    question = spec_of_bot(spec, spec.terms(INSTRUMENT))
    candles = resample(frame, spec.timeframe)
    tape = run(question, candles, None if candles is frame else frame, strategy).tape
    return tape.account, tape.equity, tape.fills


class Silent:
    """A bus that nobody listens to."""

    def publish(self, topic: str, body: msgspec.Struct) -> None:
        pass

    async def subscribe(self, *patterns: str) -> AsyncIterator[Any]:
        for nothing in ():
            yield nothing

    async def close(self) -> None:
        pass


class Killed(BaseException):
    """The process is gone, at a moment nobody chose."""


class MortalLedger(MemoryLedger):
    """Dies at random: before a transaction, or right after it was committed."""

    def __init__(self, seed: int, rate: float) -> None:
        super().__init__()
        self._dice, self._rate = random.Random(seed), rate

    def _maybe_die(self) -> None:
        if self._dice.random() < self._rate:
            raise Killed

    async def plan(self, *args: Any, **kwargs: Any) -> None:
        self._maybe_die()
        await super().plan(*args, **kwargs)
        self._maybe_die()

    async def moved(self, *args: Any) -> None:
        self._maybe_die()
        await super().moved(*args)

    async def filled(self, *args: Any) -> int:
        self._maybe_die()
        new = await super().filled(*args)
        self._maybe_die()
        return new

    async def mark(self, *args: Any) -> None:
        self._maybe_die()
        await super().mark(*args)
        self._maybe_die()


async def live(spec: BotSpec, strategy: Strategy, frame: CandleFrame, ledger: MemoryLedger) -> Runner:
    """The bot over the frame, started again whenever it dies."""
    outside = Outside(MemoryCandles(frame), ledger, Silent())
    runner = Runner(spec, strategy, INSTRUMENT, outside)
    start: int | None = int(frame.ts[0])
    while True:
        try:
            if not await runner.begin(start):
                await runner.begin(int(frame.ts[0]))
            await runner.catch_up()
        except Killed:
            runner, start = Runner(spec, strategy, INSTRUMENT, outside), None
        else:
            return runner


def rows(ledger: MemoryLedger) -> list[tuple[float, ...]]:
    fills = sorted(ledger.fills.values(), key=lambda f: (f.ts, int(f.order_id.split("-")[1])))
    return [(int(f.order_id.split("-")[1]), f.side, f.qty, f.price, f.fee) for f in fills]


def check_equal(runner: Runner, ledger: MemoryLedger, frame: CandleFrame) -> None:
    account, equity, fills = batch(runner.spec, runner.strategy, frame)
    assert len(fills) > 40
    expected = [(int(r[F_ID]), int(r[F_SIDE]), r[F_QTY], r[F_PRICE], r[F_FEE]) for r in fills]
    assert sorted(rows(ledger)) == sorted(expected)
    np.testing.assert_array_equal(np.array(runner.account), np.array(account))
    at = {int(ts): i for i, ts in enumerate(frame.close_ts)}
    marks = {ts: state for (_, ts), state in ledger.marks.items() if ts in at}
    assert len(marks) > 40
    for ts, state in marks.items():
        assert state.account.equity(state.price) == equity[at[ts]]


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("seed", [1, 2])
async def test_runner_and_backtest_give_the_same_fills_and_equity_bit_for_bit(
    timeframe: str, holes: bool, seed: int
) -> None:
    frame, ledger = frame_of(seed, 1500, holes), MemoryLedger()
    runner = await live(spec_of(timeframe), Zigzag(), frame, ledger)
    check_equal(runner, ledger, frame)


@pytest.mark.parametrize("timeframe", ["1m", "5m"])
@pytest.mark.parametrize("seed", [3, 4, 5])
async def test_a_runner_that_dies_at_random_moments_still_equals_the_backtest(timeframe: str, seed: int) -> None:
    frame, ledger = frame_of(seed, 1500, holes=True), MortalLedger(seed, 0.03)
    runner = await live(spec_of(timeframe), Zigzag(), frame, ledger)
    check_equal(runner, ledger, frame)


async def test_orders_that_are_over_are_not_left_open_after_deaths() -> None:
    frame = frame_of(6, 1500, holes=False)
    calm, mortal = MemoryLedger(), MortalLedger(6, 0.05)
    await live(spec_of("5m"), Zigzag(), frame, calm)
    await live(spec_of("5m"), Zigzag(), frame, mortal)
    outcome = {id_: (o.status, o.qty, o.price, o.filled_qty) for id_, o in calm.orders.items()}
    assert {id_: (o.status, o.qty, o.price, o.filled_qty) for id_, o in mortal.orders.items()} == outcome
    assert mortal.signals.keys() == calm.signals.keys()
    assert mortal.marks.keys() == calm.marks.keys()


REAL: dict[str, dict[str, Any]] = {
    "costs": {
        "fees": "okx:spot:regular",
        "slippage": 0.0001,
        "spread": 0.0004,
        "impact_share": 0.1,
        "impact_root": 0.05,
    },
    "delays": {"latency": "20s", "data_latency": "500ms", "order_life": "7m"},
    "partly": {"volume_share": 0.3},
    "forces": {"force": "ioc", "stop_limit": 0.0005},
    "margin": {"symbol": "BTC-USD-SWAP", "leverage": 50.0, "maintenance": 0.018, "sizing": "quote:12000"},
}


@pytest.mark.parametrize("deaths", [0.0, 0.03])
@pytest.mark.parametrize("how", list(REAL))
async def test_a_bot_has_the_costs_delays_and_margin_of_its_backtest_bit_for_bit(how: str, deaths: float) -> None:
    limits = LimitsSpec(allow_short=True, max_exposure=2.0 if how == "margin" else 1.0)
    asked = msgspec.structs.replace(spec_of("5m"), limits=limits, **REAL[how]).check()
    frame = frame_of(7, 1200, holes=how == "delays")
    if how == "margin":
        frame = dataclasses.replace(frame, symbol=asked.symbol)
    ledger = MortalLedger(7, deaths)
    runner = await live(asked, Zigzag(), frame, ledger)
    check_equal(runner, ledger, frame)
    plain = msgspec.structs.replace(spec_of("5m"), symbol=asked.symbol, limits=limits)
    assert len(batch(plain, Zigzag(), frame)[2]) > 40
    assert batch(plain, Zigzag(), frame)[0] != runner.account  # it makes a difference
    if how == "margin":
        assert any(fill.role is Role.LIQUIDATION for fill in ledger.fills.values())
