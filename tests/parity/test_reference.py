"""The kernels against an independent simulator in exact decimals, over many random markets and wishes."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from onetape.core import loop
from onetape.core.bars import bars_of, fixed, funding_of
from onetape.core.state import F_BAR, F_FEE, F_PRICE, F_QTY, F_ROLE, F_SIDE, REASONS, empty_book, fill_buffer
from onetape.domain.accounts import Account, Costs, Exits, RiskLimits, Rules, Sizing, Terms

sys.path.insert(0, str(Path(__file__).parent))
from exact import Candle, Wish, World
from reference import play

CASH = 10_000
SCALES = ((1e-8, "1e-10", "1"), (0.02, "0.0001", "5"), (100.0, "0.01", "0.001"), (100.0, "0.5", "0.05"))
SCALES += ((60_000.0, "0.1", "0.00000001"), (100.0, "0", "0"), (1e-7, "0", "100"))  # price, tick, lot


def dec(x: float, digits: int = 12) -> Decimal:
    """The decimal that a person would have written for a float."""
    return Decimal(f"{x:.{digits}g}")


def optional(x: float) -> Decimal | None:
    return None if np.isnan(x) else dec(x)


def market(random: np.random.Generator, n: int, price: float, tick: str) -> np.ndarray:
    """Candles on the tick, wild and with gaps; now and then they stand still."""
    move = random.standard_normal((n, 4)) * random.choice([0.004, 0.02, 0.06])
    move[random.random(n) < 0.1] = 0.0
    close = price * np.exp(np.cumsum(move[:, 0]))
    opens = np.concatenate(([price], close[:-1])) * np.exp(move[:, 1] * random.choice([0.0, 0.5, 2.0]))
    high = np.maximum(opens, close) * np.exp(np.abs(move[:, 2]))
    low = np.minimum(opens, close) * np.exp(-np.abs(move[:, 3]))
    step = float(tick) or price * 1e-6
    bars = np.maximum(np.round(np.stack([opens, high, low, close], axis=1) / step), 1.0) * step
    return np.vectorize(lambda x: float(dec(x)))(bars)


def world_of(random: np.random.Generator, price: float, tick: str, lot: str) -> World:
    mode, value = random.choice(["fraction", "quote", "qty", "risk"]), {}
    value = {"fraction": Decimal(random.choice(["0.95", "1"])), "risk": Decimal("0.01")}
    value |= {"quote": Decimal(random.choice(["2000", "9990"])), "qty": dec(float(f"{3000 / price:.2g}"))}
    exits = [dec(float(random.uniform(0.003, 0.1)), 7) if random.random() < 0.4 else None for _ in range(3)]
    smallest = random.random() < 0.5
    return World(
        maker=dec(random.uniform(-0.0002, 0.002), 3),
        taker=dec(random.uniform(0, 0.003), 3),
        slippage=Decimal(str(random.choice(["0", "0.0007", "0.01"]))),
        mode=str(mode),
        value=value[str(mode)],
        max_exposure=Decimal(str(random.choice(["0.5", "1", "2"]))),
        max_notional=Decimal(4000) if random.random() < 0.2 else None,
        max_drawdown=Decimal(str(random.choice(["0.1", "0.3", "1"]))),
        shorts=bool(random.random() < 0.6),
        stop=exits[0],
        take=exits[1],
        trail=exits[2],
        tick=Decimal(tick),
        lot=Decimal(lot),
        min_qty=dec(float(lot) * 7) if smallest else Decimal(0),
        min_notional=Decimal(500) if smallest else Decimal(0),
    )


def rules_of(world: World) -> Rules:
    number = lambda x, none=float("nan"): none if x is None else float(x)  # noqa: E731
    return Rules(
        Costs(float(world.maker), float(world.taker), float(world.slippage)),
        Sizing.parse(f"{world.mode}:{world.value}"),
        RiskLimits(
            float(world.max_exposure),
            number(world.max_notional, float("inf")),
            float(world.max_drawdown),
            float(world.shorts),
        ),
        Exits(number(world.stop), number(world.take), number(world.trail)),
        Terms(float(world.tick), float(world.lot), float(world.min_qty), float(world.min_notional)),
    )


def wishes_of(random: np.random.Generator, rows: int, close: np.ndarray) -> np.ndarray:
    target = random.choice([1.0, 0.5, 0.02, 0.0, -1.0, -0.5, np.nan], rows, p=[0.14, 0.08, 0.03, 0.1, 0.08, 0.05, 0.52])
    column = lambda share, low, high: np.where(  # noqa: E731
        random.random(rows) < share, np.round(random.uniform(low, high, rows), 7), np.nan
    )
    limit = close * column(random.choice([0.0, 0.3, 0.9]), 0.96, 1.04)
    return np.stack([target, column(0.3, 0.002, 0.1), column(0.3, 0.002, 0.1), column(0.2, 0.004, 0.1), limit], axis=1)


def one(seed: int, n: int = 60) -> int:
    """Plays one case both ways and compares every fill and every equity; gives the number of fills."""
    random = np.random.default_rng(seed)
    price, tick, lot = SCALES[random.integers(len(SCALES))]
    bars, world = market(random, n, price, tick), world_of(random, price, tick, lot)
    if random.random() < 0.5:
        known = np.empty(0, np.int64)
        until = np.arange(1, n + 1)
    else:  # fewer or more rows than candles, unevenly
        until = known = np.cumsum(random.choice([0, 1, 2, 3], n, p=[0.6, 0.2, 0.1, 0.1]))
    close = bars[np.searchsorted(until, np.arange(until[-1]), side="right"), 3]
    wishes = wishes_of(random, int(until[-1]), close)
    wishes[:, 4] = [np.nan if np.isnan(x) else float(dec(x)) for x in wishes[:, 4]]

    equity, fills, rejected = np.empty(n), fill_buffer(2000), np.zeros(len(REASONS), np.int64)
    columns = tuple(fixed(column) for column in wishes.T)
    prices = bars_of(tuple(bars.T))
    start = Account(cash=float(CASH), peak=float(CASH))
    account, _, _, count, _ = loop.run(
        prices,
        known,
        columns,
        start,
        empty_book(),
        rules_of(world),
        funding_of(),
        (0, 0, 0, 0),
        n,
        equity,
        fills,
        rejected,
    )
    candles = [Candle(*map(dec, row)) for row in bars.tolist()]
    exact, marks = play(candles, until.tolist(), [Wish(*map(optional, r)) for r in wishes], world, Decimal(CASH))

    made = [tuple(f[[F_BAR, F_ROLE, F_SIDE]].astype(int)) for f in fills[:count]]
    assert made == [(f.bar, f.role, f.side) for f in exact.fills]
    for column, name in ((F_QTY, "qty"), (F_PRICE, "price"), (F_FEE, "fee")):
        wanted = np.array([float(getattr(f, name)) for f in exact.fills])
        np.testing.assert_allclose(fills[:count, column], wanted, rtol=1e-9, atol=1e-15, err_msg=name)
    np.testing.assert_allclose(equity, np.array([float(x) for x in marks]), rtol=1e-9, atol=1e-9)
    assert account[1] == pytest.approx(float(exact.held), rel=1e-12)
    assert {REASONS[k]: int(rejected[k]) for k in np.flatnonzero(rejected)} == exact.refused
    return count


@pytest.mark.parametrize("block", range(4))
def test_kernels_and_exact_reference_agree_on_every_fill(block: int) -> None:
    fills = sum(one(seed) for seed in range(block * 400, block * 400 + 400))
    assert fills > 2000
