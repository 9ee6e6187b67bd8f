"""Rules that meet in one candle: each case worked by hand. Bars are (open, high, low, close, volume), a minute each."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from minutes import flat, run

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
    PRICE,
    QTY,
    ROLE,
    STOP_LOSS,
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
