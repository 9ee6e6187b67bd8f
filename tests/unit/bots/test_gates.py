"""A proof holds for the code and the parameters that it was found for."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from onetape.archive import sample_frame
from onetape.bots.gates import Gates
from onetape.domain.bots import BotSpec
from onetape.domain.errors import Halt
from onetape.storage.memory import MemoryCandleStore
from onetape.strategies.gate import GateReport
from onetape.strategies.registry import Registry

HONEST = """
import numpy as np
from onetape import Market, Signals, Strategy


class Idea(Strategy, frozen=True, tag="idea"):
    length: int = 3

    def warmup(self) -> int:
        return 2

    def signals(self, market: Market) -> Signals:
        before = np.roll(market.close, 1)
        before[0] = market.close[0]
        return Signals.holding(np.where(market.close > before, 1.0, 0.0))
"""
SPEC = BotSpec(name="one", exchange="bitfinex", symbol="BTC-USD", timeframe="1m", strategy="idea")


class Proofs:
    """A GateStore in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, GateReport] = {}

    async def load(self) -> dict[str, GateReport]:
        return dict(self.kept)

    async def put(self, key: str, report: GateReport) -> None:
        self.kept[key] = report


async def test_a_strategy_that_changed_must_pass_again(tmp_path: Path) -> None:
    proofs, candles, file = Proofs(), MemoryCandleStore(), tmp_path / "idea.py"
    await candles.append(sample_frame().tail(3_000))
    file.write_text(HONEST)
    await Gates(candles, Registry.load(tmp_path), proofs).require(SPEC)
    file.write_text(HONEST.replace("np.roll(market.close, 1)", "np.roll(market.close, -1)"))
    with pytest.raises(Halt, match=r"did not pass the gate.*depends on later candles"):
        await Gates(candles, Registry.load(tmp_path), proofs).require(SPEC)
    file.write_text(HONEST)
    await Gates(MemoryCandleStore(), Registry.load(tmp_path), proofs).require(SPEC)  # the proof of this very code
    assert sorted(report.ok for report in proofs.kept.values()) == [False, True]


async def test_other_parameters_are_another_proof(tmp_path: Path) -> None:
    proofs, candles = Proofs(), MemoryCandleStore()
    await candles.append(sample_frame().tail(3_000))
    (tmp_path / "idea.py").write_text(HONEST)
    gates = Gates(candles, Registry.load(tmp_path), proofs)
    await gates.require(SPEC)
    await gates.require(msgspec.structs.replace(SPEC, parameters={"length": 4}))
    assert len(proofs.kept) == 2
