"""Every kept message decodes, with values read off the JSON by eye."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from onetape.domain.market import Candle, Channel, Forming, Origin
from onetape.domain.units import Timeframe
from onetape.exchanges.okx import wire
from onetape.exchanges.okx.events import DECODE, Stream, closed

DATA = Path(__file__).resolve().parents[2] / "data" / "okx"
DECODERS = {
    "push_trades": wire.trades,
    "push_tickers": wire.tickers,
    "push_books": wire.books,
    "push_bbo-tbt": wire.books,
    "push_candle": wire.rows,
    "push_index-tickers": wire.index_tickers,
    "push_funding-rate": wire.funding_rates,
    "push_status": wire.statuses,
    "push_instruments": wire.instruments,
    "rest_market_books": wire.rest_books,
    "rest_market_history-trades": wire.trades,
    "rest_market_candles": wire.rows,
    "rest_market_history-candles": wire.rows,
    "rest_market_trades": wire.trades,
    "rest_public_instruments": wire.instruments,
    "rest_public_time": wire.times,
}
SHARED = {
    "ws_push/trades": wire.trades,
    "ws_push/candle": wire.rows,
    "ws_push/books": wire.books,
    "ws_push/books5": wire.books,
    "ws_push/books-l2-tbt": wire.books,
    "ws_push/bbo-tbt": wire.books,
    "ws_push/tickers": wire.tickers,
    "ws_push/trades-all": wire.trades,
    "ws_push/mark-price": wire.mark_prices,
    "ws_push/index-tickers": wire.index_tickers,
    "ws_push/funding-rate": wire.funding_rates,
    "ws_push/status": wire.statuses,
    "ws_push/instruments": wire.instruments,
    "rest/market_books": wire.rest_books,
    "rest/market_history-trades": wire.trades,
    "rest/market_candles": wire.rows,
    "rest/market_history-candles": wire.rows,
    "rest/market_trades": wire.trades,
    "rest/public_instruments": wire.instruments,
    "rest/public_time": wire.times,
}


def series(channel: Channel, timeframe: str = "1m", **changes: object) -> Stream:
    return Stream("okx", "BTC-USDT", channel, str(channel), Timeframe.parse(timeframe), **changes)  # type: ignore[arg-type]


def data_of(name: str) -> msgspec.Raw:
    return wire.envelope.decode((DATA / name).read_bytes()).data


@pytest.mark.parametrize("path", sorted(DATA.glob("[pr]*_*.json")), ids=lambda p: p.stem)
def test_every_kept_message_decodes(path: Path) -> None:
    decoder = next((d for prefix, d in DECODERS.items() if path.name.startswith(prefix)), None)
    envelope = wire.answer if path.name.startswith("rest") else wire.envelope
    message = envelope.decode(path.read_bytes())
    if decoder is not None:
        assert len(decoder.decode(message.data)) == len(json.loads(path.read_bytes())["data"])


@pytest.mark.parametrize("folder", SHARED)
def test_every_real_message_decodes(folder: str, shared_data: Path) -> None:
    files = sorted((shared_data / "okx" / folder).glob("*.json"))
    assert files
    for path in files:
        envelope = wire.answer if folder.startswith("rest") else wire.envelope
        message = envelope.decode(path.read_bytes())
        assert len(SHARED[folder].decode(message.data)) == len(json.loads(path.read_bytes())["data"]), path


def test_trade_keeps_taker_side_price_and_time_in_micros() -> None:
    ts, prints = DECODE[Channel.TRADES](series(Channel.TRADES), data_of("push_trades_04_gocryptotrader.json"), 7)
    (trade,) = prints
    assert (trade.id, trade.price, trade.qty, trade.side) == ("130639474", 42219.9, 0.12060306, 1)
    assert trade.ts == ts == 1_630_048_897_897_000
    assert trade.recv_ts == 7


def test_trade_of_a_swap_is_counted_in_coins_not_contracts() -> None:
    data = msgspec.Raw(b'[{"tradeId":"1","px":"48938.5","sz":"5","side":"sell","ts":"1640131236050"}]')
    _, (trade,) = DECODE[Channel.TRADES](series(Channel.TRADES, size=0.01, spot=False), data, 0)
    assert trade.qty == 0.05
    assert trade.side == -1


def test_running_row_is_forming_and_never_a_candle() -> None:
    (event,) = DECODE[Channel.CANDLES](series(Channel.CANDLES, "1d"), data_of("push_candle_02_go-okx.json"), 9)[1]
    assert isinstance(event, Forming)
    assert (event.open, event.high, event.low, event.close) == (42500, 48199.9, 41006.1, 41006.1)


def test_confirmed_row_is_a_candle_that_closes_one_timeframe_later() -> None:
    data = msgspec.Raw(b'[["1597026360000","8533.02","8553.74","8527.17","8548.26","45.5","529.5","529.6","1"]]')
    (event,) = DECODE[Channel.CANDLES](series(Channel.CANDLES), data, 9)[1]
    assert event == Candle(
        "okx", "BTC-USDT", "1m", 1_597_026_360_000_000, 1_597_026_420_000_000,
        8533.02, 8553.74, 8527.17, 8548.26, 45.5, 529.6, Origin.VENUE, 9,
    )  # fmt: skip


def test_candle_of_a_swap_takes_the_volume_in_coins() -> None:
    rows = wire.rows.decode(b'[["1597026360000","1","1","1","1","500","5","50000","1"]]')
    assert closed(series(Channel.CANDLES, spot=False), rows)["volume"] == [5]
    assert closed(series(Channel.CANDLES), rows)["volume"] == [500]


def test_ticker_with_an_empty_side_reads_as_zero() -> None:
    data = msgspec.Raw(b'[{"last":"0.006","askPx":"0.0005","askSz":"111","bidPx":"","bidSz":"","ts":"1640001603301"}]')
    (quote,) = DECODE[Channel.TICKER](series(Channel.TICKER), data, 0)[1]
    assert (quote.bid, quote.bid_qty, quote.ask, quote.last) == (0.0, 0.0, 0.0005, 0.006)
