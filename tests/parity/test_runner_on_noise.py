"""A bot that says anything at any time, under any rules, dying now and then, makes the fills of the batch loop."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from onetape.domain.bots import BotSpec, LimitsSpec
from onetape.domain.errors import Halt
from onetape.domain.instrument import Instrument
from onetape.domain.units import MINUTE
from onetape.strategies.contract import Signals, Strategy
from onetape.strategies.market import Market

sys.path.insert(0, str(Path(__file__).parent))
import test_runner_equals_backtest as twins


def noise(ts: np.ndarray, salt: int) -> np.ndarray:
    """A number in [0, 1) for each candle that depends on its time alone, so that every window says the same."""
    return np.array([np.random.default_rng([salt, int(t // MINUTE)]).random() for t in ts])


class Noise(Strategy, frozen=True, tag="parity_noise"):
    """Enters, adds, reduces, turns and leaves by chance, with exits and limits by chance."""

    salt: int

    def warmup(self) -> int:
        return 2

    def signals(self, market: Market) -> Signals:
        said, stop, take, trail, limit, at = (noise(market.ts, 10 * self.salt + i) for i in range(6))
        wishes = [1.0, 0.5, 0.0, -1.0, -0.4]
        target = np.select([said < edge for edge in (0.15, 0.25, 0.35, 0.43, 0.5)], wishes, np.nan)
        stop, take, trail = (np.where(u < 0.3, 0.002 + u * 0.02, np.nan) for u in (stop, take, trail))
        price = np.where(limit < 0.4, market.close * (0.997 + 0.006 * at), np.nan)
        return Signals.holding(target, 0.5, stop=stop, take=take, trail=trail, limit=price)


def instrument(random: np.random.Generator) -> Instrument:
    tick, lot = float(random.choice([0, 0.01, 0.5])), float(random.choice([0, 1e-6, 0.05]))
    least, money = float(random.choice([0, 0.1])), float(random.choice([0, 100]))
    return Instrument(exchange="test", symbol="BTC-USD", tick=tick, lot=lot, min_qty=least, min_notional=money)


def bot(random: np.random.Generator) -> BotSpec:
    limits = LimitsSpec(
        allow_short=bool(random.random() < 0.7),
        stop=0.004 if random.random() < 0.5 else None,
        take=0.006 if random.random() < 0.4 else None,
        trail=0.005 if random.random() < 0.4 else None,
        max_exposure=float(random.choice([0.5, 1, 3])),
        max_drawdown=0.1 if random.random() < 0.3 else None,
    )
    return BotSpec(
        name="twin",
        exchange="test",
        symbol="BTC-USD",
        timeframe=str(random.choice(["1m", "5m", "15m"])),
        strategy="parity_noise",
        sizing=str(random.choice(["fraction:0.95", "qty:0.3", "quote:3000", "risk:0.01"])),
        limits=limits,
    )


@pytest.mark.parametrize("seed", range(24))
async def test_fills_of_a_bot_are_those_of_the_loop(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(seed)
    monkeypatch.setattr(twins, "INSTRUMENT", instrument(random))
    spec, strategy = bot(random), Noise(salt=seed)
    frame = twins.frame_of(seed, 500, holes=bool(random.random() < 0.6))
    ledger = twins.MortalLedger(seed, 0.02 if random.random() < 0.5 else 0.0)
    halted = False
    try:
        await twins.live(spec, strategy, frame, ledger)
    except Halt:
        halted = True
    account, _, fills = twins.batch(spec, strategy, frame)
    columns = (twins.F_ID, twins.F_SIDE, twins.F_QTY, twins.F_PRICE, twins.F_FEE)
    assert sorted(twins.rows(ledger)) == sorted(tuple(fill[list(columns)]) for fill in fills)
    assert halted == (account.halted != 0.0)
