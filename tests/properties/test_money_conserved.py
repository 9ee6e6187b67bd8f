"""Whatever the market and the wishes: money comes from prices, goes to fees, and every account of it agrees."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape.core.state import F_BAR, F_FEE, F_PRICE, F_QTY, F_REALISED, F_SIDE, F_SLIP, SLOTS
from onetape.core.stats import T_FEES, T_OPEN, T_PROFIT, T_WIDTH, round_trips

SEEDS = st.integers(0, 2**32 - 1)
MANY = settings(max_examples=60, deadline=None)


@MANY
@given(seed=SEEDS)
def test_cash_and_position_change_only_by_fills_and_equity_only_by_price(tapes, seed):
    case = tapes.make(seed)
    ran = tapes.by_loop(case)
    # an account of its own, kept beside: cash and position from the written fills alone
    paid = ran.fills[:, F_SIDE] * ran.fills[:, F_QTY] * ran.fills[:, F_PRICE] + ran.fills[:, F_FEE]
    bars = ran.fills[:, F_BAR].astype(int)
    cash = 10_000.0 - np.cumsum(np.bincount(bars, paid, len(case.bars)))
    held = np.cumsum(np.bincount(bars, ran.fills[:, F_SIDE] * ran.fills[:, F_QTY], len(case.bars)))
    np.testing.assert_allclose(ran.equity, cash + held * case.bars[:, 3], rtol=1e-9, atol=1e-6)
    assert ran.account.cash == pytest.approx(cash[-1], rel=1e-9, abs=1e-6)
    assert ran.account.qty == pytest.approx(held[-1], abs=1e-9)


@MANY
@given(seed=SEEDS)
def test_realised_unrealised_fees_and_start_add_up_to_equity(tapes, seed):
    case = tapes.make(seed)
    ran, last = tapes.by_loop(case), case.bars[-1, 3]
    account = ran.account
    unrealised = account.qty * (last - account.entry_price)
    assert ran.equity[-1] == pytest.approx(10_000.0 + account.realised + unrealised - account.fees, abs=1e-6)
    assert account.realised == pytest.approx(ran.fills[:, F_REALISED].sum(), abs=1e-6)
    assert account.fees == pytest.approx(ran.fills[:, F_FEE].sum(), abs=1e-6)
    assert account.slippage == pytest.approx(ran.fills[:, F_SLIP].sum(), abs=1e-6)


@MANY
@given(seed=SEEDS)
def test_round_trips_share_out_all_profit_and_all_fees(tapes, seed):
    case = tapes.make(seed)
    ran = tapes.by_loop(case)
    trips = np.empty((len(ran.fills) + 1, T_WIDTH))
    last = len(case.bars) - 1
    trips = trips[: round_trips(ran.fills, last, case.bars[-1, 3], case.rules.terms.lot, trips)]
    assert trips[:, T_PROFIT].sum() == pytest.approx(ran.equity[-1] - 10_000.0, abs=1e-6)
    assert trips[:, T_FEES].sum() == pytest.approx(ran.account.fees, abs=1e-6)
    assert trips[:, T_OPEN].sum() == (ran.account.qty != 0.0)


@MANY
@given(seed=SEEDS)
def test_no_fill_is_better_than_the_candle_and_no_spot_account_borrows(tapes, seed):
    case = tapes.make(seed)
    ran = tapes.by_loop(case)
    shorts = case.rules.limits.allow_short == 1.0
    held, cash = 0.0, 10_000.0
    for fill in ran.fills:
        bar = case.bars[int(fill[F_BAR])]
        side, price = fill[F_SIDE], fill[F_PRICE]
        undisturbed = price - side * fill[F_SLIP] / fill[F_QTY]
        # a buy never below the low, a sale never above the high: a limit is never improved
        assert undisturbed >= bar[2] - 1e-9 if side > 0 else undisturbed <= bar[1] + 1e-9
        held += side * fill[F_QTY]
        cash -= side * fill[F_QTY] * price + fill[F_FEE]
        assert shorts or held >= -1e-9
        assert cash >= -1e-6
        lot = case.rules.terms.lot
        assert lot == 0.0 or fill[F_QTY] / lot == pytest.approx(round(fill[F_QTY] / lot), abs=1e-6)
    assert 0 <= ran.book[SLOTS, 0] <= SLOTS


def same(a, b):
    np.testing.assert_array_equal(np.array(a.account), np.array(b.account))
    for name in ("equity", "fills", "rejected", "book"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@MANY
@given(seed=SEEDS, ratio=st.sampled_from([1, 4, 60]))
def test_the_loop_is_the_fold_of_the_steps_bit_for_bit(tapes, seed, ratio):
    case = tapes.make(seed, 600, ratio)
    same(tapes.by_loop(case), tapes.by_steps(case))


@MANY
@given(seed=SEEDS)
def test_a_loop_that_is_interrupted_gives_the_same_bits(tapes, seed):
    case = tapes.make(seed)
    same(tapes.by_loop(case, room=48), tapes.by_loop(case))


INTERPRETED = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("tapes", sys.argv[1])
tapes = importlib.util.module_from_spec(spec); sys.modules["tapes"] = tapes; spec.loader.exec_module(tapes)
from onetape.core.compiled import INTERPRETED
assert INTERPRETED
out = []
for seed in range(8):
    ran = tapes.by_loop(tapes.make(seed, 200, 1 + 3 * (seed % 2)))
    out.append([[float(x).hex() for x in part.ravel()] for part in (ran.equity, ran.fills)])
print(json.dumps(out))
"""


def test_compiled_kernels_give_the_bits_of_the_interpreter(tapes):
    tools = os.path.join(os.path.dirname(__file__), "conftest.py")
    environment = os.environ | {"ONETAPE_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED, tools],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for seed, (equity, fills) in enumerate(json.loads(done.stdout)):
        ran = tapes.by_loop(tapes.make(seed, 200, 1 + 3 * (seed % 2)))
        assert [float(x).hex() for x in ran.equity] == equity
        assert [float(x).hex() for x in ran.fills.ravel()] == fills
