"""One book on two connections: the first copy of each update counts, and it is unusable when nobody is in step."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from onetape.domain.market import Book
from onetape.exchanges.ccxt.books import Books, Moved
from onetape.exchanges.ccxt.chains import STEPS, BookStep

A, B = "a", "b"
BOOK: dict[str, Any] = {"bids": [[100.0, 1.0]], "asks": [[101.0, 1.0]], "timestamp": 1_600_000_000_000}


class Lanes:
    """Messages as Bybit numbers them; the library's book is always the same one."""

    def __init__(self, exchange: str = "bybit") -> None:
        self.books = Books(exchange, "BTC-USDT", 1.0)
        self.own: dict[str, dict[str, Any]] = {A: dict(BOOK), B: dict(BOOK)}
        self.now = 1_600_000_000_000_000

    def hear(self, lane: str, u: int, kind: str = "delta") -> Moved:
        self.now += 1_000_000
        text = msgspec.json.encode({"type": kind, "data": {"u": u}})
        return self.books.news(lane, self.own[lane], text, self.now)

    def both(self) -> None:
        assert self.hear(A, 10, "snapshot").told
        assert not self.hear(B, 10, "snapshot").kept


def validity(moved: Moved) -> list[bool]:
    return [event.valid for event in moved.told if isinstance(event, Book)]


def test_the_first_copy_of_an_update_is_kept_whoever_brings_it() -> None:
    lanes = Lanes()
    lanes.both()
    heard = [lanes.hear(A, 11), lanes.hear(B, 11), lanes.hear(B, 12), lanes.hear(A, 12), lanes.hear(A, 13)]
    assert [moved.kept for moved in heard] == [True, False, True, False, True]


def test_a_lost_connection_leaves_the_book_whole_while_the_other_is_in_step() -> None:
    lanes = Lanes()
    lanes.both()
    lanes.hear(A, 11)
    assert lanes.books.left(A, lanes.now) == Moved()
    assert not lanes.hear(B, 11).kept  # it was told
    assert lanes.hear(B, 12).kept


def test_the_last_connection_takes_the_book_with_it() -> None:
    lanes = Lanes()
    lanes.both()
    lanes.books.left(B, lanes.now)
    moved = lanes.books.left(A, lanes.now)
    assert moved.broke
    assert validity(moved) == [False]
    assert not lanes.hear(A, 11).kept  # not before it has begun anew
    assert validity(lanes.hear(A, 40, "snapshot")) == [True]


def test_an_update_that_was_lost_on_one_connection_comes_from_the_other() -> None:
    lanes = Lanes()
    lanes.both()
    lanes.hear(A, 11), lanes.hear(B, 11)
    jumped = lanes.hear(A, 13)
    assert (jumped.kept, jumped.broke, jumped.again) == (False, False, (A,))
    assert [lanes.hear(B, u).kept for u in (12, 13)] == [True, True]


def test_an_update_that_was_lost_on_both_breaks_the_book() -> None:
    lanes = Lanes()
    lanes.both()
    assert not lanes.hear(A, 12).broke
    moved = lanes.hear(B, 12)
    assert moved.broke
    assert moved.again == (B,)


def test_a_venue_that_counts_from_the_start_again_is_followed() -> None:
    lanes = Lanes()
    lanes.both()
    assert not lanes.hear(A, 1, "snapshot").kept  # the other one goes on with the old count
    assert not lanes.hear(A, 2).kept
    assert lanes.hear(B, 11).kept
    assert lanes.hear(B, 1, "snapshot").kept
    assert lanes.hear(B, 2).kept
    assert lanes.hear(A, 3).kept


def test_a_second_connection_that_is_ahead_joins_when_the_first_has_come_so_far() -> None:
    lanes = Lanes()
    lanes.hear(A, 10, "snapshot")
    lanes.hear(B, 12, "snapshot")
    assert not lanes.hear(B, 13).kept
    assert [lanes.hear(A, u).kept for u in (11, 12, 13)] == [True] * 3
    assert lanes.hear(B, 14).kept


def test_a_connection_that_is_ahead_begins_anew_when_the_first_is_lost() -> None:
    lanes = Lanes()
    lanes.hear(A, 10, "snapshot")
    lanes.hear(B, 12, "snapshot")
    moved = lanes.books.left(A, lanes.now)
    assert moved.broke
    assert moved.again == (B,)


def test_numbers_that_jump_again_and_again_are_no_chain() -> None:
    lanes = Lanes()
    for i in range(25):
        lanes.hear(A, 100 * i, "snapshot")
        lanes.hear(A, 100 * i + 5)
    assert not lanes.books.numbered
    assert lanes.hear(A, 7).kept
    assert lanes.hear(A, 9).kept


def test_a_book_without_numbers_comes_from_one_connection() -> None:
    books = Books("kraken", "BTC-USD", 1.0)
    assert not books.numbered
    assert books.news(A, BOOK, b"{}", 1_000_000).kept
    assert not books.news(B, BOOK, b"{}", 2_000_000).kept
    assert books.left(A, 3_000_000).broke
    assert books.news(B, BOOK, b"{}", 4_000_000).kept


@pytest.mark.parametrize(
    "sides",
    [
        {"bids": [[101.0, 1.0]], "asks": [[101.0, 1.0]]},
        {"bids": [[102.0, 1.0]], "asks": [[101.0, 1.0]]},
        {"bids": [[99.0, 1.0], [100.0, 1.0]], "asks": [[101.0, 1.0]]},
        {"bids": [[100.0, 1.0]], "asks": [[float("nan"), 1.0]]},
        {"bids": [[100.0, -1.0]], "asks": [[101.0, 1.0]]},
        {"bids": [[0.0, 1.0]], "asks": [[101.0, 1.0]]},
    ],
)
def test_a_book_that_no_market_can_have_is_not_told(sides: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Books("kraken", "BTC-USD", 1.0).news(A, {**BOOK, **sides}, b"{}", 1_000_000)


@pytest.mark.parametrize(
    ("exchange", "text", "step"),
    [
        ("okx", '{"action":"snapshot","data":[{"seqId":7,"prevSeqId":-1}]}', BookStep(-1, 7, True)),
        ("okx", '{"action":"update","data":[{"seqId":9,"prevSeqId":7}]}', BookStep(7, 9)),
        ("okx", '{"action":"update","data":[{"asks":[]}]}', None),
        ("binance", '{"e":"depthUpdate","U":157,"u":160}', BookStep(156, 160)),
        ("binance", '{"stream":"btcusdt@depth","data":{"U":157,"u":160,"pu":149}}', BookStep(149, 160)),
        ("binance", '{"lastUpdateId":160,"bids":[]}', BookStep(-1, 160, True)),
        ("bybit", '{"type":"delta","data":{"u":177400507}}', BookStep(177400506, 177400507)),
        ("bybit", '{"type":"snapshot","data":{"u":1}}', BookStep(0, 1, True)),
    ],
)
def test_numbers_are_read_off_the_messages(exchange: str, text: str, step: BookStep | None) -> None:
    assert STEPS[exchange](text.encode()) == step
