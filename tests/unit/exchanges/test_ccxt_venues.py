"""Messages of the named venues, through the library and into events. Expected values were read off the messages."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from onetape.domain.errors import Refused
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.market import Book, Candle, Forming, MarketEvent, Print, Quote, RawFrame
from onetape.exchanges.registry import Decode, decoder

DATA = Path(__file__).parents[2] / "data" / "venues"
STEP = 200_000  # between two messages: books are told at most ten times a second
SWAP = Instrument(exchange="binance", symbol="BTC-USDT-SWAP", kind=Kind.SWAP, base="BTC", quote="USDT", settle="USDT")


def said(venue: str, symbol: str, *channels: str) -> list[list[MarketEvent]]:
    """The events of each message of a venue's file; `channels` names the channel of each."""
    decode = decoder(venue)
    lines = (DATA / f"{venue}.jsonl").read_bytes().splitlines()
    assert len(lines) == len(channels)
    return [
        list(decode(RawFrame(venue, symbol, channel, 0, (i + 1) * STEP, i, line)))
        for i, (channel, line) in enumerate(zip(channels, lines, strict=True))
    ]


def prices(book: MarketEvent) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    assert isinstance(book, Book)
    assert book.valid
    return book.bids, book.asks


def test_binance() -> None:
    first, second, running, closed, ticker = said(
        "binance", "BTC-USDT", "trades", "trades", "candles:1m", "candles:1m", "ticker"
    )
    # m = the buyer was the maker, so the taker sold; the id is that of the aggregate
    assert first == [Print("binance", "BTC-USDT", "12345", 1_579_481_530_910_000, 8700.1, 0.25, -1, STEP)]
    assert second == [Print("binance", "BTC-USDT", "12346", 1_579_481_530_999_000, 8700.2, 0.5, 1, 2 * STEP)]
    (forming,) = running
    assert isinstance(forming, Forming)
    (candle,) = closed
    assert isinstance(candle, Candle)
    assert (candle.open_ts, candle.close_ts) == (1_579_482_900_000_000, 1_579_482_960_000_000)
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (8700.0, 8704.0, 8699.0, 8703.0, 6.5)
    (quote,) = ticker
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.bid_qty, quote.ask, quote.ask_qty, quote.last) == (8702.9, 1.5, 8703.1, 2.5, 8703.0)


def test_bybit() -> None:
    trades, running, closed, snapshot, delta, ticker, change = said(
        "bybit", "BTC-USDT", "trades", "candles:5m", "candles:5m", "book", "book", "ticker", "ticker"
    )
    assert [(p.id[-2:], p.price, p.qty, p.side) for p in trades if isinstance(p, Print)] == [
        ("af", 16578.5, 0.001, 1),
        ("b0", 16578.4, 0.002, -1),
    ]
    assert isinstance(running[0], Forming)
    (candle,) = closed
    assert isinstance(candle, Candle)
    assert (candle.open_ts, candle.close, candle.volume) == (1_672_324_800_000_000, 16680.0, 3.5)
    assert prices(snapshot[0]) == ([(16493.5, 0.006), (16493.0, 0.1)], [(16611.0, 0.029), (16612.0, 0.213)])
    assert prices(delta[0]) == ([(16494.0, 0.7), (16493.0, 0.1)], [(16611.0, 0.03), (16612.0, 0.213)])
    (full,), (changed,) = ticker, change
    assert isinstance(full, Quote)
    assert isinstance(changed, Quote)
    assert (full.bid, full.ask_qty, full.last) == (17222.0, 1.25, 17222.5)
    assert (changed.bid, changed.ask_qty, changed.last) == (17222.0, 1.25, 17222.0)  # a delta names what changed


def test_changes_of_a_bybit_book_that_did_not_begin_say_nothing() -> None:
    lines = (DATA / "bybit.jsonl").read_bytes().splitlines()
    snapshot, delta = lines[3], lines[4]
    decode = decoder("bybit")
    frames = [RawFrame("bybit", "BTC-USDT", "book", 0, (i + 1) * STEP, i, d) for i, d in enumerate((delta, snapshot))]
    assert decode(frames[0]) == ()
    assert len(decode(frames[1])) == 1


def test_kraken() -> None:
    first, again, history, running, next_one, snapshot, update, ticker = said(
        "kraken", "BTC-USD", "trades", "trades", *["candles:5m"] * 3, "book", "book", "ticker"
    )
    assert [(p.id, p.side, p.qty) for p in first if isinstance(p, Print)] == [("4665905", -1, 0.5)]
    assert [(p.id, p.side, p.qty) for p in again if isinstance(p, Print)] == [("4665906", 1, 40.0)]  # once each
    before, forming = history
    assert isinstance(before, Candle)
    assert (before.close, before.volume) == (27505.0, 3.5)
    assert isinstance(forming, Forming)
    assert [type(e) for e in running] == [Forming]
    done, begun = next_one  # closed when the next one begins: the venue has no word for it
    assert isinstance(done, Candle)
    assert (done.open_ts, done.close, done.high, done.volume) == (1_696_436_700_000_000, 27519.0, 27520.0, 1.25)
    assert isinstance(begun, Forming)
    assert prices(snapshot[0])[0] == [(27500.1, 4831.75), (27500.0, 6658.25)]
    assert prices(update[0]) == (
        [(27500.2, 1098.5), (27500.1, 4831.75)],
        [(27500.3, 4410.5), (27500.4, 4655.5)],
    )
    (quote,) = ticker
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask, quote.last) == (108359.8, 108359.9, 108359.8)


def test_coinbase() -> None:
    trades, snapshot, update, ticker = said("coinbase", "BTC-USD", "trades", "book", "book", "ticker")
    # oldest first, and the side turned round: the venue states the maker's
    assert [(p.id, p.price, p.side) for p in trades if isinstance(p, Print)] == [
        ("1001", 21900.01, 1),
        ("1002", 21900.02, -1),
    ]
    assert prices(snapshot[0]) == ([(21921.73, 0.06317902), (21921.3, 0.02)], [(21922.5, 1.5)])
    assert prices(update[0]) == ([(21921.3, 0.02)], [(21922.0, 0.75), (21922.5, 1.5)])
    (quote,) = ticker
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.ask, quote.last) == (21932.97, 21932.99, 21932.98)


# --- the recording of Binance USD-M


def recording() -> Iterator[RawFrame]:
    with gzip.open(DATA / "binance_usdm_2024-08-08.txt.gz", "rb") as file:
        for i, line in enumerate(file):
            nanos, channel, data = line.rstrip().split(b" ", 2)
            recv_ts = int(nanos) // 1_000
            yield RawFrame("binance", SWAP.symbol, channel.decode(), recv_ts, recv_ts, i, data)


class PlainBook:
    """The venue's rule for futures, written out: drop what the snapshot has, then each `pu` is the `u` before."""

    def __init__(self) -> None:
        self.sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.last = 0
        self.waiting: list[dict[str, object]] = []

    def take(self, message: dict) -> None:  # type: ignore[type-arg]
        if "lastUpdateId" in message:
            self.last = message["lastUpdateId"]
            for side, levels in zip(self.sides, (message["bids"], message["asks"]), strict=True):
                side.update((float(price), float(qty)) for price, qty in levels)
            for kept in self.waiting:
                self._apply(kept)
        elif not self.last:
            self.waiting.append(message["data"])
        else:
            self._apply(message["data"])

    def _apply(self, update: dict) -> None:  # type: ignore[type-arg]
        if update["u"] < self.last:
            return
        assert update["U"] <= self.last or update["pu"] == self.last
        for side, levels in zip(self.sides, (update["b"], update["a"]), strict=True):
            for price, qty in levels:
                side[float(price)] = float(qty)
                if not float(qty):
                    del side[float(price)]
        self.last = update["u"]

    def best(self) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        bids, asks = self.sides
        return sorted(bids.items(), reverse=True)[:25], sorted(asks.items())[:25]


def test_recorded_book_equals_one_built_by_the_written_rule() -> None:
    decode, plain = decoder("binance", [SWAP]), PlainBook()
    told = 0
    for raw in recording():
        if raw.channel != "book":
            continue
        plain.take(msgspec.json.decode(raw.data))
        for event in decode(raw):
            assert prices(event) == plain.best()
            told += 1
    assert told > 10


def test_recorded_trades_are_told_once_each_in_order() -> None:
    decode = decoder("binance", [SWAP])
    frames = [raw for raw in recording() if raw.channel == "trades"]
    prints = [event for raw in frames for event in decode(raw)]
    expected = [msgspec.json.decode(raw.data)["data"] for raw in frames]
    assert [p.id for p in prints if isinstance(p, Print)] == [str(t["t"]) for t in expected]
    assert [p.price for p in prints if isinstance(p, Print)] == [float(t["p"]) for t in expected]
    assert [p.side for p in prints if isinstance(p, Print)] == [-1 if t["m"] else 1 for t in expected]
    again: list[MarketEvent] = [event for raw in frames[-5:] for event in decode(raw)]
    assert again == []


def test_recorded_book_that_misses_an_update_is_unusable_until_the_next_snapshot() -> None:
    decode = decoder("binance", [SWAP])
    frames = [raw for raw in recording() if raw.channel == "book"]
    at = next(i for i, raw in enumerate(frames) if raw.data.startswith(b'{"lastUpdateId"'))
    for raw in frames[: at + 5]:
        decode(raw)
    (broken,) = decode(frames[at + 6])  # one is left out
    assert isinstance(broken, Book)
    assert not broken.valid
    assert not broken.bids
    assert decode(frames[at + 7]) == ()


# --- what cannot be read


def test_days_that_begin_at_another_hour_are_not_mixed_with_ours() -> None:
    decode = decoder("binance")
    kline = (
        b'{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":%d,"T":1,"s":"BTCUSDT","i":"1d","o":"1","c":"1","h":"1","l":"1",'
        b'"v":"1","x":true}}'
    )
    midnight, hong_kong = 1_579_478_400_000, 1_579_449_600_000  # 2020-01-20T00:00Z, 2020-01-19T16:00Z
    (candle,) = decode(RawFrame("binance", "BTC-USDT", "candles:1d", 0, 1, 1, kline % midnight))
    assert isinstance(candle, Candle)
    assert (
        decode(RawFrame("binance", "ETH-USDT", "candles:1d", 0, 1, 1, (kline % hong_kong).replace(b"BTC", b"ETH")))
        == ()
    )


def decoded(decode: Decode, symbol: str, channel: str, data: bytes) -> tuple[MarketEvent, ...]:
    return decode(RawFrame("bybit", symbol, channel, 0, 1, 1, data))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"topic":"publicTrade.BTCUSDT","data":[{}]}', b'"pong"'])
def test_message_of_another_form_says_nothing(data: bytes) -> None:
    assert decoded(decoder("bybit"), "BTC-USDT", "trades", data) == ()


def test_contract_of_unknown_size_is_refused() -> None:
    with pytest.raises(Refused, match="contract size of bybit:BTC-USDT-SWAP is not known"):
        decoded(decoder("bybit"), "BTC-USDT-SWAP", "trades", b"{}")


def test_channel_that_was_never_written_is_refused() -> None:
    with pytest.raises(Refused, match="a channel bbo, which ccxt has not"):
        decoded(decoder("bybit"), "BTC-USDT", "bbo", b"{}")
