"""A bot that was stopped and is started again: its position is protected, its strategy is heard anew."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import numpy as np

from onetape.domain.bots import BotSpec, LimitsSpec
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.orders import OrderStatus, Role
from onetape.domain.units import MINUTE
from onetape.strategies.contract import Signals, Strategy
from onetape.strategies.market import Market
from onetape.trading.memory import MemoryCandles, MemoryLedger
from onetape.trading.runner import Outside, Runner

START = 1_600_000_200_000_000
BTC = Instrument(exchange="test", symbol="BTC-USD", tick=0.01, lot=1e-6)


class AlwaysLong(Strategy, frozen=True, tag="comes_back_long"):
    """Long from the first candle on."""

    def warmup(self) -> int:
        return 1

    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.ones(len(market)))


class Silent:
    """A bus that nobody listens to."""

    def publish(self, topic: str, body: msgspec.Struct) -> None:
        pass

    async def subscribe(self, *patterns: str) -> AsyncIterator[Any]:
        for nothing in ():
            yield nothing

    async def close(self) -> None:
        pass


def candles(first: int, *closes: float) -> CandleFrame:
    column = np.array(closes)
    ts = START + MINUTE * (first + np.arange(len(column)))
    columns = dict.fromkeys(("open", "high", "low", "close"), column) | {"volume": np.ones(len(column)), "ts": ts}
    return CandleFrame.of("test", "BTC-USD", "1m", columns)


async def fold(runner: Runner, frame: CandleFrame) -> None:
    for i in range(len(frame)):
        await runner.on_candle(frame.candle(i))


def bot(ledger: MemoryLedger) -> Runner:
    spec = BotSpec(
        name="back", exchange="test", symbol="BTC-USD", timeframe="1m", strategy="comes_back_long", sizing="qty:1",
        fee_taker=0.0, slippage=0.0, limits=LimitsSpec(stop=0.1),
    )  # fmt: skip
    return Runner(spec, AlwaysLong(), BTC, Outside(MemoryCandles(), ledger, Silent()))


async def stopped(ledger: MemoryLedger, *closes: float) -> None:
    """A bot that has lived through some candles and was stopped."""
    runner = bot(ledger)
    await runner.begin(START)
    await fold(runner, candles(0, *closes))
    await runner.stop()


async def test_a_position_that_comes_back_is_protected_by_the_limits_of_the_bot() -> None:
    ledger = MemoryLedger()
    await stopped(ledger, 100.0, 100.0)  # bought at 100, stop at 90
    runner = bot(ledger)
    await runner.begin(START + 10 * MINUTE)
    await fold(runner, candles(10, 95.0))
    assert runner.account.qty == 1.0
    open_now = [(order.role, order.price) for order in ledger.orders.values() if order.status is OrderStatus.OPEN]
    assert open_now == [(Role.STOP_LOSS, 90.0)]
    await fold(runner, candles(11, 89.0))
    assert runner.account.qty == 0.0
    assert [fill.role for fill in ledger.fills.values()] == [Role.ENTRY, Role.STOP_LOSS]


async def test_a_bot_that_comes_back_flat_hears_its_strategy_anew() -> None:
    ledger = MemoryLedger()
    await stopped(ledger, 100.0, 100.0, 89.0)  # stopped out
    runner = bot(ledger)
    await runner.begin(START + 10 * MINUTE)
    await fold(runner, candles(10, 95.0, 95.0))
    assert runner.account.qty == 1.0


async def test_a_bot_that_was_only_interrupted_does_not_repeat_its_wish() -> None:
    ledger = MemoryLedger()
    runner = bot(ledger)
    await runner.begin(START)
    await fold(runner, candles(0, 100.0, 100.0, 89.0))
    again = bot(ledger)
    assert await again.begin()
    await fold(again, candles(3, 95.0, 95.0))
    assert again.account.qty == 0.0
    assert len(ledger.fills) == 2
