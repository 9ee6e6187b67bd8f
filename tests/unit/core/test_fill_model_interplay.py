"""Rules that meet in one candle: each case worked by hand. Bars are (open, high, low, close, volume), a minute each."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from minutes import MINUTE, NAN, SECOND, flat, run

from onetape.core.bars import funding_of
from onetape.core.state import (
    ENTRY,
    EXIT,
    F_BAR,
    F_PRICE,
    F_QTY,
    F_ROLE,
    F_SIDE,
    IOC,
    LIQUIDATION,
    POST_ONLY,
    PRICE,
    QTY,
    ROLE,
    STOP_LOSS,
    TAKE_PROFIT,
    TRAILING,
    resting,
)
from onetape.domain.accounts import Execution, RiskLimits, Sizing, Terms

FIVE = Sizing.parse("qty:5")


def test_an_immediate_order_that_fills_in_part_leaves_the_liquidation_of_the_position() -> None:
    # 1 of 5 bought at 100, leverage 5. The rest is wished at 99 at most, immediately: an open of 98 gives 1 of the 4,
    # the other 3 go, once. What rests then is the liquidation of both: average 99, bankrupt at 79.2, / (1 - 0.01) = 80
    bars = [flat(100.0, 10.0), flat(100.0, 10.0), flat(98.0, 10.0), flat(98.0, 10.0)]
    account, fills, book, rejected = run(
        bars, [1.0, {"target": 0.9, "limit": 99.0}], sizing=FIVE, execution=Execution(share=0.1, force=IOC),
        limits=RiskLimits(max_exposure=5.0, leverage=5.0), terms=Terms(0.01, 0.01, maintenance=0.01),
    )  # fmt: skip
    assert fills[:, [F_BAR, F_QTY, F_PRICE]].tolist() == [[1.0, 1.0, 100.0], [2.0, 1.0, 98.0]]
    assert account.qty == 2.0
    assert rejected == {"not to be had at once": 1}
    assert resting(book)[:, [ROLE, QTY, PRICE]].tolist() == [[LIQUIDATION, 2.0, 79.2 / 0.99]]


def test_an_entry_of_the_other_side_that_meets_what_is_still_being_sold_brings_that_no_exits() -> None:
    # 4 long from 100 with a stop at 95. Turned at a limit of 101 with a stop of 1 %: candle 2 has room for 2 of the 4
    # to be sold; in candle 3 the exit is first and sells the rest, so the short waits. In candle 4 it sells 2,
    # with a stop at 102.01
    wish = {"target": -1.0, "limit": 101.0, "stop": 0.01}
    bars = [
        flat(100.0), flat(100.0), (100.0, 100.5, 100.0, 100.0, 20.0), (101.5, 102.0, 101.0, 101.5, 20.0),
        (101.5, 102.0, 101.0, 101.5, 20.0),
    ]  # fmt: skip
    account, fills, book, _ = run(
        bars, [{"target": 1.0, "stop": 0.05}, wish], sizing=Sizing.parse("qty:4"), execution=Execution(share=0.1),
        limits=RiskLimits(allow_short=1.0),
    )  # fmt: skip
    assert fills[1:, [F_BAR, F_ROLE, F_SIDE, F_QTY]].tolist() == [
        [2.0, EXIT, -1.0, 2.0],
        [3.0, EXIT, -1.0, 2.0],
        [4.0, ENTRY, -1.0, 2.0],
    ]
    assert account.qty == -2.0
    assert resting(book)[:, [ROLE, QTY, PRICE]].tolist() == [[ENTRY, 2.0, 101.0], [STOP_LOSS, 2.0, 102.01]]


def test_a_turn_by_an_immediate_order_is_first_out_then_in() -> None:
    # 1 long from 100; turned at 99 at least, immediately: the exit sells at the open of 101, then the entry does
    bars = [flat(100.0), flat(100.0), flat(101.0), flat(101.0)]
    account, fills, book, _ = run(
        bars, [1.0, {"target": -1.0, "limit": 99.0}], execution=Execution(force=IOC), limits=RiskLimits(allow_short=1.0)
    )
    assert fills[1:, [F_BAR, F_ROLE, F_SIDE, F_PRICE]].tolist() == [[2.0, EXIT, -1.0, 101.0], [2.0, ENTRY, -1.0, 101.0]]
    assert account.qty == -1.0
    assert len(resting(book)) == 0


def test_a_bracket_covers_what_has_filled_and_takes_from_the_volume_that_is_left() -> None:
    # 3 wanted: 1 at 100, then 2 at 102 of the room for 4: average 101.33, take 105.39, stop 99.30. The high of 106
    # takes 2, for which there is room; the last one is stopped
    bars = [
        flat(100.0), flat(100.0, 10.0), (102.0, 106.0, 101.0, 105.0, 40.0), flat(105.0),
        (104.0, 104.0, 99.0, 100.0, 90.0),
    ]  # fmt: skip
    account, fills, book, _ = run(
        bars, [{"target": 1.0, "stop": 0.02, "take": 0.04}], sizing=Sizing.parse("qty:3"),
        execution=Execution(share=0.1),
    )  # fmt: skip
    assert fills[:, [F_BAR, F_ROLE, F_QTY, F_PRICE]].tolist() == [
        [1.0, ENTRY, 1.0, 100.0],
        [2.0, ENTRY, 2.0, 102.0],
        [2.0, TAKE_PROFIT, 2.0, 105.39],
        [4.0, STOP_LOSS, 1.0, 99.3],
    ]
    assert account.qty == 0.0
    assert len(resting(book)) == 0


def test_a_turn_with_a_delay_pays_it_on_both_sides() -> None:
    # both orders arrive after a quarter of candle 2, whose low is 96: 100 - 4 / 4
    bars = [flat(100.0), flat(100.0), (100.0, 104.0, 96.0, 101.0, 50.0)]
    account, fills, _, _ = run(
        bars, [1.0, -1.0], execution=Execution(latency=15.0 * SECOND), limits=RiskLimits(allow_short=1.0)
    )
    assert fills[1:, [F_BAR, F_ROLE, F_SIDE, F_PRICE]].tolist() == [[2.0, EXIT, -1.0, 99.0], [2.0, ENTRY, -1.0, 99.0]]
    assert account.qty == -1.0


def test_a_trailing_stop_keeps_its_price_when_a_part_is_sold() -> None:
    # 2 from 100, 5 % below the best of 110: 104.5; 1 is sold at 108, the other one is stopped there
    bars = [
        flat(100.0),
        flat(100.0),
        (100.0, 110.0, 100.0, 108.0, 50.0),
        flat(108.0),
        (107.0, 107.0, 104.0, 105.0, 50.0),
    ]
    _, fills, _, _ = run(bars, [{"target": 1.0, "trail": 0.05}, NAN, 0.5], sizing=Sizing.parse("qty:2"))
    assert fills[1:, [F_BAR, F_ROLE, F_QTY, F_PRICE]].tolist() == [
        [3.0, EXIT, 1.0, 108.0],
        [4.0, TRAILING, 1.0, 104.5],
    ]


def test_funding_is_paid_by_what_leaves_at_that_very_open() -> None:
    # 1 bought at 100, sold at the open of 101 at which 1 % is due
    bars = [flat(100.0), flat(100.0), flat(101.0)]
    account, _, _, _ = run(bars, [1.0, 0.0], funding=funding_of(np.array([2]), np.array([0.01])))
    assert (account.qty, account.funding, account.cash) == (0.0, 1.01, 10_000.0 + 1.0 - 1.01)


def test_a_limit_fills_in_the_last_candle_of_its_time_and_the_rest_goes() -> None:
    # two minutes from the close of candle 0: candle 2 is the last one; it has room for 2 of 5
    through = (100.0, 100.0, 98.0, 99.5, 20.0)
    account, fills, book, rejected = run(
        [flat(100.0), flat(100.0), through, through], [{"target": 1.0, "limit": 99.0}], sizing=FIVE,
        execution=Execution(share=0.1, life=2.0 * MINUTE),
    )  # fmt: skip
    assert fills[:, [F_BAR, F_QTY]].tolist() == [[2.0, 2.0]]
    assert account.qty == 2.0
    assert rejected == {"not filled within its time": 1}
    assert len(resting(book)) == 0


@pytest.mark.parametrize(
    ("bar", "price"),
    [((99.0, 99.0, 80.0, 85.0, 9.0), 95.0), ((85.0, 86.0, 80.0, 85.0, 9.0), 85.0)],
    ids=["fallen through", "jumped over"],
)
def test_a_stop_that_is_nearer_than_the_liquidation_fills_even_when_the_market_jumps_over_both(
    bar: tuple[float, float, float, float, float], price: float
) -> None:
    # leverage 10 from 100: liquidated at 90.91, bankrupt at 90. An open of 85 loses more than the margin of 10
    _, fills, _, _ = run(
        [flat(100.0), flat(100.0), bar], [{"target": 1.0, "stop": 0.05}],
        limits=RiskLimits(max_exposure=10.0, leverage=10.0), terms=Terms(0.01, 0.01, maintenance=0.01),
    )  # fmt: skip
    assert fills[1:, [F_ROLE, F_PRICE]].tolist() == [[STOP_LOSS, price]]


def test_a_post_only_order_that_would_take_when_its_delay_is_over_is_refused() -> None:
    # sent at 99 with the market at 100, it arrives in candle 1 and first meets candle 2, which opens at 98.5
    bars = [flat(100.0), flat(100.0), (98.5, 99.5, 98.0, 99.0, 50.0), (99.5, 99.5, 98.0, 99.0, 50.0)]
    _, fills, _, rejected = run(
        bars, [{"target": 1.0, "limit": 99.0}], execution=Execution(latency=15.0 * SECOND, force=POST_ONLY)
    )
    assert len(fills) == 0
    assert rejected == {"a post-only order that would have taken": 1}
