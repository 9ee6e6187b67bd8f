"""Limit entries: when they fill, what the rest of the same candle proves, when they are taken back."""

from __future__ import annotations

import pytest

from onetape.core.state import ENTRY as ENTRY_ROLE
from onetape.core.state import LIMIT, SLOTS, add_order, empty_book, watch
from onetape.core.state import STOP as STOP_COLUMN
from onetape.core.state import TAKE as TAKE_COLUMN
from onetape.core.state import TAKE_PROFIT as TAKE_ROLE
from onetape.domain.accounts import Account, Costs, Exits, RiskLimits, Sizing, Terms

ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT = 1, 2, 3, 4
QUIET = (100.0, 101.0, 99.0, 100.0)
BUY_95 = {"target": 1.0, "limit": 95.0}


def test_a_limit_that_is_only_touched_does_not_fill(play):
    out = play([QUIET, (100, 100, 95, 96)], [BUY_95])
    assert out.rows == []
    assert out.orders == [(ENTRY, 1.0, 95.0)]


def test_a_limit_that_is_traded_through_fills_at_its_price_at_the_maker_fee_without_slippage(play):
    out = play([QUIET, (100, 100, 94.9, 96)], [BUY_95], costs=Costs(0.001, 0.002, 0.01))
    assert out.rows == [(1, ENTRY, 1.0, 95.0)]
    assert out.account.fees == pytest.approx(0.095)
    assert out.account.slippage == 0.0


def test_an_open_beyond_the_limit_fills_at_its_price_and_no_better(play):
    out = play([QUIET, (90, 92, 89, 91)], [BUY_95])
    assert out.rows == [(1, ENTRY, 1.0, 95.0)]
    assert out.equity[1] == 9_996.0  # paid 95, worth 91


def test_a_limit_to_sell_short_fills_above(play):
    out = play([QUIET, (100, 105.1, 100, 104)], [{"target": -1.0, "limit": 105.0}], limits=RiskLimits(allow_short=1.0))
    assert out.rows == [(1, ENTRY, -1.0, 105.0)]


def test_a_limit_lies_on_the_tick(play):
    out = play([QUIET, QUIET], [{"target": 1.0, "limit": 95.3}], terms=Terms(tick=0.5))
    assert out.orders == [(ENTRY, 1.0, 95.0)]  # a buy never above what was asked


def test_a_limit_rests_until_it_fills(play):
    out = play([QUIET, QUIET, QUIET, (100, 100, 90, 99)], [BUY_95])
    assert out.rows == [(3, ENTRY, 1.0, 95.0)]


def test_a_new_wish_replaces_the_limit_that_waits(play):
    out = play([QUIET, QUIET, QUIET], [BUY_95, {"target": 0.5, "limit": 93.0}])
    assert out.orders == [(ENTRY, 0.5, 93.0)]


def test_a_wish_to_be_flat_takes_the_limit_back(play):
    out = play([QUIET, QUIET, (100, 100, 90, 95)], [BUY_95, 0.0])
    assert out.rows == []
    assert out.orders == []


def test_the_stop_counts_in_the_candle_in_which_the_limit_filled(play):
    # 95 - 2 % = 93.1 lies inside the same candle; its close above proves nothing about the order of prices
    out = play([QUIET, (100, 101, 90, 100)], [BUY_95], exits=Exits(stop=0.02, take=0.04))
    assert out.rows == [(1, ENTRY, 1.0, 95.0), (1, STOP_LOSS, -1.0, pytest.approx(93.1))]


def test_a_stop_that_lies_beyond_the_market_at_once_fills_at_the_open_and_not_at_its_trigger(play):
    # a limit of 95 when the market opens at 90: the stop at 93.1 would be above every price of the candle
    out = play([QUIET, (90, 92, 89, 91)], [BUY_95], exits=Exits(stop=0.02))
    assert out.rows == [(1, ENTRY, 1.0, 95.0), (1, STOP_LOSS, -1.0, 90.0)]


def test_the_take_fills_in_the_candle_of_the_limit_when_it_closes_beyond(play):
    # take at 95 + 4 % = 98.8; the close of 99 proves that the price went there after 95
    out = play([QUIET, (100, 101, 94, 99)], [BUY_95], exits=Exits(take=0.04))
    assert out.rows == [(1, ENTRY, 1.0, 95.0), (1, TAKE_PROFIT, -1.0, pytest.approx(98.8))]


def test_the_take_waits_when_only_the_high_of_the_limits_candle_was_beyond_it(play):
    # the high of 101 may have come before the low of 94
    out = play([QUIET, (100, 101, 94, 98)], [BUY_95], exits=Exits(take=0.04))
    assert out.rows == [(1, ENTRY, 1.0, 95.0)]
    assert out.orders == [(TAKE_PROFIT, -1.0, pytest.approx(98.8))]


def test_the_take_of_a_limit_fills_in_a_later_candle_when_traded_through(play):
    out = play([QUIET, (100, 101, 94, 98), (98, 99, 97, 98)], [BUY_95], exits=Exits(take=0.04))
    assert out.rows[1] == (2, TAKE_PROFIT, -1.0, pytest.approx(98.8))


def test_a_turn_by_limit_closes_at_the_market_and_waits_with_the_other_side(play):
    bars = [QUIET, QUIET, (100, 101, 99, 100)]
    out = play(bars, [1.0, {"target": -1.0, "limit": 105.0}], limits=RiskLimits(allow_short=1.0))
    assert out.rows[1:] == [(2, EXIT, -1.0, 100.0)]
    assert out.orders == [(ENTRY, -1.0, 105.0)]


def full_book(role: float, price: float = 50.0) -> object:
    """16 resting buys (role entry) or sells (role take-profit), numbers 1 to 16."""
    book = empty_book()
    for number in range(SLOTS):
        side = 1.0 if role == ENTRY_ROLE else -1.0
        add_order(book, float(number + 1), LIMIT, role, side, 1.0, price - number * (1.0 if side > 0 else -1.0))
    watch(book)
    return book


def test_a_book_with_16_orders_takes_no_seventeenth():
    book = full_book(ENTRY_ROLE)
    assert add_order(book, 17.0, LIMIT, ENTRY_ROLE, 1.0, 1.0, 10.0) == -1


def test_an_entry_that_finds_no_free_slot_is_counted_with_its_reason(play):
    holding = Account(cash=10_000.0, qty=1.0, entry_price=100.0, peak=10_100.0, target=0.5, said=0.5, next_id=17.0)
    out = play([QUIET], [1.0], account=holding, book=full_book(TAKE_ROLE, 150.0), sizing=Sizing(2.0, 2.0))
    assert out.rejected == {"16 orders are resting already": 1}


def test_an_exit_always_finds_a_slot_the_youngest_order_makes_room(play):
    holding = Account(cash=10_000.0, qty=1.0, entry_price=100.0, peak=10_100.0, target=1.0, said=1.0, next_id=17.0)
    out = play([QUIET, QUIET], [0.0], account=holding, book=full_book(TAKE_ROLE, 150.0))
    assert out.rows == [(1, EXIT, -1.0, 100.0)]
    assert out.account.qty == 0.0
    assert out.orders == []  # the other exits go with the position


def test_protection_always_finds_a_slot_the_youngest_entry_makes_room(play):
    book = full_book(ENTRY_ROLE)  # buys at 50, 49, ... 35
    book[0, STOP_COLUMN], book[0, TAKE_COLUMN] = 0.5, 0.5
    start = Account(cash=10_000.0, peak=10_000.0, next_id=17.0)
    out = play([(60, 60, 49.5, 55)], [], account=start, book=book)
    assert out.rows == [(0, ENTRY, 1.0, 50.0)]
    assert len(out.orders) == SLOTS
    assert out.orders[-2:] == [(STOP_LOSS, -1.0, 25.0), (TAKE_PROFIT, -1.0, 75.0)]
    assert [order[2] for order in out.orders[:-2]] == [float(price) for price in range(49, 35, -1)]  # 35 made room


def test_several_limits_fill_in_one_candle_oldest_first(play):
    start = Account(cash=10_000.0, peak=10_000.0, next_id=17.0)
    out = play([(60, 60, 47.5, 55)], [], account=start, book=full_book(ENTRY_ROLE))
    assert [row[3] for row in out.rows] == [50.0, 49.0, 48.0]
    assert out.account.qty == 3.0
    assert out.account.entry_price == 49.0
