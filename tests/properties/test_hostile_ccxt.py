"""Messages that no exchange should send, through the library: nothing leaves the session but what is possible, nothing
stops it, and what was stored reads back to what was told."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onetape.domain.instrument import Instrument
from onetape.domain.market import Book, Candle, Channel, Gap, Print, Received, Want
from onetape.exchanges.ccxt import decoding, library, names
from onetape.exchanges.ccxt.session import Errands, Session
from onetape.exchanges.ccxt.tracks import Track
from tests.properties.hostile import damaged, impossible, mutated, storable

DATA = Path(__file__).parents[1] / "data" / "venues"
T = "1597026383085"
OKX: list[Any] = [
    {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [
        {"instId": "BTC-USDT", "tradeId": "130639474", "px": "42219.9", "sz": "0.12", "side": "buy", "ts": T}]},
    {"arg": {"channel": "tickers", "instId": "BTC-USDT"}, "data": [
        {"instType": "SPOT", "instId": "BTC-USDT", "last": "9999.99", "lastSz": "0.1", "askPx": "9999.99",
         "askSz": "11", "bidPx": "8888.88", "bidSz": "5", "ts": T}]},
    {"arg": {"channel": "candle1m", "instId": "BTC-USDT"}, "data": [
        ["1597026360000", "8", "9", "7", "8", "4", "4", "4", "1"]]},
    {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": "snapshot", "data": [
        {"asks": [["8476.98", "415", "0", "13"]], "bids": [["8476.97", "256", "0", "12"]], "ts": T,
         "prevSeqId": -1, "seqId": 7}]},
    {"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": "update", "data": [
        {"asks": [["8476.98", "9", "0", "13"]], "bids": [], "ts": T, "prevSeqId": 7, "seqId": 9}]},
    {"event": "subscribe", "arg": {"channel": "trades", "instId": "BTC-USDT"}, "connId": "a"},
    {"event": "error", "code": "60018", "msg": "Wrong URL", "connId": "a"},
]  # fmt: skip


def recorded(venue: str) -> list[Any]:
    return [json.loads(line) for line in (DATA / f"{venue}.jsonl").read_bytes().splitlines()]


DEPTH: list[Any] = [
    {"e": "depthUpdate", "E": 1579485598569, "s": "BTCUSDT", "U": 157, "u": 160, "b": [["8702.9", "10"]],
     "a": [["8703.1", "100"]]},
    {"lastUpdateId": 157, "bids": [["8702.9", "1.5"]], "asks": [["8703.1", "2.5"]]},
]  # fmt: skip
MESSAGES: dict[str, list[Any]] = {
    "okx": OKX,
    "binance": [*recorded("binance"), *DEPTH],
    "bybit": recorded("bybit"),
    "kraken": recorded("kraken"),
    "coinbase": recorded("coinbase"),
}
SYMBOLS = {"kraken": "BTC-USD", "coinbase": "BTC-USD"}
LENGTHS = {"kraken": "5m", "bybit": "5m"}
GOOD: dict[str, tuple[str, Any]] = {  # an id, and a message with a trade of it
    "okx": ("130639999", {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [
        {"instId": "BTC-USDT", "tradeId": "130639999", "px": "42219.9", "sz": "0.12", "side": "buy", "ts": T}]}),
    "binance": ("99912345", {"e": "aggTrade", "E": 1579481530911, "s": "BTCUSDT", "a": 99912345, "p": "8700.10",
                "q": "0.25", "f": 100, "l": 105, "T": 1579481530910, "m": True, "M": True}),
    "bybit": ("healthy", {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1672304486868, "data": [
        {"T": 1672304486865, "s": "BTCUSDT", "S": "Buy", "v": "0.001", "p": "16578.50", "i": "healthy"}]}),
    "kraken": ("99965905", {"channel": "trade", "type": "update", "data": [
        {"symbol": "BTC/USD", "side": "sell", "price": 30000.1, "qty": 0.5, "ord_type": "market",
         "trade_id": 99965905, "timestamp": "2023-09-25T07:49:36.708706Z"}]}),
    "coinbase": ("9991002", {"channel": "market_trades", "client_id": "", "sequence_num": 0,
        "timestamp": "2023-02-09T20:19:35.39625135Z", "events": [{"type": "update", "trades": [
            {"trade_id": "9991002", "product_id": "BTC-USD", "price": "21900.02", "size": "0.3", "side": "BUY",
             "time": "2023-02-09T20:19:34.265Z"}]}]}),
}  # fmt: skip
VENUES = pytest.mark.parametrize("venue", list(MESSAGES))
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Socket(decoding._Client):
    """As much of the library's socket as taking a message apart needs."""

    def __init__(self, venue: Any, url: str) -> None:
        super().__init__()
        self.venue, self.url = venue, url

    def handle_text_or_binary_message(self, data: str | bytes) -> None:
        text = data.decode() if isinstance(data, bytes) else data
        self.venue.handle_message(self, orjson.loads(text) if text[:1] in ("{", "[") and len(text) > 1 else text)


class Desk:
    """A session that carries every kind of stream on two connections, tapped as the live one is."""

    def __init__(self, venue: str) -> None:
        self.venue, self.seconds, self.told = venue, 0.0, list[Received]()
        self.symbol = SYMBOLS.get(venue, "BTC-USDT")
        instrument = Instrument.unknown(venue, self.symbol)
        idle = Errands(lambda *_: None, lambda *_: None)
        self.session = Session(venue, self.told.append, idle, lambda: self.seconds)
        self.sockets: dict[str, Socket] = {}
        for lane in "ab":
            theirs = self.session.venues[lane] = decoding._offline(venue, instrument, [instrument])
            self.sockets[lane] = Socket(theirs, f"wss://{venue}/spot")
            library._tap(self.sockets[lane], Listener(self, lane))
        wants = [Want(self.symbol, channel) for channel in (Channel.TRADES, Channel.TICKER, Channel.BOOK)]
        wants.append(Want(self.symbol, Channel.CANDLES, LENGTHS.get(venue, "1m")))
        for want in wants:
            track = Track(want, instrument, names.their_symbol(instrument))
            self.session.add(track, "ab" if track.doubled else "a")

    def hear(self, data: bytes, lane: str = "a") -> list[Received]:
        self.told.clear()
        self.seconds += 1.0
        if b"lastUpdateId" in data:
            self.session.snapshot(lane, f"{self.symbol.replace('-', '/')}", data, 1_600_000_000_000_000)
        text = data.decode("utf8", "replace")
        self.sockets[lane].handle_text_or_binary_message(text)
        self.session.late_books(1_600_000_000_000_000 + int(self.seconds * 1e6))
        return list(self.told)


class Listener:
    def __init__(self, desk: Desk, lane: str) -> None:
        self.desk, self.lane = desk, lane

    def frame(self, url: str, data: str | bytes, recv_ts: int, touched: list[Any], problem: str) -> None:
        recv_ts = 1_600_000_000_000_000 + int(self.desk.seconds * 1e6)
        self.desk.session.frame((self.lane, url), data, recv_ts, touched, problem)

    def changed(self, url: str, touched: Any) -> None:
        self.desk.session.changed((self.lane, url), touched, 1_600_000_000_000_000)


def check(told: list[Received]) -> None:
    for received in told:
        for event in received.events:
            assert not impossible(event), (impossible(event), received.raw and received.raw.data[:300])
            if isinstance(event, Book) and event.valid:
                rising = [price for price, _ in (*reversed(event.bids), *event.asks)]
                assert rising == sorted(set(rising))
        if received.raw is not None:
            storable(received.raw)


def healthy(desk: Desk) -> None:
    """A good print is understood after all that came."""
    number, message = GOOD[desk.venue]
    events = [event for received in desk.hear(json.dumps(message).encode()) for event in received.events]
    assert any(isinstance(event, Print) and event.id == number for event in events)


def whole(venue: str, data: st.DataObject) -> list[bytes]:
    """A story with nonsense in it: real messages in their order, some of them spoiled."""
    messages = MESSAGES[venue]
    found = []
    for message in messages:
        deed = data.draw(st.integers(0, 3))
        if deed < 2:
            found.append(json.dumps(message).encode())
        elif deed == 2:
            found.append(data.draw(mutated([message])))
        else:
            found.append(data.draw(damaged([message]) | st.binary(max_size=40)))
    return found


@VENUES
@QUICK
@given(st.data())
def test_whatever_comes_the_session_goes_on_and_tells_nothing_impossible(venue: str, data: st.DataObject) -> None:
    desk = Desk(venue)
    with structlog.testing.capture_logs():
        for i, text in enumerate(whole(venue, data)):
            check(desk.hear(text, "ab"[i % 2] if data.draw(st.booleans()) else "a"))
        healthy(desk)


@VENUES
@QUICK
@given(st.data())
def test_what_was_stored_reads_back_to_possible_events_that_were_told(venue: str, data: st.DataObject) -> None:
    desk, told = Desk(venue), list[Received]()
    with structlog.testing.capture_logs():
        for text in whole(venue, data):
            told += copy.copy(desk.hear(text))
        read = decoding.decoder(venue)
        for received in told:
            if received.raw is None or received.raw.channel == "unknown":
                continue
            again = read(received.raw)
            check([Received(received.raw, again)])
            kept = [e for e in received.events if isinstance(e, Print | Candle)]
            assert [e for e in again if isinstance(e, Print)] == [e for e in kept if isinstance(e, Print)]
            assert not any(isinstance(e, Gap) for e in again)


@VENUES
def test_text_that_is_no_message_is_kept_and_answers_to_pings_are_not(venue: str) -> None:
    desk = Desk(venue)
    with structlog.testing.capture_logs():
        for text in (b"<html>502 Bad Gateway</html>", b'{"cut', b"\xff\xfe", b"null"):
            (received,) = desk.hear(text)
            assert received.raw is not None
            assert (received.raw.symbol, received.raw.channel, received.events) == ("*", "unknown", ())
            assert received.raw.data == text.decode("utf8", "replace").encode()
        assert desk.hear(b"pong") == []
        healthy(desk)


@VENUES
@pytest.mark.parametrize("depth", [900, 1_010, 5_000, 100_000])
def test_deep_nesting_is_not_understood_and_harms_nothing(venue: str, depth: int) -> None:
    desk = Desk(venue)
    with structlog.testing.capture_logs():
        for text in ("[" * depth + "]" * depth, "[" * depth, '{"data":' + "[" * depth + "]" * depth + "}"):
            check(desk.hear(text.encode()))
        healthy(desk)
