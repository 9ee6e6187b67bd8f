"""How large an order is, what is not sent and why, and what the drawdown limit and a pause do."""

from __future__ import annotations

import math

import pytest

from onetape.core.state import HALTED, PAUSED, REASONS
from onetape.domain.accounts import Account, Costs, Exits, RiskLimits, Sizing, Terms

ENTRY, EXIT, STOP_LOSS, HALT = 1, 2, 3, 6
QUIET = (100.0, 101.0, 99.0, 100.0)


def test_a_fraction_of_equity(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("fraction:0.95"))
    assert out.account.qty == 95.0  # 9,500 at 100


def test_half_an_exposure_is_half_the_size(play):
    out = play([QUIET, QUIET], [0.5], sizing=Sizing.parse("fraction:0.95"))
    assert out.account.qty == 47.5


def test_an_amount_of_quote_currency(play):
    assert play([QUIET, QUIET], [1.0], sizing=Sizing.parse("quote:1000")).account.qty == 10.0


def test_a_risk_is_what_the_stop_would_lose(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("risk:0.01"), exits=Exits(stop=0.02))
    assert out.account.qty == pytest.approx(50.0)  # 50 * 2.00 = 100 = 1 % of 10,000


def test_a_risk_without_a_stop_is_refused(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("risk:0.01"))
    assert out.rejected == {"risk sizing needs a stop": 1}
    assert out.rows == []


def test_a_risk_with_a_near_stop_is_cut_to_what_equity_pays(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("risk:0.01"), exits=Exits(stop=0.001))
    assert out.rows[0] == (1, ENTRY, pytest.approx(100.0), 100.0)  # wanted 1,000


def test_a_fixed_size_that_cash_does_not_cover_is_refused_and_not_cut(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("qty:101"))
    assert out.rejected == {"not enough cash": 1}


def test_a_size_above_the_largest_order_is_cut_when_computed(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing(), limits=RiskLimits(max_order_notional=2_000.0))
    assert out.account.qty == 20.0


def test_a_size_above_the_largest_order_is_refused_when_fixed(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("qty:21"), limits=RiskLimits(max_order_notional=2_000.0))
    assert out.rejected == {"larger than the limit allows": 1}


def test_the_largest_exposure_cuts_a_computed_size(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing(), limits=RiskLimits(max_exposure=0.5))
    assert out.account.qty == 50.0


def test_an_exposure_above_one_borrows(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("qty:150"), limits=RiskLimits(max_exposure=2.0))
    assert out.account.qty == 150.0
    assert out.account.cash == -5_000.0


def test_below_the_smallest_notional_nothing_is_sent(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("quote:9"), terms=Terms(min_notional=10.0))
    assert out.rejected == {"below the venue's minimum size": 1}


def test_below_the_smallest_quantity_nothing_is_sent(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("qty:0.009"), terms=Terms(min_qty=0.01))
    assert out.rejected == {"below the venue's minimum size": 1}


def test_a_size_that_is_less_than_one_lot_is_nothing(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("qty:0.5"), terms=Terms(lot=1.0))
    assert out.rejected == {"below the venue's minimum size": 1}


def test_a_ruined_account_enters_nothing(play):
    out = play([QUIET, QUIET], [1.0], cash=0.0, sizing=Sizing())
    assert out.rejected == {"not enough cash": 1}


DRAWDOWN = {"sizing": Sizing.parse("qty:50"), "limits": RiskLimits(max_drawdown=0.1)}


def test_the_drawdown_limit_closes_at_the_next_open_and_halts(play):
    # 50 bought at 100; at a close of 79 equity is 8,950, below 9,000
    bars = [QUIET, QUIET, (90, 90, 78, 79), (75, 76, 74, 75), QUIET]
    out = play(bars, [1.0, math.nan, math.nan, math.nan], **DRAWDOWN)
    assert out.rows == [(1, ENTRY, 50.0, 100.0), (3, HALT, -50.0, 75.0)]
    assert out.account.halted == HALTED


def test_a_drawdown_that_only_reaches_the_limit_does_not_halt(play):
    out = play([QUIET, QUIET, (90, 90, 78, 80), QUIET], [1.0], **DRAWDOWN)  # equity exactly 9,000
    assert out.account.halted == 0.0


def test_the_drawdown_is_measured_from_the_highest_equity(play):
    # marked at 140: 12,000; 10 % of it is 1,200, so a close of 115 (10,750) halts although it is a profit
    bars = [QUIET, QUIET, (100, 140, 100, 140), (115, 116, 114, 115), (115, 116, 114, 115)]
    out = play(bars, [1.0], **DRAWDOWN)
    assert out.rows[1] == (4, HALT, -50.0, 115.0)


def test_a_halted_account_enters_nothing_more(play):
    bars = [QUIET, QUIET, (90, 90, 78, 79), (75, 76, 74, 75), QUIET, QUIET]
    out = play(bars, [1.0, math.nan, math.nan, math.nan, 1.0], **DRAWDOWN)
    assert len(out.rows) == 2
    assert out.rejected == {"halted by the drawdown limit": 1}


def test_a_paused_account_enters_nothing(play):
    start = Account(cash=10_000.0, peak=10_000.0, halted=float(PAUSED))
    out = play([QUIET, QUIET], [1.0], account=start)
    assert out.rows == []
    assert out.rejected == {REASONS[PAUSED]: 1}


def test_a_paused_account_still_leaves_by_signal(play):
    start = Account(cash=9_900.0, qty=1.0, entry_price=100.0, peak=10_000.0, halted=float(PAUSED), target=1.0, said=1.0)
    out = play([QUIET, QUIET], [0.0], account=start)
    assert out.rows == [(1, EXIT, -1.0, 100.0)]


def test_a_paused_account_may_make_its_position_smaller(play):
    start = Account(cash=9_800.0, qty=2.0, entry_price=100.0, peak=10_000.0, halted=float(PAUSED), target=1.0, said=1.0)
    out = play([QUIET, QUIET], [0.5], account=start, sizing=Sizing.parse("qty:2"))
    assert out.rows == [(1, EXIT, -1.0, 100.0)]


def test_a_rebate_is_a_negative_fee(play):
    signal = {"target": 1.0, "limit": 95.0}
    out = play([QUIET, (100, 100, 94, 96)], [signal], costs=Costs(-0.0001, 0.001, 0.0))
    assert out.account.fees == pytest.approx(-0.0095)
    assert out.account.cash == pytest.approx(10_000 - 95 + 0.0095)
