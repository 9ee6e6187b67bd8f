"""The manager makes wishes so, and one bot never hurts another. Everything is in memory; candles are fed by hand."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from onetape.bots import files
from onetape.bots.manager import Manager, World
from onetape.bots.memory import MemoryBotStore
from onetape.bus.memory import MemoryBus
from onetape.domain import topics
from onetape.domain.accounts import Costs, Exits, RiskLimits, Rules, Sizing, Terms
from onetape.domain.bots import BotSpec, BotStatus, LimitsSpec, Wish
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.market import InstrumentChange
from onetape.domain.orders import OrderStatus, Role
from onetape.domain.units import MINUTE
from onetape.storage.memory import MemoryCandleStore
from onetape.strategies.registry import Registry
from onetape.supervisor.services import Beat
from onetape.trading.memory import MemoryLedger
from onetape.trading.runner import compile_kernels

START = 1_600_000_200_000_000
HISTORY = 120
TAPE = topics.candle("test", "BTC-USD", "1m")
SPEC = BotSpec(
    name="one",
    exchange="test",
    symbol="BTC-USD",
    timeframe="1m",
    strategy="sma_cross",
    parameters={"fast": 1, "slow": 3},
    limits=LimitsSpec(stop=0.5),
)


def frame_of(closes: list[float], first: int = 0) -> CandleFrame:
    close = np.array(closes, float)
    ts = START + MINUTE * (first + np.arange(len(close)))
    columns = {
        "ts": ts,
        "open": close,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": np.ones(len(close)),
    }
    return CandleFrame.of("test", "BTC-USD", "1m", columns)


class Stage:
    """A manager at work, and the market it sees."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.ledger = MemoryLedger()
        self.bots = MemoryBotStore(self.ledger)
        self.candles = MemoryCandleStore()
        self.bus = MemoryBus()
        self.folder = folder
        self.world = World(
            bots=self.bots,
            candles=self.candles,
            ledger=self.ledger,
            bus=self.bus,
            registry=Registry.load(None),
            config_dir=folder,
            **more,
        )
        self.minute = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(Manager(self.world).run(Beat()))

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def history(self) -> None:
        wave = 100 + 10 * np.sin(np.arange(HISTORY) / 5)
        await self.candles.append(frame_of(list(wave)))
        self.minute = HISTORY

    async def candle(self, close: float) -> None:
        frame = frame_of([close], self.minute)
        self.minute += 1
        await self.candles.append(frame)
        self.bus.publish(TAPE, frame.candle(0))
        await self.until(self.settled)

    async def settled(self) -> bool:
        """Every bot has dealt with what was told last."""
        return self.bus.content(TAPE) is not None

    async def wish(self, name: str, status: BotStatus) -> None:
        await self.bots.wish(name, status)
        self.bus.publish(topics.CONTROL, Wish(name))

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):  # only what hangs takes so long
            while not await holds():
                await asyncio.sleep(0.005)

    async def is_(self, name: str, status: BotStatus, reason: str | None = None) -> bool:
        view = await self.bots.get(name)
        return view.status is status and (reason is None or reason in view.reason)

    async def trading(self, name: str) -> None:
        """It stands before the tape."""
        await self.until(lambda: self.is_(name, BotStatus.RUNNING, "waits for the first candle"))
        await self.until(self.settled)

    def fills(self, bot: str) -> list[tuple[str, int]]:
        return [(fill.role.name, int(fill.side)) for fill in self.ledger.fills.values() if fill.bot == bot]


@pytest.fixture(scope="session", autouse=True)
def kernels() -> None:
    """They are compiled before a bot trades, as the service does it: nothing else would run meanwhile."""
    compile_kernels(Rules(Costs(), Sizing(), RiskLimits(), Exits(), Terms()))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    found = Stage(tmp_path)
    await found.history()
    yield found
    await found.end()


async def running(stage: Stage, *specs: BotSpec) -> None:
    for spec in specs:
        await stage.bots.put(spec)
        await stage.bots.wish(spec.name, BotStatus.RUNNING)
    stage.start()
    for spec in specs:
        await stage.trading(spec.name)


async def test_a_started_bot_trades_on_the_candles_that_come(stage: Stage) -> None:
    await running(stage, SPEC)
    for close in (100, 99, 98, 97, 110, 111):  # the last close crosses above the mean of three, filled a minute later
        await stage.candle(close)
    assert stage.fills("one") == [("ENTRY", 1)]
    assert (await stage.bots.get("one")).qty > 0


async def test_a_stopped_bot_cancels_what_rests_and_keeps_its_position(stage: Stage) -> None:
    await running(stage, SPEC)
    for close in (100, 99, 98, 97, 110, 111):
        await stage.candle(close)
    held = (await stage.bots.get("one")).qty
    assert [o.role for o in stage.ledger.orders.values() if o.status is OrderStatus.OPEN] == [Role.STOP_LOSS]
    await stage.wish("one", BotStatus.STOPPED)
    await stage.until(lambda: stage.is_("one", BotStatus.STOPPED, "open position"))
    assert [o for o in stage.ledger.orders.values() if o.status is OrderStatus.OPEN] == []
    for close in (90, 80, 70):
        await stage.candle(close)
    assert (await stage.bots.get("one")).qty == held
    assert len(stage.fills("one")) == 1


async def test_a_bot_that_starts_again_goes_on_with_its_position_and_skips_what_it_did_not_see(stage: Stage) -> None:
    await running(stage, SPEC)
    for close in (100, 99, 98, 97, 110, 111):
        await stage.candle(close)
    await stage.wish("one", BotStatus.STOPPED)
    await stage.until(lambda: stage.is_("one", BotStatus.STOPPED))
    for close in (90, 120, 80, 130, 131, 132):  # many crosses that nobody sees
        await stage.candle(close)
    await stage.wish("one", BotStatus.RUNNING)
    await stage.trading("one")
    for close in (133, 90, 89):
        await stage.candle(close)
    assert stage.fills("one") == [("ENTRY", 1), ("EXIT", -1)]


async def test_a_paused_bot_leaves_but_does_not_enter(stage: Stage) -> None:
    await running(stage, SPEC)
    for close in (100, 99, 98, 97, 110, 111):
        await stage.candle(close)
    await stage.wish("one", BotStatus.PAUSED)
    await stage.until(lambda: stage.is_("one", BotStatus.PAUSED))
    for close in (90, 89, 88, 110, 111, 112):  # out, then a cross upwards that is not followed
        await stage.candle(close)
    assert stage.fills("one") == [("ENTRY", 1), ("EXIT", -1)]
    assert "paused" in [reason for _, reason in stage.ledger.signals.values()]
    await stage.wish("one", BotStatus.RUNNING)
    await stage.until(lambda: stage.is_("one", BotStatus.RUNNING))
    for close in (90, 89, 88, 110, 111, 112):
        await stage.candle(close)
    assert stage.fills("one") == [("ENTRY", 1), ("EXIT", -1), ("ENTRY", 1)]


async def test_a_bot_that_reaches_its_drawdown_halts_with_its_reason_and_the_others_go_on(stage: Stage) -> None:
    deep = msgspec.structs.replace(SPEC, name="deep", limits=LimitsSpec(max_drawdown=0.05))
    await running(stage, deep, SPEC)
    for close in (100, 99, 98, 97, 110, 111, 95, 94, 93, 92):
        await stage.candle(close)
    await stage.until(lambda: stage.is_("deep", BotStatus.HALTED, "5.00%"))
    assert (await stage.bots.get("deep")).qty == 0
    assert (await stage.bots.get("one")).status is BotStatus.RUNNING
    await stage.wish("deep", BotStatus.RUNNING)
    await stage.trading("deep")
    for close in (91, 90, 110, 111):
        await stage.candle(close)
    assert stage.fills("deep")[-1] == ("ENTRY", 1)


async def test_a_strategy_that_is_not_there_halts_only_its_own_bot(stage: Stage) -> None:
    await stage.bots.put(msgspec.structs.replace(SPEC, name="lost", strategy="gone"))
    await stage.bots.wish("lost", BotStatus.RUNNING)
    await running(stage, SPEC)
    await stage.until(lambda: stage.is_("lost", BotStatus.HALTED, "gone"))
    assert (await stage.bots.get("one")).status is BotStatus.RUNNING


async def test_a_strategy_that_looks_ahead_is_not_started(tmp_path: Path) -> None:
    strategies = tmp_path / "strategies"
    strategies.mkdir()
    (strategies / "seer.py").write_text(
        "import numpy as np\n"
        "from onetape import Signals, Strategy\n"
        "class Seer(Strategy, frozen=True, tag='seer'):\n"
        "    def warmup(self):\n"
        "        return 5\n"
        "    def signals(self, market):\n"
        "        return Signals.holding(np.where(np.roll(market.close, -1) > market.close, 1.0, 0.0))\n"
    )
    stage = Stage(tmp_path / "config")
    stage.world = dataclasses.replace(stage.world, registry=Registry.load(strategies))
    await stage.history()
    await stage.bots.put(msgspec.structs.replace(SPEC, strategy="seer", parameters={}))
    await stage.bots.wish("one", BotStatus.RUNNING)
    stage.start()
    await stage.until(lambda: stage.is_("one", BotStatus.HALTED, "gate"))
    await stage.end()


async def test_no_more_bots_run_than_allowed(tmp_path: Path) -> None:
    stage = Stage(tmp_path, most_running=1)
    await stage.history()
    for name in ("one", "two"):
        await stage.bots.put(msgspec.structs.replace(SPEC, name=name))
        await stage.bots.wish(name, BotStatus.RUNNING)
    stage.start()
    await stage.until(lambda: stage.is_("two", BotStatus.STOPPED, "1 bots are running already"))
    await stage.wish("one", BotStatus.STOPPED)
    await stage.until(lambda: stage.is_("two", BotStatus.RUNNING))
    await stage.end()


async def test_a_file_becomes_a_bot_and_a_bot_a_file(stage: Stage) -> None:
    files.write(stage.folder, SPEC)
    await stage.bots.put(msgspec.structs.replace(SPEC, name="made"))
    stage.start()

    async def both() -> bool:
        names = {view.spec.name for view in await stage.bots.list()}
        return names == {"one", "made"} and files.path_of(stage.folder, "made").exists()

    await stage.until(both)


async def test_a_deleted_bot_is_let_go(stage: Stage) -> None:
    await running(stage, SPEC)
    await stage.bots.wish("one", BotStatus.STOPPED)
    await stage.bots.delete("one")
    files.remove(stage.folder, "one")
    stage.bus.publish(topics.CONTROL, Wish("one"))
    for close in (100, 99, 98, 97, 110, 111):
        await stage.candle(close)
    assert stage.fills("one") == []


async def test_orders_of_a_running_bot_follow_the_new_steps_of_its_instrument(stage: Stage) -> None:
    await stage.candles.put_instruments([Instrument(exchange="test", symbol="BTC-USD", lot=1.0)])
    await running(stage, SPEC)
    after = Instrument(exchange="test", symbol="BTC-USD", lot=0.25)
    stage.bus.publish(topics.instrument("test", "BTC-USD"), InstrumentChange("test", "BTC-USD", 1, after))
    for close in (100, 99, 98, 97, 110, 111):
        await stage.candle(close)
    quantity = (await stage.bots.get("one")).qty
    assert quantity % 1.0
    assert quantity % 0.25 == 0.0
