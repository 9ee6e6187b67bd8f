"""Stored frames say again what they said when they came, whatever two connections did meanwhile."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

import pytest

from onetape.domain.errors import Refused
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.market import Book, Channel, Gap, InstrumentChange, MarketEvent, Print, RawFrame, Received, Want
from onetape.exchanges.connection import Closed, Frame, Opened
from onetape.exchanges.okx import names
from onetape.exchanges.okx.decoding import decoder
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.session import Around, Link, Session

SWAP = "BTC-USDT-SWAP"
T0 = 1_600_000_000_000
LANES = ("public/a1", "public/b1")


def book(prev: int, seq: int, action: str, bids: list[list[str]]) -> bytes:
    data = {"asks": [], "bids": bids, "ts": str(T0 + seq), "prevSeqId": prev, "seqId": seq}
    return json.dumps({"arg": {"channel": "books", "instId": SWAP}, "action": action, "data": [data]}).encode()


def trade(number: int) -> bytes:
    data = {"tradeId": str(number), "px": "9", "sz": "3", "side": "sell", "ts": str(T0 + number)}
    return json.dumps({"arg": {"channel": "trades", "instId": SWAP}, "data": [data]}).encode()


def updates(n: int, dice: random.Random) -> list[bytes]:
    """A chain of n updates whose sequence jumps, falls back once, and sets or removes levels."""
    seq, found = 10, []
    for i in range(n):
        after = seq + dice.randint(1, 9) if i != n // 2 else 3
        price = str(dice.randint(1, 40))
        found.append(book(seq, after, "update", [[price, str(dice.randint(0, 5)), "0", "1"]]))
        seq = after
    return found


@dataclass
class Lane:
    """One connection: it delivers in order, at its own pace."""

    name: str
    at: int = 0


def run(seed: int) -> list[Received]:
    """Two lanes carry one market with its trades and its book, each sometimes far ahead; at the end one is cut."""
    dice = random.Random(seed)
    chain = updates(120, dice)
    frames = [f for pair in zip(chain, (trade(i) for i in range(1, 121)), strict=True) for f in pair]
    series = {
        arg: Stream("okx", SWAP, want.channel, want.name, None, 0.01, spot=False)
        for want in (Want(SWAP, Channel.BOOK), Want(SWAP, Channel.TRADES))
        for arg in names.args(want)
    }
    session = Session(Around(lambda: 0.0, lambda _: None, lambda _: None))
    session.add(series)
    got: list[Received] = []
    clock = 0

    def put(item: object) -> None:
        got.extend(session.on(item, clock))  # type: ignore[arg-type]

    lanes = [Lane(name) for name in LANES]
    for lane in lanes:
        session.open(lane.name, Link(lambda _: True, lambda _: None))
        session.carry(lane.name, series)
        put(Opened(lane.name))
        put(Frame(lane.name, book(-1, 10, "snapshot", [["7", "5", "0", "1"]]), clock))
    while any(lane.at < len(frames) for lane in lanes):
        lane = dice.choice([lane for lane in lanes if lane.at < len(frames)])
        clock += 30_000
        put(Frame(lane.name, frames[lane.at], clock))
        lane.at += 1
    put(Closed(LANES[0], "end"))
    return got


def stripped(events: tuple[MarketEvent, ...]) -> list[MarketEvent]:
    return [e for e in events if not isinstance(e, Gap)]


@pytest.mark.parametrize("seed", range(5))
def test_merged_stream_replays_to_the_same_events(seed: int) -> None:
    got = run(seed)
    decode = decoder("okx", [Instrument(exchange="okx", symbol=SWAP, contract_size=0.01)])
    frames = [received for received in got if received.raw is not None]
    for received in frames:
        assert received.raw is not None
        assert decode(received.raw) == tuple(stripped(received.events))
    prints = [e for r in got for e in r.events if isinstance(e, Print)]
    assert [int(p.id) for p in prints] == list(range(1, 121))
    assert {p.qty for p in prints} == {0.03}
    books = [e for r in got for e in r.events if isinstance(e, Book)]
    assert all(b.valid for b in books)
    assert not any(isinstance(e, Gap) for r in got for e in r.events)
    assert len([r for r in frames if r.raw and r.raw.channel == "book"]) == 121  # the snapshot and every update, once


def test_contract_of_unknown_size_is_refused_by_name() -> None:
    raw = RawFrame("okx", SWAP, "trades", 0, 0, 1, trade(1))
    with pytest.raises(Refused, match="contract size of okx:BTC-USDT-SWAP is not known"):
        decoder("okx")(raw)


def test_channel_that_nobody_wrote_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="channel tea, which OKX has not"):
        decoder("okx")(RawFrame("okx", "BTC-USDT", "tea", 0, 0, 1, b"{}"))


def test_answers_of_rest_decode_too() -> None:
    decode = decoder("okx")
    trades = {"code": "0", "msg": "", "data": [json.loads(trade(n))["data"][0] for n in (2, 1)]}
    raw = RawFrame("okx", "BTC-USDT", "trades_rest", 0, 5, 1, json.dumps(trades).encode())
    assert [e.id for e in decode(raw) if isinstance(e, Print)] == ["1", "2"]
    levels = {"code": "0", "data": [{"asks": [["9", "1", "0", "1"]], "bids": [["8", "2", "0", "1"]], "ts": "7"}]}
    (told,) = decode(RawFrame("okx", "BTC-USDT", "book_rest", 0, 5, 2, json.dumps(levels).encode()))
    assert told == Book("okx", "BTC-USDT", 7_000, [(8.0, 2.0)], [(9.0, 1.0)], True, 5)


@pytest.mark.parametrize("text", [b"<html>", b"{}", b'{"arg":{"channel":"books"},"data":[{"ts":"x"}]}'])
def test_frame_that_is_no_message_gives_nothing(text: bytes) -> None:
    for channel in ("trades", "book", "candles:1m", "trades_rest", "mark"):
        assert decoder("okx")(RawFrame("okx", "BTC-USDT", channel, 0, 0, 1, text)) == ()


def test_old_messages_are_read_in_the_contract_size_of_their_time() -> None:
    def swap(size: float) -> Instrument:
        return Instrument(exchange="okx", symbol="A-USDT-SWAP", kind=Kind.SWAP, contract_size=size)

    def change(ts: int, before: float, after: float) -> InstrumentChange:
        return InstrumentChange("okx", "A-USDT-SWAP", ts, swap(after), swap(before))

    def trade(ts: int, number: int) -> RawFrame:
        row = {"tradeId": str(number), "px": "9", "sz": "2", "side": "buy", "ts": str(ts // 1_000)}
        text = {"arg": {"channel": "trades", "instId": "A-USDT-SWAP"}, "data": [row]}
        return RawFrame("okx", "A-USDT-SWAP", "trades", ts, ts, number, json.dumps(text).encode())

    decode = decoder("okx", [swap(1.0)], [change(5_000_000, 0.01, 0.1), change(9_000_000, 0.1, 1.0)])
    times = (1_000_000, 4_999_000, 5_000_000, 8_000_000, 9_000_000)
    told = [event for n, ts in enumerate(times) for event in decode(trade(ts, n + 1))]
    assert [event.qty for event in told if isinstance(event, Print)] == [0.02, 0.02, 0.2, 0.2, 2.0]
