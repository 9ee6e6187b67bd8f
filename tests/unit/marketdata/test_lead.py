"""A book is known from the first message of a span on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from onetape.domain.market import Book, RawFrame
from onetape.domain.units import DAY, HOUR, SECOND
from onetape.exchanges.okx.decoding import begins_book, decoder
from onetape.exchanges.okx.proving import BookProof
from onetape.marketdata.lead import prime
from onetape.marketdata.replay import Wish

START = 20 * DAY


def update(ts: int, seq: int, size: str, action: str = "update") -> RawFrame:
    prev = -1 if action == "snapshot" else seq - 1
    data = {"asks": [["10", size, "0", "1"]], "bids": [["9", size, "0", "1"]], "prevSeqId": prev, "seqId": seq}
    message = {
        "arg": {"channel": "books", "instId": "A-B"},
        "action": action,
        "data": [data | {"ts": str(ts // 1_000)}],
    }
    return RawFrame("okx", "A-B", "book", ts, ts, seq, json.dumps(message).encode())


class Table:
    def __init__(self, *frames: RawFrame) -> None:
        self.frames, self.spans = frames, list[tuple[int, int]]()

    async def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: int, end_ts: int
    ) -> AsyncIterator[list[RawFrame]]:
        assert (exchange, symbol, tuple(channels)) == ("okx", "A-B", ("book",))
        self.spans.append((start_ts, end_ts))
        found = [frame for frame in self.frames if start_ts <= frame.ts < end_ts]
        for i in range(0, len(found), 2):
            yield found[i : i + 2]


def wish(*channels: str) -> Wish:
    return Wish("okx", "A-B", channels, START, START + HOUR)


async def test_a_span_begins_with_the_book_of_the_last_snapshot_before_it() -> None:
    table = Table(
        update(START - 3 * HOUR, 1, "1", "snapshot"),
        update(START - 3 * HOUR + 1_000, 2, "2"),
        update(START - 2 * HOUR - SECOND, 7, "3", "snapshot"),
        update(START - HOUR, 8, "4"),
        update(START - SECOND, 9, "5"),
    )
    decode, proof = decoder("okx"), BookProof("okx", "A-B")
    assert await prime(table, wish("book", "trades"), begins_book, decode, proof.take) == 3
    (book,) = decode(update(START + SECOND, 10, "6"))
    assert isinstance(book, Book)
    assert (book.valid, book.bids) == (True, [(9.0, 6.0)])
    assert not proof.take(update(START + SECOND, 10, "6")).broken


async def test_an_answer_of_rest_is_a_book_as_well() -> None:
    rest = {"code": "0", "msg": "", "data": [{"asks": [["10", "1"]], "bids": [["9", "1"]], "ts": "1", "seqId": 4}]}
    answer = RawFrame("okx", "A-B", "book", START - 2, START - 2, 4, json.dumps(rest).encode())
    seen: list[RawFrame] = []
    assert await prime(Table(update(START - 9, 3, "1"), answer), wish("book"), begins_book, seen.append) == 1
    assert seen == [answer]


@pytest.mark.parametrize("age", [DAY + HOUR, 30 * DAY])
async def test_what_is_older_than_a_day_is_not_looked_for(age: int) -> None:
    table = Table(update(START - age, 1, "1", "snapshot"))
    assert await prime(table, wish("book"), begins_book, lambda _: None) == 0
    assert min(start for start, _ in table.spans) >= START - DAY - HOUR


async def test_nothing_is_read_where_no_book_is_wanted_or_nobody_knows_its_snapshots() -> None:
    table = Table(update(START - 1, 1, "1", "snapshot"))
    assert await prime(table, wish("trades"), begins_book, lambda _: None) == 0
    assert await prime(table, wish("book"), None, lambda _: None) == 0
    assert table.spans == []


def test_a_message_that_cannot_be_read_begins_no_book() -> None:
    assert not begins_book(RawFrame("okx", "A-B", "book", 1, 1, 1, b"{"))
    assert not begins_book(update(1_000, 1, "1"))
