"""Books rebuilt from stored messages against what OKX says of the same sequence id in other channels."""

from __future__ import annotations

import json

from onetape.domain.market import RawFrame
from onetape.exchanges.okx.proving import BookProof
from onetape.exchanges.proving import Told

TS = 1_772_366_400_000


def frame(channel: str, seq: int, *, before: int | None = None, action: str = "", **sides: list[list[str]]) -> RawFrame:
    """`channel` as raw frames name it; sides are lists of [price, size]."""
    name = {"book": "books", "book5": "books5", "bbo": "bbo-tbt"}[channel]
    data: dict[str, object] = {side: [[*level, "0", "1"] for level in levels] for side, levels in sides.items()}
    data |= {"ts": str(TS + seq), "seqId": seq}
    if before is not None:
        data["prevSeqId"] = before
    message: dict[str, object] = {"arg": {"channel": name, "instId": "BTC-USDT"}, "data": [data]}
    if action:
        message["action"] = action
    ts = (TS + seq) * 1_000
    text = json.dumps(message, separators=(",", ":")).encode()
    return RawFrame("okx", "BTC-USDT", channel, ts, ts, seq, text)


SNAPSHOT = frame(
    "book", 10, before=-1, action="snapshot", bids=[["99", "1"], ["98", "2"]], asks=[["101", "3"], ["102", "4"]]
)
UPDATE = frame("book", 12, before=10, action="update", bids=[["99", "0"], ["98", "5"]], asks=[])


def take(*frames: RawFrame) -> list[Told]:
    proof = BookProof("okx", "BTC-USDT")
    return [proof.take(each) for each in frames]


def test_the_same_best_levels_at_the_same_id_are_equal() -> None:
    five = frame("book5", 12, bids=[["98", "5"]], asks=[["101", "3"], ["102", "4"]])
    told = take(SNAPSHOT, UPDATE, five)
    assert (told[-1].compared, told[-1].wrong) == (1, "")


def test_best_levels_that_come_first_wait_for_the_book() -> None:
    best = frame("bbo", 12, bids=[["98", "5"]], asks=[["101", "3"]])
    told = take(SNAPSHOT, best, UPDATE)
    assert [each.compared for each in told] == [0, 0, 1]
    assert not any(each.wrong for each in told)


def test_another_size_is_named_with_its_level() -> None:
    five = frame("book5", 12, bids=[["98", "5"]], asks=[["101", "3"], ["102", "4.5"]])
    told = take(SNAPSHOT, UPDATE, five)
    assert told[-1].wrong == "ask 2 of the book 12: book5 says 4.5 at 102, rebuilt is 4 at 102"


def test_an_update_that_does_not_join_on_breaks_the_chain_until_the_next_snapshot() -> None:
    lost = frame("book", 15, before=13, action="update", bids=[["98", "6"]], asks=[])
    five = frame("book5", 15, bids=[["1", "1"]], asks=[])
    whole = frame("book", 20, before=-1, action="snapshot", bids=[["97", "1"]], asks=[["98", "1"]])
    best = frame("bbo", 20, bids=[["97", "1"]], asks=[["98", "1"]])
    told = take(SNAPSHOT, lost, five, whole, best)
    assert [each.broken for each in told] == [False, True, False, False, False]
    assert [each.compared for each in told] == [0, 0, 0, 0, 1]
    assert not any(each.wrong for each in told)


def test_what_is_no_message_is_passed_over() -> None:
    odd = RawFrame("okx", "BTC-USDT", "book", 1, 1, 1, b'"pong"')
    other = RawFrame("okx", "BTC-USDT", "trades", 1, 1, 1, b"{}")
    assert take(odd, other) == [Told(1), Told(1)]
