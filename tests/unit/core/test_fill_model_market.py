"""Market orders: when, at which price, what they cost, how positions are enlarged, reduced and turned."""

from __future__ import annotations

import math

import pytest

from onetape.core.state import NO_SHORT, REASONS
from onetape.domain.accounts import Costs, Exits, RiskLimits, Sizing, Terms

ENTRY, EXIT = 1, 2
QUIET = (100.0, 101.0, 99.0, 100.0)
COSTS = Costs(maker=0.001, taker=0.002, slippage=0.01)


def test_an_entry_fills_at_the_next_open_worse_by_slippage_and_pays_the_taker_fee(play):
    out = play([QUIET, (110, 112, 108, 111)], [1.0], costs=COSTS)
    # 110 + 1 % = 111.10; fee 0.2 % of 111.10 = 0.2222; slippage paid 1.10
    assert out.rows == [(1, ENTRY, 1.0, pytest.approx(111.1))]
    assert out.account.fees == pytest.approx(0.2222)
    assert out.account.slippage == pytest.approx(1.1)
    assert out.account.cash == pytest.approx(10_000 - 111.1 - 0.2222)
    # equity: 10,000 at the first close; then cash 9,888.6778 + 111 at the second
    assert out.equity.tolist() == [10_000.0, pytest.approx(9_999.6778)]


def test_an_exit_fills_at_the_next_open_worse_by_slippage(play):
    out = play([QUIET, (110, 112, 108, 111), (120, 121, 119, 120)], [1.0, 0.0], costs=COSTS)
    # sold at 120 - 1 % = 118.80, fee 0.2376, realised 118.8 - 111.1 = 7.70
    assert out.rows[1] == (2, EXIT, -1.0, pytest.approx(118.8))
    assert out.account.realised == pytest.approx(7.7)
    assert out.account.cash == pytest.approx(9_888.6778 + 118.8 - 0.2376)
    assert out.account.qty == 0.0


def test_a_short_sells_lower_and_buys_back_higher(play):
    bars = [QUIET, (100, 101, 99, 100), (90, 91, 89, 90)]
    out = play(bars, [-1.0, 0.0], costs=COSTS, limits=RiskLimits(allow_short=1.0))
    # sold at 99.00 (fee 0.198), bought at 90.90 (fee 0.1818): realised 8.10
    assert out.rows == [(1, ENTRY, -1.0, pytest.approx(99.0)), (2, EXIT, 1.0, pytest.approx(90.9))]
    assert out.account.cash == pytest.approx(10_000 + 8.1 - 0.198 - 0.1818)


def test_a_signal_on_the_last_candle_leaves_its_order_waiting(play):
    out = play([QUIET, QUIET], [math.nan, 1.0])
    assert out.rows == []
    assert out.orders == [(ENTRY, 1.0, 0.0)]


def test_a_position_at_the_end_is_marked_and_not_closed(play):
    out = play([QUIET, (100, 120, 100, 115)], [1.0])
    assert out.account.qty == 1.0
    assert out.equity[-1] == 10_015.0  # bought at 100, marked at 115


def test_a_repeated_wish_buys_only_once(play):
    out = play([QUIET] * 4, [1.0, 1.0, 1.0])
    assert len(out.rows) == 1


def test_a_row_that_says_nothing_keeps_the_position(play):
    out = play([QUIET] * 4, [1.0, math.nan, math.nan])
    assert out.account.qty == 1.0
    assert len(out.rows) == 1


def test_a_turn_closes_first_and_opens_the_other_side_at_the_same_open(play):
    bars = [QUIET, QUIET, (110, 111, 109, 110)]
    out = play(bars, [1.0, -1.0], limits=RiskLimits(allow_short=1.0))
    assert out.rows == [(1, ENTRY, 1.0, 100.0), (2, EXIT, -1.0, 110.0), (2, ENTRY, -1.0, 110.0)]
    assert out.account.realised == 10.0
    assert out.account.entry_price == 110.0


def test_a_turn_without_leave_to_short_only_closes(play):
    out = play([QUIET, QUIET, (110, 111, 109, 110)], [1.0, -1.0])
    assert out.rows[1:] == [(2, EXIT, -1.0, 110.0)]
    assert out.rejected == {REASONS[NO_SHORT]: 1}


def test_a_larger_wish_adds_to_the_position_at_the_average_price(play):
    bars = [QUIET, QUIET, (110, 111, 109, 110)]
    out = play(bars, [0.5, 1.0], sizing=Sizing.parse("qty:2"))
    # 1 at 100, then 1 at 110: 2 at 105
    assert out.rows == [(1, ENTRY, 1.0, 100.0), (2, ENTRY, 1.0, 110.0)]
    assert out.account.entry_price == 105.0


def test_a_smaller_wish_sells_a_part_and_leaves_the_average_price(play):
    bars = [QUIET, QUIET, (110, 111, 109, 110)]
    out = play(bars, [1.0, 0.25], sizing=Sizing.parse("qty:2"))
    assert out.rows[1] == (2, EXIT, -1.5, 110.0)
    assert out.account.qty == 0.5
    assert out.account.entry_price == 100.0
    assert out.account.realised == 15.0  # 1.5 * 10


def test_a_smaller_position_shrinks_its_protective_exits(play):
    bars = [QUIET, QUIET, (110, 111, 109, 110)]
    out = play(bars, [1.0, 0.25], sizing=Sizing.parse("qty:2"), exits=Exits(stop=0.1, take=0.2))
    assert out.orders == [(3, -0.5, 90.0), (4, -0.5, 120.0)]


def test_a_larger_position_gets_new_exits_from_its_average_price(play):
    bars = [QUIET, QUIET, (110, 111, 109, 110)]
    out = play(bars, [0.5, 1.0], sizing=Sizing.parse("qty:2"), exits=Exits(stop=0.1))
    assert out.orders == [(3, -2.0, pytest.approx(94.5))]  # 105 - 10 %


def test_sizes_snap_down_to_the_lot(play):
    # 95 % of 10,000 at a close of 300 is 31.666..., in lots of 0.01: 31.66
    out = play([(300, 300, 300, 300)] * 2, [1.0], sizing=Sizing(), terms=Terms(lot=0.01))
    assert out.account.qty == 31.66


def test_a_buy_that_cash_no_longer_covers_is_cut_to_what_it_covers(play):
    # decided at 100 for all of 10,000; opens at 128: 10,000 / 128 = 78.125, in lots of 0.1: 78.1
    out = play([QUIET, (128, 129, 127, 128)], [1.0], sizing=Sizing.parse("fraction:1"), terms=Terms(lot=0.1))
    assert out.rows == [(1, ENTRY, 78.1, 128.0)]
    assert out.account.cash == pytest.approx(10_000 - 78.1 * 128)
    assert out.account.cash >= 0.0


def test_the_whole_of_equity_leaves_room_for_fee_and_slippage(play):
    out = play([QUIET, QUIET], [1.0], sizing=Sizing.parse("fraction:1"), costs=COSTS)
    # 10,000 / (100 * 1.01 * 1.002) = 98.8123...: paid 101 each and 0.2 % on it, which is all the cash
    assert out.account.qty == pytest.approx(10_000 / 101 / 1.002)
    assert out.account.cash == pytest.approx(0.0, abs=1e-9)
