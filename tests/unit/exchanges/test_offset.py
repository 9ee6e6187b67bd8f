"""The offset of a venue's clock is that of the fastest answer, as long as a slower one does not prove it wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from onetape.clock import SimulatedClock
from onetape.domain.errors import Transient
from onetape.exchanges.offset import Offset

MS = 1_000
NOW = 1_700_000_000_000_000


class Venue:
    """Its clock is 5 s ahead; an answer takes the next of `ways` there and back, in ms, or fails where that is None."""

    def __init__(self, *ways: tuple[int, int] | None) -> None:
        self.clock, self.ahead, self.asked = SimulatedClock(NOW), 5_000 * MS, 0
        self.ways: Iterator[tuple[int, int] | None] = iter(ways)

    async def time(self) -> int:
        self.asked += 1
        way = next(self.ways)
        if way is None:
            raise Transient("away")
        there, back = way
        self.clock.advance(self.clock.now() + there * MS)
        stated = self.clock.now() + self.ahead
        self.clock.advance(self.clock.now() + back * MS)
        return stated

    def later(self, seconds: float) -> None:
        self.clock.advance(self.clock.now() + int(seconds * 1e6))


async def test_of_the_first_answers_the_fastest_counts() -> None:
    venue = Venue((400, 20), (10, 12), (30, 300))
    offset = Offset(venue.clock)
    assert not offset.known
    await offset.measure(venue.time)
    assert (venue.asked, offset.known) == (3, True)
    assert offset.micros == 4_999 * MS  # wrong by half of what the ways differ; 190 by the first, -135 by the last


async def test_a_slower_answer_changes_nothing_and_a_faster_one_does() -> None:
    venue = Venue((10, 12), (10, 12), (10, 12), (500, 20), (3, 3))
    offset = Offset(venue.clock)
    await offset.measure(venue.time)
    venue.later(60)
    await offset.measure(venue.time)
    assert (venue.asked, offset.micros) == (4, 4_999 * MS)
    venue.later(60)
    await offset.measure(venue.time)
    assert offset.micros == 5_000 * MS


async def test_a_clock_that_was_set_is_noticed_by_a_slow_answer_too() -> None:
    venue = Venue((10, 12), (10, 12), (10, 12), (200, 100))
    offset = Offset(venue.clock)
    await offset.measure(venue.time)
    venue.later(60)
    venue.ahead += 1_000 * MS
    await offset.measure(venue.time)
    assert offset.micros == 6_050 * MS


async def test_what_was_measured_long_ago_is_worth_less_because_clocks_drift() -> None:
    venue = Venue((10, 12), (10, 12), (10, 12), (20, 40), (20, 40))
    offset = Offset(venue.clock)
    await offset.measure(venue.time)
    venue.later(60)
    await offset.measure(venue.time)
    assert offset.micros == 4_999 * MS
    venue.later(600)
    await offset.measure(venue.time)
    assert offset.micros == 4_990 * MS


async def test_nothing_is_asked_again_within_a_moment_and_no_answer_is_an_error() -> None:
    venue = Venue((1, 1), None, (1, 1), None)
    offset = Offset(venue.clock)
    await offset.measure(venue.time)  # one of the first answers is enough
    await offset.measure(venue.time)
    assert (venue.asked, offset.micros) == (2, 5_000 * MS)
    venue.later(1)
    await offset.measure(venue.time)
    venue.later(1)
    with pytest.raises(Transient):
        await offset.measure(venue.time)
