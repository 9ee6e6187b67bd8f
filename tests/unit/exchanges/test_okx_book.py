"""The local book: the documentation's own example of the sequence rule, and a recording with checksums as oracle."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape.exchanges.okx import wire
from onetape.exchanges.okx.book import LocalBook, Outcome

TEXTS = msgspec.json.Decoder(list[wire.BookText], strict=False)


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


def as_text(prev: int, seq: int, bids: str, asks: str = "[]") -> wire.BookText:
    text = f'[{{"ts":"1","bids":{bids},"asks":{asks},"prevSeqId":{prev},"seqId":{seq}}}]'
    return TEXTS.decode(text.encode())[0]


def test_best_levels_are_read_into_given_rows() -> None:
    book = LocalBook()
    book.apply("snapshot", message(-1, 1, bids=[["9", "1"], ["8", "2"]], asks=[["10", "3"], ["11", "4"], ["12", "5"]]))
    bids, asks = np.zeros((3, 2)), np.zeros((2, 2))
    assert book.read(bids, asks) == (2, 2)
    assert bids.tolist() == [[9.0, 1.0], [8.0, 2.0], [0.0, 0.0]]
    assert asks.tolist() == [[10.0, 3.0], [11.0, 4.0]]


def test_more_levels_and_longer_text_than_there_was_room_for() -> None:
    rows = [[str(price), "1.5", "0", "1"] for price in range(1, 4_001)]
    from_text, from_lists = LocalBook(), LocalBook()
    from_text.apply("snapshot", as_text(-1, 1, msgspec.json.encode(rows).decode()))
    from_lists.apply("snapshot", message(-1, 1, bids=rows))
    assert len(from_text.bids(9_999)) == 4_000
    assert from_text.bids(9_999) == from_lists.bids(9_999)
    assert from_text.bids(1) == [(4000.0, 1.5)]


levels = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 5)), max_size=12)


@settings(deadline=None)  # the kernels are loaded by the first example
@given(st.lists(st.tuples(levels, levels), max_size=30))
def test_any_chain_of_updates_equals_a_plain_dictionary(updates: list) -> None:
    book, texts, plain = LocalBook(), LocalBook(), ({}, {})
    book.apply("snapshot", message(-1, 0))
    texts.apply("snapshot", as_text(-1, 0, "[]"))
    for i, sides in enumerate(updates):
        rows = [[[str(price), str(size)] for price, size in side] for side in sides]
        assert book.apply("update", message(i, i + 1, *rows)) is Outcome.APPLIED
        assert texts.apply("update", as_text(i, i + 1, *(json.dumps(side) for side in rows))) is Outcome.APPLIED
        for kept, side in zip(plain, sides, strict=True):
            kept.update(side)
    bids, asks = ({p: s for p, s in side.items() if s} for side in plain)
    assert book.bids(99) == texts.bids(99) == sorted(bids.items(), reverse=True)
    assert book.asks(99) == texts.asks(99) == sorted(asks.items())
    assert book.bids(3) == book.bids(99)[:3]


numbers = st.one_of(
    st.decimals(0, 10**12, allow_nan=False, places=8).map(lambda d: f"{d:f}"),
    st.floats(0, allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"\A[0-9]{1,20}(\.[0-9]{0,20})?\Z"),
    st.text("0123456789.-+eE", max_size=12),
    st.sampled_from(["", "nan", "inf", "-1", "1e3", "007", "5.", ".5", "0.0", "9007199254740993", "1\\u0030"]),
)
spelling = st.sampled_from(['["{}","{}","0","3"]', '["{}","{}"]', '[ "{}" , "{}" ]', '["{}","{}","]","["]', "[{},{}]"])


@given(st.lists(st.tuples(spelling, numbers, numbers), min_size=1, max_size=4))
def test_text_is_read_as_the_general_decoder_reads_it_whatever_it_is(rows: list) -> None:
    text = "[" + ",".join(form.format(price, size) for form, price, size in rows) + "]"
    outcomes = []
    for kind in (list[wire.BookMessage], list[wire.BookText]):
        book = LocalBook()
        book.apply("snapshot", message(-1, 1, bids=[["7", "7"]]))
        frame = f'[{{"ts":"1","bids":{text},"asks":[],"prevSeqId":1,"seqId":2}}]'.encode()
        try:
            book.apply("update", msgspec.json.decode(frame, type=kind, strict=False)[0])
        except msgspec.DecodeError:
            assert book.bids(9) == [(7.0, 7.0)]  # nothing of it was taken
        outcomes.append((book.bids(9), book.last))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("price", ["nan", "inf", "1e999"])
def test_price_that_is_no_number_changes_nothing(price: str) -> None:
    book = LocalBook()
    book.apply("snapshot", message(-1, 1, bids=[["7", "7"]]))
    with pytest.raises(msgspec.ValidationError):
        book.apply("update", as_text(1, 2, f'[["8","1"],["{price}","1"]]'))
    assert (book.bids(9), book.last, book.valid) == ([(7.0, 7.0)], 1, True)


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


@pytest.mark.parametrize("kind", [wire.BookMessage, wire.BookText])
def test_recording_reproduces_all_191_checksums(shared_data: Path, kind: type) -> None:
    read = msgspec.json.Decoder(list[kind], strict=False).decode
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
            for data, plain in zip(read(envelope.data), json.loads(bytes(envelope.data)), strict=True):
                assert book.apply(envelope.action, data) in (Outcome.LOADED, Outcome.APPLIED)
                text.keep(plain)
                assert text.checksum(book) == plain["checksum"]
                checked += 1
    assert checked == 191
