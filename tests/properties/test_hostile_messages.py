"""Messages that no exchange should send: nothing leaves the session but what is possible, and nothing stops it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onetape.domain.errors import Refused
from onetape.domain.instrument import Instrument
from onetape.domain.market import (
    Candle,
    Channel,
    Print,
    Received,
    Want,
)
from onetape.domain.units import Timeframe
from onetape.exchanges.connection import Frame, Opened, Tick
from onetape.exchanges.okx import events, names, wire
from onetape.exchanges.okx.decoding import decoder
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.rest import OkxRest, _Again
from onetape.exchanges.okx.rest import read as read_answer
from onetape.exchanges.okx.session import Around, Link, Session
from onetape.exchanges.okx.wire import Arg
from tests.properties.hostile import damaged, impossible, mutated, storable

SYMBOL, SWAP = "BTC-USDT", "BTC-USDT-SWAP"
T = "1597026383085"

_BOOK = {"asks": [["8476.98", "415", "0", "13"]], "bids": [["8476.97", "256", "0", "12"]], "ts": T}
_TRADE = {"instId": SYMBOL, "tradeId": "130639474", "px": "42219.9", "sz": "0.12", "side": "buy", "ts": T}
_TICKER = {
    "instId": SYMBOL, "last": "9999.99", "lastSz": "0.1", "askPx": "9999.99", "askSz": "11", "bidPx": "8888.88",
    "bidSz": "5", "ts": T,
}  # fmt: skip
_FUNDING = {"instId": SWAP, "fundingRate": "0.0001", "fundingTime": T, "nextFundingTime": T, "ts": T}
_STATUS = {"title": "Upgrade", "state": "ongoing", "begin": T, "end": T, "ts": T, "serviceType": "0"}
_ROW = ["1597026360000", "8", "9", "7", "8", "4", "4", "4", "1"]
_FIRST, _NEXT = {"prevSeqId": -1, "seqId": 7}, {"prevSeqId": 7, "seqId": 9}
_LISTING = {
    "instId": SWAP, "instType": "SWAP", "uly": SYMBOL, "settleCcy": "USDT", "ctVal": "0.01", "ctMult": "1",
    "ctType": "linear", "tickSz": "0.1", "lotSz": "0.01", "minSz": "0.01", "state": "live",
}  # fmt: skip
MESSAGES: list[dict[str, Any]] = [
    {"arg": {"channel": "trades", "instId": SYMBOL}, "data": [_TRADE | {"count": "3", "source": "0", "seqId": 1234}]},
    {"arg": {"channel": "trades-all", "instId": SYMBOL}, "data": [_TRADE]},
    {"arg": {"channel": "tickers", "instId": SYMBOL}, "data": [_TICKER]},
    {"arg": {"channel": "candle1m", "instId": SYMBOL}, "data": [_ROW]},
    {"arg": {"channel": "books", "instId": SYMBOL}, "action": "snapshot", "data": [_BOOK | _FIRST]},
    {"arg": {"channel": "books", "instId": SYMBOL}, "action": "update", "data": [_BOOK | _NEXT]},
    {"arg": {"channel": "books5", "instId": SYMBOL}, "data": [_BOOK | {"seqId": 7}]},
    {"arg": {"channel": "bbo-tbt", "instId": SYMBOL}, "data": [_BOOK | {"seqId": 7}]},
    {"arg": {"channel": "mark-price", "instId": SWAP}, "data": [{"instId": SWAP, "markPx": "36.6", "ts": T}]},
    {"arg": {"channel": "index-tickers", "instId": SYMBOL}, "data": [{"instId": SYMBOL, "idxPx": "0.1", "ts": T}]},
    {"arg": {"channel": "funding-rate", "instId": SWAP}, "data": [_FUNDING]},
    {"arg": {"channel": "status"}, "data": [_STATUS]},
    {"arg": {"channel": "instruments", "instType": "SWAP"}, "data": [_LISTING]},
    {"id": "1", "event": "subscribe", "arg": {"channel": "trades", "instId": SYMBOL}, "connId": "a"},
    {"id": "1", "event": "error", "code": "60018", "msg": "Wrong URL", "connId": "a"},
    {"event": "notice", "code": "64008", "msg": "The connection will soon be closed", "connId": "a"},
    {"event": "channel-conn-count", "channel": "orders", "connCount": "2", "connId": "a"},
]  # fmt: skip
WANTS = (
    Want(SYMBOL, Channel.TRADES), Want(SYMBOL, Channel.TRADES_ALL), Want(SYMBOL, Channel.TICKER),
    Want(SYMBOL, Channel.CANDLES, "1m"), Want(SYMBOL, Channel.BOOK), Want(SYMBOL, Channel.BOOK5),
    Want(SYMBOL, Channel.BBO), Want(SWAP, Channel.MARK), Want(SYMBOL, Channel.INDEX), Want(SWAP, Channel.FUNDING),
    Want("*", Channel.STATUS), Want("*", Channel.INSTRUMENTS),
)  # fmt: skip
QUICK = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


class Desk:
    """A session that carries every kind of stream on two connections."""

    def __init__(self) -> None:
        self.seconds = 0.0
        rest = OkxRest("http://127.0.0.1:1", "okx")
        self.session = Session(Around(lambda: self.seconds, lambda _: None, rest.listed))
        series: dict[Arg, Stream] = {}
        for want in WANTS:
            timeframe = Timeframe.parse(want.timeframe) if want.timeframe else None
            series |= {arg: Stream("okx", want.symbol, want.channel, want.name, timeframe) for arg in names.args(want)}
        self.session.add(series)
        for source in ("one", "two"):
            self.session.open(source, Link(lambda _: True, lambda _: None))
            self.session.carry(source, series)
            list(self.session.on(Opened(source), 1))

    def hear(self, data: bytes, source: str = "one") -> list[Received]:
        self.seconds += 0.05
        now = 1_600_000_000_000_000 + int(self.seconds * 1e6)
        return [*self.session.on(Frame(source, data, now), now), *self.session.on(Tick(), now)]


def check(told: list[Received]) -> None:
    for received in told:
        for event in received.events:
            assert not impossible(event), (impossible(event), received.raw and received.raw.data[:300])
        if received.raw is not None:
            storable(received.raw)


def healthy(desk: Desk) -> None:
    """A good print is understood after all that came."""
    message = copy.deepcopy(MESSAGES[1])
    message["data"][0] |= {"tradeId": "130639999", "ts": "1597026999999"}
    events = [event for received in desk.hear(json.dumps(message).encode()) for event in received.events]
    assert any(isinstance(event, Print) and event.id == "130639999" for event in events)


@QUICK
@given(st.lists(mutated(MESSAGES) | damaged(MESSAGES) | st.binary(max_size=60), min_size=1, max_size=6))
def test_whatever_comes_the_session_goes_on_and_tells_nothing_impossible(frames: list[bytes]) -> None:
    desk = Desk()
    with structlog.testing.capture_logs():
        for i, data in enumerate(frames):
            check(desk.hear(data, "one" if i % 2 else "two"))
        healthy(desk)


@QUICK
@given(
    st.lists(mutated(MESSAGES) | damaged(MESSAGES), min_size=1, max_size=4),
    st.lists(st.integers(0, 1), min_size=4, max_size=4),
)
def test_what_was_stored_reads_back_to_what_was_told(frames: list[bytes], lines: list[int]) -> None:
    desk, told = Desk(), list[Received]()
    with structlog.testing.capture_logs():
        for data, line in zip(frames, lines, strict=False):
            told += desk.hear(data, ("one", "two")[line])
        read = decoder("okx", [Instrument.unknown("okx", SWAP)])
        for received in told:
            if received.raw is not None:
                again = read(received.raw)
                check([Received(received.raw, again)])
                assert len(again) >= len([e for e in received.events if isinstance(e, Print | Candle)])


DEEP = (
    '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":%s}',
    '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"x":%s,"tradeId":"1","px":"1","sz":"1","ts":"1"}]}',
    '{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"x":%s}',
    '{"arg":%s}',
    "%s",
)


@pytest.mark.parametrize("shape", DEEP)
@pytest.mark.parametrize("depth", [900, 990, 1_000, 1_010, 5_000, 100_000])
def test_deep_nesting_is_not_understood_and_harms_nothing(shape: str, depth: int) -> None:
    desk = Desk()
    with structlog.testing.capture_logs():
        for text in (shape % ("[" * depth + "]" * depth), shape % ("[" * depth)):
            check(desk.hear(text.encode()))
        healthy(desk)


ANSWER = json.dumps({"code": "0", "msg": "", "data": [_TRADE]}).encode()


@QUICK
@given(st.binary(max_size=40) | damaged(MESSAGES), st.integers(0, len(ANSWER)))
def test_an_answer_that_is_none_is_refused_in_words(data: bytes, cut: int) -> None:
    rest = OkxRest("http://127.0.0.1:1", "okx")
    for body in (data, ANSWER[:cut] + data, ANSWER[:cut] + data + ANSWER[cut:]):
        try:
            found = read_answer(wire.trades, rest._judge("/api/v5/market/history-trades", {}, 200, body))
        except (Refused, _Again):
            continue
        series = Stream("okx", SYMBOL, Channel.TRADES_ALL, "trades_rest")
        check([Received(None, tuple(events.trade(series, one) for one in found))])
