"""Trades that are missing under a live connection, by their ids."""

from __future__ import annotations

import json

from onetape.domain.market import Print
from onetape.exchanges.okx.holes import Holes


class Desk:
    def __init__(self) -> None:
        self.holes = Holes()
        self.seconds = 0.0
        self.ts = 0

    def come(self, last: int, count: int = 1, known: bool = False) -> None:
        before, self.ts = self.ts, self.ts + 1_000
        told = (Print("okx", "X", str(last), self.ts, 1.0, 1.0, 1),)
        if not self.holes.follows(told):
            frame = {"arg": {"channel": "trades"}, "data": [{"tradeId": str(last), "count": str(count)}]}
            self.holes.jumped(json.dumps(frame).encode(), (before, self.ts), self.seconds, known)

    def due(self, seconds: float) -> list[tuple[int, int]]:
        self.seconds = seconds
        return [(hole.first, hole.last) for hole in self.holes.due(seconds)]


def test_ids_in_a_row_are_no_hole_and_neither_is_the_first() -> None:
    desk = Desk()
    for number in (100, 101, 102):
        desk.come(number)
    assert desk.due(10.0) == []


def test_message_that_stands_for_several_matches_is_no_hole() -> None:
    """105 with a count of 3 is 103, 104, 105."""
    desk = Desk()
    desk.come(102)
    desk.come(105, count=3)
    desk.come(106)
    assert desk.due(10.0) == []


def test_what_is_missing_after_a_moment_is_a_hole_with_its_ids_and_times() -> None:
    desk = Desk()
    desk.come(100)
    desk.come(104)
    assert desk.due(1.0) == []
    (hole,) = desk.holes.due(2.0)
    assert (hole.first, hole.last, hole.start_ts, hole.end_ts) == (101, 103, 1_000, 2_000)
    assert hole.cause == "trade 101 to 103 did not come under a live connection"
    assert desk.due(9.0) == []


def test_what_the_other_connection_brings_in_time_is_no_hole() -> None:
    desk = Desk()
    desk.come(100)
    desk.come(103)
    desk.come(101)
    desk.come(102)
    assert desk.due(10.0) == []
    desk.come(106)
    desk.come(104)
    assert desk.due(20.0) == [(104, 105)]  # 105 is still missing, and the hole is named whole


def test_matches_of_one_order_that_are_told_apart_by_their_source_are_no_hole() -> None:
    """1 and 3 are normal, 2 is another kind of order: the normal message says "up to 3, two matches"."""
    desk = Desk()
    desk.come(0)
    desk.come(3, count=2)
    desk.come(2, count=1)
    assert desk.due(10.0) == []


def test_jump_over_an_absence_is_a_gap_already() -> None:
    desk = Desk()
    desk.come(100)
    desk.come(200, known=True)
    desk.come(201)
    assert desk.due(10.0) == []


def test_ids_that_jump_all_the_time_are_not_judged_by() -> None:
    desk = Desk()
    for i in range(100):
        desk.come(10 * i)
    desk.due(10.0)
    assert not desk.holes.trusted
    desk.come(5_000)
    assert desk.due(20.0) == []


def test_ids_that_are_no_numbers_are_not_judged_by() -> None:
    holes = Holes()
    assert not holes.follows((Print("okx", "X", "abc", 0, 1.0, 1.0, 1),))
    holes.jumped(b'{"data":[{"tradeId":"abc"}]}', (0, 1), 0.0, known=False)
    assert not holes.trusted
