from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE, SECOND
from onetape.venue.book import Book, Side, book_at, changes
from onetape.venue.listing import listing_of
from onetape.venue.tape import Tape

MOMENT = SECOND // 10


def tape_of(frame: CandleFrame) -> Tape:
    return Tape(frame, listing_of(frame, 0, None), seed=0)


def levels(side: Side) -> dict[int, tuple[int, int]]:
    return {p: (s, n) for p, s, n in zip(*(c.tolist() for c in side), strict=True)}


def applied(before: Side, change: Side) -> dict[int, tuple[int, int]]:
    known = levels(before) | levels(change)
    return {place: value for place, value in known.items() if value[0]}


def test_changes_turn_one_book_into_the_next_and_keep_400_levels(frame_of: Callable[..., CandleFrame]) -> None:
    tape = tape_of(frame_of(300))
    now = tape.begin_ts + 100 * MINUTE
    before = book_at(tape, now, MOMENT)
    assert len(before.asks.place) == len(before.bids.place) == 400
    for i in range(1, 200):
        after = book_at(tape, now + i * 700_000, MOMENT)
        assert applied(before.asks, changes(before.asks, after.asks)) == levels(after.asks)
        assert applied(before.bids, changes(before.bids, after.bids)) == levels(after.bids)
        assert after.seq > before.seq
        before = after


def test_the_last_price_lies_above_the_best_bid_and_at_most_at_the_best_ask(
    frame_of: Callable[..., CandleFrame],
) -> None:
    tape = tape_of(frame_of(300))
    for print_ in tape.trades(tape.begin_ts, tape.begin_ts + 200 * MINUTE):
        book = book_at(tape, print_.ts_ms * 1_000, MOMENT, depth=1)
        step = tape.listing.step
        assert book.bids.place[0] * step < print_.price <= book.asks.place[0] * step


def test_the_same_moment_gives_the_same_book_at_every_depth(frame_of: Callable[..., CandleFrame]) -> None:
    frame = frame_of(300)
    now = int(frame.ts[0]) + 99 * MINUTE
    whole, top = book_at(tape_of(frame), now, MOMENT), book_at(tape_of(frame), now, MOMENT, depth=5)
    assert (whole.asks.lots[:5] == top.asks.lots).all()
    assert (whole.bids.lots[:5] == top.bids.lots).all()
    assert whole.asks.lots.min() > 0


def test_quiet_moments_change_few_levels_and_sequence_steps_are_uneven(frame_of: Callable[..., CandleFrame]) -> None:
    tape = tape_of(frame_of(300))
    books: list[Book] = [book_at(tape, tape.begin_ts + 50 * MINUTE + i * MOMENT, MOMENT) for i in range(300)]
    pairs = [(a, b) for a, b in itertools.pairwise(books) if a.asks.place[0] == b.asks.place[0]]
    counts = [len(changes(a.asks, b.asks).place) for a, b in pairs]
    assert 0 < np.mean(counts) < 60
    assert len({b.seq - a.seq for a, b in pairs}) > 2


def test_a_price_near_zero_has_fewer_bids_and_none_below_zero() -> None:
    columns = {"ts": [0], "open": [3.0], "high": [4.0], "low": [2.0], "close": [3.0], "volume": [1.0]}
    frame = CandleFrame.of("x", "A-B", "1m", columns)
    book = book_at(tape_of(frame), MINUTE - 1, MOMENT)
    assert book.bids.place.tolist() == [2, 1]
    assert len(book.asks.place) == 400
