"""Plans: what rests is what was wanted, and what rests already keeps its place. Worked by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from onetape.core.bars import Bar
from onetape.core.plan import (
    P_FORCE,
    P_GROUP,
    P_KIND,
    P_LIFE,
    P_PRICE,
    P_QTY,
    P_REDUCE,
    P_SIDE,
    P_STOP,
    P_TAKE,
    P_WORST,
    blank_plan,
    on_plan,
)
from onetape.core.state import (
    ACTIVE,
    AHEAD,
    F_PRICE,
    F_QTY,
    F_SIDE,
    ID,
    LATE,
    MARKET,
    POST_ONLY,
    PRICE,
    QTY,
    REASONS,
    SIDE,
    SLOTS,
    STOP_KIND,
    STOP_LIMIT,
    TOUCH,
    empty_book,
    fill_buffer,
    resting,
)
from onetape.core.step import on_candle
from onetape.domain.accounts import Account, Costs, Execution, Exits, RiskLimits, Rules, Sizing, Terms

MINUTE = 60_000_000
BUY, SELL = 1.0, -1.0


def rules_of(**parts: Any) -> Rules:
    plain: dict[str, Any] = {
        "costs": Costs(0.0, 0.0), "sizing": Sizing(), "limits": RiskLimits(), "exits": Exits(),
        "terms": Terms(0.01, 0.01),
    }  # fmt: skip
    return Rules(**(plain | parts))


class Desk:
    """An account with a book, driven by candles of a minute and plans."""

    def __init__(self, cash: float = 10_000.0, qty: float = 0.0, entry: float = 0.0, **parts: Any) -> None:
        self.account, self.book = Account(cash=cash, qty=qty, entry_price=entry, best=entry, peak=cash), empty_book()
        self.rules, self.rejected = rules_of(**parts), np.zeros(len(REASONS), np.int64)
        self.minute, self.made = 0, fill_buffer(1000)

    def plan(self, *orders: dict[int, float], close: float = 100.0) -> list[tuple[float, float, float]]:
        """The orders that rest then, as (side, quantity, price)."""
        rows = blank_plan(len(orders))
        for k, order in enumerate(orders):
            for column, value in order.items():
                rows[k, column] = value
        self.account = Account(*on_plan(self.account, self.book, rows, close, self.rules, self.rejected))
        return self.orders

    @property
    def orders(self) -> list[tuple[float, float, float]]:
        return [(float(r[SIDE]), float(r[QTY]), float(r[PRICE])) for r in resting(self.book)]

    @property
    def why(self) -> dict[str, int]:
        return {REASONS[k]: int(self.rejected[k]) for k in np.flatnonzero(self.rejected)}

    def candle(self, o: float, h: float, low: float, c: float, v: float = 100.0) -> list[tuple[float, float, float]]:
        """The fills of the next candle, as (side, quantity, price)."""
        bar = Bar(o, h, low, c, v, float(self.minute * MINUTE), float(MINUTE))
        account, n = on_candle(self.account, self.book, bar, self.rules, self.made, 0)
        self.account, self.minute = Account(*account), self.minute + 1
        return [(float(f[F_SIDE]), float(f[F_QTY]), float(f[F_PRICE])) for f in self.made[:n]]


def limit(side: float, qty: float, price: float, more: dict[int, float] | None = None) -> dict[int, float]:
    return {P_SIDE: side, P_QTY: qty, P_PRICE: price} | (more or {})


def test_what_rests_already_keeps_its_number_and_what_is_no_longer_wanted_goes() -> None:
    desk = Desk()
    desk.plan(limit(BUY, 1.0, 99.0), limit(BUY, 1.0, 98.0))
    numbers = [float(row[ID]) for row in resting(desk.book)]
    assert desk.plan(limit(BUY, 1.0, 98.0), limit(BUY, 1.0, 97.0)) == [(BUY, 1.0, 98.0), (BUY, 1.0, 97.0)]
    assert [float(row[ID]) for row in resting(desk.book)] == [numbers[1], 3.0]


def test_another_quantity_amends_the_order() -> None:
    desk = Desk()
    desk.plan(limit(BUY, 2.0, 99.0))
    assert desk.plan(limit(BUY, 1.5, 99.0)) == [(BUY, 1.5, 99.0)]
    assert resting(desk.book)[0, ID] == 1.0


def test_a_smaller_order_keeps_its_place_in_the_queue_and_a_larger_one_loses_it() -> None:
    desk = Desk(execution=Execution(queue=1.0))
    desk.plan(limit(BUY, 2.0, 99.0))
    resting(desk.book)[0, AHEAD] = 5.0
    desk.plan(limit(BUY, 1.0, 99.0))
    assert resting(desk.book)[0, AHEAD] == 5.0
    desk.plan(limit(BUY, 3.0, 99.0))
    assert resting(desk.book)[0, AHEAD] == math.inf


def test_two_sides_fill_and_the_position_can_be_sold_but_not_more() -> None:
    desk = Desk()
    desk.plan(limit(BUY, 1.0, 99.0), limit(SELL, 1.0, 101.0))
    assert desk.why == {"short is not allowed": 1}
    assert desk.candle(100, 100, 98.5, 99) == [(BUY, 1.0, 99.0)]
    assert desk.plan(limit(BUY, 1.0, 98.0), limit(SELL, 2.0, 101.0), close=99.0) == [
        (BUY, 1.0, 98.0),
        (SELL, 1.0, 101.0),
    ]
    assert desk.candle(100, 102, 99, 101) == [(SELL, 1.0, 101.0)]
    assert (desk.account.qty, desk.account.cash) == (0.0, 10_002.0)


def test_orders_that_wait_count_against_the_cash() -> None:
    desk = Desk(cash=150.0)
    assert desk.plan(limit(BUY, 1.0, 99.0), limit(BUY, 1.0, 98.0)) == [(BUY, 1.0, 99.0)]
    assert desk.why == {"not enough cash": 1}


def test_orders_that_wait_count_against_the_exposure_of_a_margin_account() -> None:
    desk = Desk(cash=100.0, limits=RiskLimits(max_exposure=2.0, allow_short=1.0, leverage=2.0))
    assert desk.plan(limit(SELL, 1.0, 101.0), limit(SELL, 1.0, 102.0)) == [(SELL, 1.0, 101.0)]
    assert desk.why == {"larger than the limit allows": 1}


def test_one_of_a_group_cancels_the_other() -> None:
    desk = Desk(qty=2.0, entry=100.0)
    desk.plan(
        limit(SELL, 2.0, 105.0, {P_GROUP: 1.0, P_REDUCE: 1.0}),
        limit(SELL, 2.0, 95.0, {P_KIND: STOP_KIND, P_GROUP: 1.0, P_REDUCE: 1.0}),
    )
    assert len(desk.orders) == 2
    assert desk.candle(100, 106, 99, 105) == [(SELL, 2.0, 105.0)]
    assert desk.orders == []


def test_a_part_of_one_of_a_group_makes_the_other_smaller() -> None:
    desk = Desk(execution=Execution(share=0.1), limits=RiskLimits(max_exposure=1.0, allow_short=1.0))
    desk.plan(limit(BUY, 5.0, 99.0, {P_GROUP: 7.0}), limit(BUY, 5.0, 103.0, {P_KIND: STOP_KIND, P_GROUP: 7.0}))
    assert desk.candle(100, 100, 98, 99, 20.0) == [(BUY, 2.0, 99.0)]
    assert desk.orders == [(BUY, 3.0, 99.0), (BUY, 3.0, 103.0)]


def test_what_parts_leave_of_a_group_is_whole_lots_and_no_dust() -> None:
    desk = Desk(execution=Execution(share=0.1), terms=Terms(0.01, 0.1))
    desk.plan(limit(BUY, 1.0, 99.0, {P_GROUP: 7.0}), limit(BUY, 0.7, 103.0, {P_KIND: STOP_KIND, P_GROUP: 7.0}))
    for left in (0.6, 0.5, 0.4, 0.3, 0.2, 0.1):
        desk.candle(100, 100, 98, 99, 1.0)
        assert desk.orders[1] == (BUY, left, 103.0)
    desk.candle(100, 100, 98, 99, 1.0)
    assert desk.orders == [(BUY, 0.3, 99.0)]


def test_an_order_brings_its_bracket() -> None:
    desk = Desk()
    desk.plan(limit(BUY, 1.0, 99.0, {P_STOP: 0.02, P_TAKE: 0.03}))
    desk.candle(100, 100, 98.5, 99)
    assert desk.plan(close=99.0) == [(SELL, 1.0, 97.02), (SELL, 1.0, 101.97)]  # the exits are not the plan's
    assert desk.candle(99, 102, 98.5, 101) == [(SELL, 1.0, 101.97)]
    assert desk.orders == []


@pytest.mark.parametrize(
    ("order", "candle", "fills"),
    [
        ({P_KIND: MARKET, P_SIDE: BUY, P_QTY: 1.0}, (101, 102, 99, 100), [(BUY, 1.0, 101.0)]),
        ({P_KIND: STOP_KIND, P_SIDE: BUY, P_QTY: 1.0, P_PRICE: 102.0}, (101, 103, 99, 100), [(BUY, 1.0, 102.0)]),
        ({P_KIND: STOP_KIND, P_SIDE: BUY, P_QTY: 1.0, P_PRICE: 102.0}, (103, 104, 99, 100), [(BUY, 1.0, 103.0)]),
        ({P_KIND: TOUCH, P_SIDE: BUY, P_QTY: 1.0, P_PRICE: 98.0}, (101, 103, 98, 100), [(BUY, 1.0, 98.0)]),
        (
            {P_KIND: STOP_LIMIT, P_SIDE: BUY, P_QTY: 1.0, P_PRICE: 102.0, P_WORST: 102.5},
            (101, 103, 99, 100),
            [(BUY, 1.0, 102.0)],
        ),
        (
            {P_KIND: STOP_LIMIT, P_SIDE: BUY, P_QTY: 1.0, P_PRICE: 102.0, P_WORST: 102.5},
            (103, 104, 102.6, 103),
            [],
        ),
        ({P_SIDE: BUY, P_QTY: 1.0, P_PRICE: 99.0, P_FORCE: POST_ONLY}, (98.5, 99, 98, 99), []),
    ],
    ids=["market", "stop", "stop that is jumped over", "touch", "stop with a limit", "jumped over it", "post-only"],
)
def test_each_kind_of_entry(
    order: dict[int, float], candle: tuple[float, float, float, float], fills: list[tuple[float, float, float]]
) -> None:
    desk = Desk()
    desk.plan(order)
    assert desk.candle(*candle) == fills


def test_a_cancel_takes_as_long_as_an_order() -> None:
    # 90 s: the cancel is sent at the end of minute 0 and arrives in the middle of minute 2
    desk = Desk(execution=Execution(latency=90_000_000.0))
    desk.minute = 1
    desk.plan(limit(BUY, 1.0, 99.0))
    desk.book[0, ACTIVE] = 0.0  # it is there already
    desk.candle(100, 100, 100, 100)
    desk.plan()
    assert desk.candle(100, 100, 98, 99) == [(BUY, 1.0, 99.0)]


def test_an_order_that_was_taken_back_is_none_whose_time_was_over() -> None:
    desk = Desk(execution=Execution(latency=90_000_000.0))
    desk.plan(limit(BUY, 1.0, 90.0), limit(BUY, 1.0, 89.0, {P_LIFE: 6.0 * MINUTE}))
    for _ in range(3):
        desk.candle(100, 100, 99, 100)
    desk.plan(limit(BUY, 1.0, 89.0, {P_LIFE: 6.0 * MINUTE}))
    for _ in range(3):
        desk.candle(100, 100, 99, 100)
    assert desk.orders == [(BUY, 1.0, 89.0)]
    assert desk.book[SLOTS, LATE] == 0.0
    for _ in range(6):
        desk.candle(100, 100, 99, 100)
    assert desk.orders == []
    assert desk.book[SLOTS, LATE] == 1.0


def test_the_life_of_an_order_ends() -> None:
    desk = Desk()
    desk.candle(100, 100, 100, 100)
    desk.plan(limit(BUY, 1.0, 99.0, {P_LIFE: float(MINUTE)}))
    assert desk.candle(100, 100, 100, 100) == []
    assert desk.candle(100, 100, 98, 99) == []
    assert desk.orders == []


def test_too_small_orders_and_more_than_sixteen_are_counted() -> None:
    desk = Desk(terms=Terms(0.01, 0.01, 0.1))
    desk.plan(limit(BUY, 0.05, 99.0), *(limit(BUY, 0.1, 98.0 - k) for k in range(17)))
    assert len(desk.orders) == 16
    assert desk.why == {"below the venue's minimum size": 1, "16 orders are resting already": 1}


def test_a_halted_account_only_reduces() -> None:
    desk = Desk(qty=1.0, entry=100.0)
    desk.account = desk.account._replace(halted=6.0)
    assert desk.plan(limit(BUY, 1.0, 99.0), limit(SELL, 1.0, 101.0)) == [(SELL, 1.0, 101.0)]
    assert desk.why == {"halted by the drawdown limit": 1}


def test_an_order_that_turns_the_position_takes_the_exits_of_the_old_one_with_it() -> None:
    # 1 bought at 99 with a stop at 97.02; 3 sold at 101 turn it: neither then nor when it is long
    # again that stop is there
    desk = Desk(limits=RiskLimits(max_exposure=3.0, allow_short=1.0))
    desk.plan(limit(BUY, 1.0, 99.0, {P_STOP: 0.02}))
    desk.candle(100, 100, 98.5, 99)
    desk.plan(limit(SELL, 3.0, 101.0), close=99.0)
    assert desk.candle(100, 102, 100, 101) == [(SELL, 3.0, 101.0)]
    assert desk.orders == []
    desk.plan({P_KIND: MARKET, P_SIDE: BUY, P_QTY: 3.0})
    assert desk.candle(98, 98, 96, 97) == [(BUY, 3.0, 98.0)]
    assert desk.account.qty == 1.0


def test_an_order_against_the_position_brings_no_exits_to_what_is_left_of_it() -> None:
    # 2 bought at 99 with a stop at 97.02; 1 sold at 101 with exits of its own: the stop stays, for 1
    desk = Desk(limits=RiskLimits(allow_short=1.0))
    desk.plan(limit(BUY, 2.0, 99.0, {P_STOP: 0.02}))
    desk.candle(100, 100, 98.5, 99)
    desk.plan(limit(SELL, 1.0, 101.0, {P_STOP: 0.01, P_TAKE: 0.01}), close=99.0)
    assert desk.candle(100, 102, 100, 101) == [(SELL, 1.0, 101.0)]
    assert desk.orders == [(SELL, 1.0, 97.02)]


def test_a_liquidation_takes_the_orders_that_only_reduce_with_it() -> None:
    # leverage 10 from 100: liquidated at 90.91 for 90, before the stop at 85 of a pair of which one cancels the other
    desk = Desk(limits=RiskLimits(max_exposure=10.0, leverage=10.0), terms=Terms(0.01, 0.01, maintenance=0.01))
    desk.plan({P_KIND: MARKET, P_SIDE: BUY, P_QTY: 1.0})
    desk.candle(100, 100, 100, 100)
    desk.plan(
        limit(SELL, 1.0, 105.0, {P_GROUP: 1.0, P_REDUCE: 1.0}),
        limit(SELL, 1.0, 85.0, {P_KIND: STOP_KIND, P_GROUP: 1.0, P_REDUCE: 1.0}),
    )
    assert desk.candle(95, 95, 84, 88) == [(SELL, 1.0, 90.0)]
    assert (desk.orders, desk.account.cash) == ([], 9_990.0)


def test_an_order_that_only_reduces_is_never_larger_than_the_position() -> None:
    # 1 is held: 2 to sell become 1, and 0.4 when 0.6 are sold at the market
    desk = Desk(qty=1.0, entry=100.0, limits=RiskLimits(allow_short=1.0))
    wanted = limit(SELL, 2.0, 105.0, {P_REDUCE: 1.0, P_GROUP: 1.0})
    assert desk.plan(wanted) == [(SELL, 1.0, 105.0)]
    desk.plan(limit(SELL, 1.0, 105.0, {P_REDUCE: 1.0, P_GROUP: 1.0}), {P_KIND: MARKET, P_SIDE: SELL, P_QTY: 0.6})
    assert desk.candle(100, 100, 100, 100) == [(SELL, 0.6, 100.0)]
    assert desk.orders == [(SELL, 0.4, 105.0)]
    assert desk.candle(104, 106, 104, 105) == [(SELL, 0.4, 105.0)]
    assert desk.account.qty == 0.0
