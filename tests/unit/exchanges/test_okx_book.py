"""The local book: the documentation's own example of the sequence rule, and a recording with checksums as oracle."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from onetape.exchanges.okx import wire
from onetape.exchanges.okx.book import LocalBook, Outcome


def message(prev: int | None, seq: int | None, bids: list | None = None, asks: list | None = None) -> wire.BookMessage:
    fields = {"ts": "1", "bids": bids or [], "asks": asks or [], "prevSeqId": prev, "seqId": seq}
    return wire.books.decode(json.dumps([fields]).encode())[0]


def test_official_example_is_accepted_with_heartbeat_and_reset() -> None:
    book = LocalBook()
    steps = [("snapshot", -1, 10), ("update", 10, 15), ("update", 15, 15), ("update", 15, 3), ("update", 3, 5)]
    outcomes = [book.apply(action, message(prev, seq)) for action, prev, seq in steps]
    assert outcomes == [Outcome.LOADED, *[Outcome.APPLIED] * 4]
    assert book.last == 5


def test_broken_chain_invalidates_at_once_until_a_snapshot() -> None:
    book = LocalBook()
    book.apply("snapshot", message(-1, 10, bids=[["9", "1", "0", "1"]]))
    assert book.apply("update", message(11, 12)) is Outcome.BROKEN
    assert not book.valid
    assert book.apply("update", message(12, 13)) is Outcome.IGNORED
    assert book.apply("snapshot", message(-1, 20, bids=[["8", "1", "0", "1"]])) is Outcome.LOADED
    assert book.valid
    assert book.bids(5) == [(8.0, 1.0)]


def test_update_without_a_predecessor_is_not_taken_for_the_right_one() -> None:
    book = LocalBook()
    book.apply("snapshot", message(-1, 10))
    assert book.apply("update", message(None, 11)) is Outcome.BROKEN


def test_sizes_are_absolute_zero_deletes_and_best_comes_first() -> None:
    book = LocalBook()
    book.apply("snapshot", message(-1, 1, bids=[["9", "1"], ["8", "2"]], asks=[["10", "3"], ["11", "4"]]))
    book.apply("update", message(1, 2, bids=[["9", "0"], ["8.5", "7"]], asks=[["10", "5"], ["12", "0"]]))
    assert book.bids(2) == [(8.5, 7.0), (8.0, 2.0)]
    assert book.asks(2) == [(10.0, 5.0), (11.0, 4.0)]
    assert book.asks(1, size=0.01) == [(10.0, 0.05)]


def test_second_snapshot_replaces_the_whole_book() -> None:
    book = LocalBook()
    book.apply("snapshot", message(-1, 1, bids=[["9", "1"]], asks=[["10", "1"]]))
    book.apply("snapshot", message(-1, 5, bids=[["7", "1"]]))
    assert book.bids(9) == [(7.0, 1.0)]
    assert book.asks(9) == []


levels = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5)), max_size=12)


@given(st.lists(st.tuples(levels, levels), max_size=30))
def test_any_chain_of_updates_equals_a_plain_dictionary(updates: list) -> None:
    book, plain = LocalBook(), ({}, {})
    book.apply("snapshot", message(-1, 0))
    for i, sides in enumerate(updates):
        text = [[[str(price), str(size)] for price, size in side] for side in sides]
        assert book.apply("update", message(i, i + 1, *text)) is Outcome.APPLIED
        for kept, side in zip(plain, sides, strict=True):
            kept.update(side)
    bids, asks = ({p: s for p, s in side.items() if s} for side in plain)
    assert book.bids(99) == sorted(bids.items(), reverse=True)
    assert book.asks(99) == sorted(asks.items())
    assert book.bids(3) == book.bids(99)[:3]


class _Text:
    """The venue's own text of each size, by side and price: the checksum is made of it."""

    def __init__(self) -> None:
        self.text: dict[tuple[str, float], str] = {}

    def keep(self, data: dict) -> None:
        for side in ("bids", "asks"):
            for price, size, *_ in data[side]:
                self.text[side, float(price)] = f"{price}:{size}"

    def checksum(self, book: LocalBook) -> int:
        sides = (("bids", book.bids(25)), ("asks", book.asks(25)))
        parts = []
        for i in range(25):
            for name, levels in sides:
                if i < len(levels):
                    text = self.text[name, levels[i][0]]
                    assert float(text.split(":")[1]) == levels[i][1]
                    parts.append(text)
        value = zlib.crc32(":".join(parts).encode())
        return value - 2**32 if value >= 2**31 else value


def test_recording_reproduces_all_191_checksums(shared_data: Path) -> None:
    books: dict[str, tuple[LocalBook, _Text]] = {}
    checked = 0
    recording = shared_data / "capture" / "okx_v5_public_2022-05-13_BTC-USDT_UNI-USD-SWAP.ws.gz"
    with gzip.open(recording, "rt") as lines:
        for line in lines:
            found = re.match(r"^[\d.]+: (.*)$", line.rstrip())
            envelope = wire.envelope.decode(found[1]) if found else wire.Envelope()
            if envelope.event or envelope.arg is None or envelope.arg.channel != "books":
                continue
            book, text = books.setdefault(envelope.arg.instId, (LocalBook(), _Text()))
            for data, plain in zip(wire.books.decode(envelope.data), json.loads(bytes(envelope.data)), strict=True):
                assert book.apply(envelope.action, data) in (Outcome.LOADED, Outcome.APPLIED)
                text.keep(plain)
                assert text.checksum(book) == plain["checksum"]
                checked += 1
    assert checked == 191
