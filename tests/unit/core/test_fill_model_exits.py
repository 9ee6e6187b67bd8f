"""Protective exits: stop-loss, take-profit and trailing stop, gaps, and what one candle proves."""

from __future__ import annotations

import math

import pytest

from onetape.domain.accounts import Costs, Exits, RiskLimits, Terms

ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT, TRAILING = 1, 2, 3, 4, 5
QUIET = (100.0, 101.0, 99.0, 100.0)
SHORT = RiskLimits(allow_short=1.0)
COSTS = Costs(maker=0.001, taker=0.002, slippage=0.01)
STOP = Exits(stop=0.02)  # bought at 100: 98
TAKE = Exits(take=0.04)  # bought at 100: 104
BRACKET = Exits(stop=0.02, take=0.04)


def test_a_stop_fills_at_its_trigger_when_the_price_falls_through_it(play):
    out = play([QUIET, QUIET, (100, 100, 97, 99)], [1.0], exits=STOP)
    assert out.rows[1] == (2, STOP_LOSS, -1.0, 98.0)


def test_a_stop_that_is_just_touched_fills(play):
    out = play([QUIET, QUIET, (100, 100, 98, 99)], [1.0], exits=STOP)
    assert out.rows[1] == (2, STOP_LOSS, -1.0, 98.0)


def test_a_stop_that_is_not_reached_rests(play):
    out = play([QUIET, QUIET, (100, 100, 98.01, 99)], [1.0], exits=STOP)
    assert len(out.rows) == 1
    assert out.orders == [(STOP_LOSS, -1.0, 98.0)]


def test_a_gap_through_the_stop_fills_at_the_open_with_slippage_and_taker_fee(play):
    out = play([QUIET, QUIET, (95, 96, 94, 95)], [1.0], exits=Exits(stop=0.02), costs=COSTS)
    # bought at 101; stop at 98.98; opened at 95: sold at 95 - 1 % = 94.05, fee 0.1881
    assert out.rows[1] == (2, STOP_LOSS, -1.0, pytest.approx(94.05))
    assert out.fills[1, 7] == pytest.approx(0.1881)
    assert out.fills[1, 4] == 0.0


def test_a_short_is_stopped_above_and_a_gap_fills_at_the_open(play):
    out = play([QUIET, QUIET, (103, 104, 102, 103)], [-1.0], exits=STOP, limits=SHORT)
    assert out.rows[1] == (2, STOP_LOSS, 1.0, 103.0)  # trigger 102, opened at 103


def test_a_take_that_is_traded_through_fills_at_its_own_price_at_the_maker_fee(play):
    out = play([QUIET, QUIET, (100, 104.5, 100, 104)], [1.0], exits=TAKE, costs=Costs(0.001, 0.0, 0.0))
    assert out.rows[1] == (2, TAKE_PROFIT, -1.0, 104.0)
    assert out.fills[1, 7] == pytest.approx(0.104)
    assert out.fills[1, 4] == 1.0


def test_a_take_that_is_only_touched_does_not_fill(play):
    out = play([QUIET, QUIET, (100, 104, 100, 104)], [1.0], exits=TAKE)
    assert len(out.rows) == 1


def test_a_gap_beyond_the_take_fills_at_its_own_price_and_no_better(play):
    out = play([QUIET, QUIET, (106, 107, 105, 106)], [1.0], exits=TAKE)
    assert out.rows[1] == (2, TAKE_PROFIT, -1.0, 104.0)


def test_a_short_takes_its_profit_below(play):
    out = play([QUIET, QUIET, (100, 100, 95.9, 97)], [-1.0], exits=TAKE, limits=SHORT)
    assert out.rows[1] == (2, TAKE_PROFIT, 1.0, 96.0)


def test_stop_and_take_touched_in_one_candle_count_as_the_stop(play):
    out = play([QUIET, QUIET, (100, 110, 90, 105)], [1.0], exits=BRACKET)
    assert out.rows[1:] == [(2, STOP_LOSS, -1.0, 98.0)]
    assert out.orders == []


def test_the_stop_protects_in_the_entry_candle_too(play):
    out = play([QUIET, (100, 101, 97, 100)], [1.0], exits=BRACKET)
    assert out.rows == [(1, ENTRY, 1.0, 100.0), (1, STOP_LOSS, -1.0, 98.0)]


def test_the_take_works_in_the_entry_candle_too(play):
    out = play([QUIET, (100, 105, 99, 100)], [1.0], exits=BRACKET)
    assert out.rows == [(1, ENTRY, 1.0, 100.0), (1, TAKE_PROFIT, -1.0, 104.0)]


def test_exits_are_measured_from_the_price_that_was_paid(play):
    out = play([QUIET, QUIET], [1.0], exits=BRACKET, costs=Costs(0.0, 0.0, 0.01))
    # bought at 101: stop 98.98, take 105.04
    assert out.orders == [(STOP_LOSS, -1.0, pytest.approx(98.98)), (TAKE_PROFIT, -1.0, pytest.approx(105.04))]


def test_exit_prices_lie_on_the_tick(play):
    out = play([(99.7, 99.7, 99.7, 99.7)] * 2, [1.0], exits=Exits(stop=0.02), terms=Terms(tick=0.5))
    assert out.orders == [(STOP_LOSS, -1.0, 97.5)]  # 99.7 - 2 % = 97.706


def test_the_rates_of_a_signal_win_over_those_of_the_run(play):
    out = play([QUIET, QUIET], [{"target": 1.0, "stop": 0.1, "take": 0.2}], exits=BRACKET)
    assert out.orders == [(STOP_LOSS, -1.0, 90.0), (TAKE_PROFIT, -1.0, 120.0)]


def test_an_exit_by_signal_comes_before_the_stop_of_the_same_candle(play):
    # both the exit (at the open of 99) and the stop (98) would fill in the third candle: the open comes first
    out = play([QUIET, QUIET, (99, 99, 90, 91)], [1.0, 0.0], exits=STOP)
    assert out.rows[1:] == [(2, EXIT, -1.0, 99.0)]
    assert out.orders == []


def test_a_stopped_position_is_not_opened_again_by_the_same_wish(play):
    bars = [QUIET, QUIET, (100, 100, 97, 100), QUIET, QUIET]
    out = play(bars, [1.0, 1.0, 1.0, 1.0], exits=STOP)
    assert [row[1] for row in out.rows] == [ENTRY, STOP_LOSS]


def test_a_stopped_position_is_opened_again_when_it_is_wished_anew(play):
    bars = [QUIET, QUIET, (100, 100, 97, 100), QUIET, QUIET]
    out = play(bars, [1.0, math.nan, math.nan, 1.0], exits=STOP)
    assert out.rows[2] == (4, ENTRY, 1.0, 100.0)


def test_a_trailing_stop_follows_the_best_price_and_never_goes_back(play):
    bars = [
        QUIET,
        (100, 103, 99, 102),  # entry at 100; in the entry candle only the close counts: 102 - 5 % = 96.9
        (102, 110, 101, 108),  # high 110, drawn after the candle: 104.5 (so its own low of 101 is no exit)
        (108, 109, 105, 106),  # no new high: stays
        (106, 107, 104, 105),  # through 104.5
    ]
    out = play(bars, [1.0], exits=Exits(trail=0.05))
    assert out.rows[1] == (4, TRAILING, -1.0, pytest.approx(104.5))
    assert play(bars[:2], [1.0], exits=Exits(trail=0.05)).orders == [(TRAILING, -1.0, pytest.approx(96.9))]
    assert play(bars[:4], [1.0], exits=Exits(trail=0.05)).orders == [(TRAILING, -1.0, pytest.approx(104.5))]


def test_a_trailing_stop_rests_from_the_fill_at_its_rate_below_the_entry(play):
    # 95 is reached in the entry candle itself
    out = play([QUIET, (100, 101, 94, 100)], [1.0], exits=Exits(trail=0.05))
    assert out.rows[1] == (1, TRAILING, -1.0, 95.0)


def test_a_trailing_stop_of_a_short_follows_the_lowest_price(play):
    bars = [QUIET, QUIET, (100, 100, 80, 81), (81, 85, 80, 84)]
    out = play(bars, [-1.0], exits=Exits(trail=0.05), limits=SHORT)
    assert out.rows[1] == (3, TRAILING, 1.0, pytest.approx(84.0))  # 80 + 5 %


def test_of_two_stops_the_one_that_the_price_meets_first_fills(play):
    bars = [QUIET, QUIET, (100, 110, 100, 110), (110, 110, 90, 91)]
    out = play(bars, [1.0], exits=Exits(stop=0.02, trail=0.05))
    # stop at 98, trailing at 110 - 5 % = 104.5, which a falling price meets first
    assert out.rows[1:] == [(3, TRAILING, -1.0, pytest.approx(104.5))]
    assert out.orders == []


def test_a_stop_fill_loses_no_money_beside_price_fee_and_slippage(play):
    out = play([QUIET, QUIET, (100, 100, 97, 99)], [1.0], exits=STOP, costs=COSTS)
    # bought at 101 (fee 0.202); stop 98.98, sold at 98.98 - 1 % = 97.9902 (fee 0.1959804): 10,000 - 3.0098 - 0.3979804
    assert out.account.cash == pytest.approx(9_996.5922196)
    assert out.account.slippage == pytest.approx(1.0 + 0.9898)
