"""The small channels on the venue's messages, with values read off the JSON by eye."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from onetape.domain.market import Book, Channel, Funding, Index, InstrumentChange, Mark, VenueStatus
from onetape.domain.units import Micros
from onetape.exchanges.okx import pushes
from onetape.exchanges.okx.events import Decoded, Stream
from onetape.exchanges.okx.prices import DECODE

DATA = Path(__file__).resolve().parents[2] / "data" / "okx"
RECV: Micros = 77


def told(channel: Channel, text: bytes, symbol: str = "BTC-USDT", **changes: object) -> Decoded:
    series = Stream("okx", symbol, channel, str(channel), **changes)  # type: ignore[arg-type]
    return DECODE[channel](series, pushes.decode(text)[1].data, RECV)


def message(name: str) -> bytes:
    return (DATA / name).read_bytes()


def test_index() -> None:
    ts, events = told(Channel.INDEX, message("push_index-tickers_02_gocryptotrader.json"))
    assert events == (Index("okx", "BTC-USDT", 1_597_026_383_085_000, 0.1, RECV),)
    assert ts == 1_597_026_383_085_000


def test_mark() -> None:
    row = {"instId": "FIL-USDT-220325", "instType": "FUTURES", "markPx": "36.662", "ts": "1640140257676"}
    text = json.dumps({"arg": {"channel": "mark-price", "instId": "FIL-USDT-220325"}, "data": [row]}).encode()
    ts, events = told(Channel.MARK, text, "FIL-USDT-220325")
    assert events == (Mark("okx", "FIL-USDT-220325", 1_640_140_257_676_000, 36.662, RECV),)
    assert ts == 1_640_140_257_676_000


def test_funding_is_dated_by_its_payment_and_the_message_by_its_own_time() -> None:
    ts, events = told(Channel.FUNDING, message("push_funding-rate_02_go-okx.json"), "BTC-USD-SWAP")
    expected = Funding("okx", "BTC-USD-SWAP", 1_700_726_400_000_000, 0.0001875391284828, RECV, 1_700_755_200_000_000)
    assert events == (expected,)
    assert ts == 1_700_724_675_402_000


def test_funding_of_an_old_message_without_a_time_is_dated_by_its_receipt() -> None:
    row = {"fundingRate": "0.00048105", "fundingTime": "1640131200000", "instId": "X-USDT-SWAP", "nextFundingRate": ""}
    text = json.dumps({"arg": {"channel": "funding-rate", "instId": "X-USDT-SWAP"}, "data": [row]}).encode()
    ts, events = told(Channel.FUNDING, text, "X-USDT-SWAP")
    assert events == (Funding("okx", "X-USDT-SWAP", 1_640_131_200_000_000, 0.00048105, RECV, 0),)
    assert ts == RECV


def test_status_in_milliseconds_and_in_the_seconds_of_an_old_example() -> None:
    ts, (event,) = told(Channel.STATUS, message("push_status_01_okx-net.json"), "*")
    assert isinstance(event, VenueStatus)
    assert (event.state, event.start_ts, event.end_ts, event.ts) == (
        "completed", 1_672_823_400_000_000, 1_672_825_980_000_000, 1_672_826_038_470_000,
    )  # fmt: skip
    assert ts == event.ts
    _, (event,) = told(Channel.STATUS, message("push_status_02_gocryptotrader.json"), "*")
    assert isinstance(event, VenueStatus)
    assert (event.state, event.start_ts) == ("scheduled", 1_610_019_546_000_000)


def test_five_levels_count_contracts_as_coins() -> None:
    _, (book,) = told(Channel.BOOK5, message("push_books5_01_go-okx.json"), "BTC-USDT-SWAP", size=0.01, spot=False)
    assert isinstance(book, Book)
    assert book.asks == [(8476.98, 4.15)]
    assert book.bids == [(8476.97, 0.1)]
    assert book.valid


def test_best_prices_of_spot() -> None:
    ts, (book,) = told(Channel.BBO, message("push_bbo-tbt_01_ccxt.json"))
    assert isinstance(book, Book)
    assert (book.bids, book.asks) == ([(36232.1, 0.00572212)], [(36232.2, 1.8826134)])
    assert ts == 1_651_826_598_363_000


def test_every_single_trade_has_the_form_of_the_others() -> None:
    row = {
        "instId": "BSV-USDT",
        "tradeId": "84834539",
        "px": "42.52",
        "sz": "3.75",
        "side": "buy",
        "ts": "1697760012017",
    }
    text = json.dumps({"arg": {"channel": "trades-all", "instId": "BSV-USDT"}, "data": [row]}).encode()
    ts, (trade,) = told(Channel.TRADES_ALL, text, "BSV-USDT")
    assert (trade.id, trade.qty, trade.side, ts) == ("84834539", 3.75, 1, 1_697_760_012_017_000)  # type: ignore[union-attr]


def test_instruments_are_dated_by_their_receipt_and_those_that_cannot_be_read_are_left_out() -> None:
    rows = json.loads(message("push_instruments_01_okx-net.json"))
    swap = {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "uly": "BTC-USDT", "settleCcy": "USDT", "ctType": "linear"}
    swap |= {"ctVal": "0.01", "ctMult": "1", "tickSz": "0.1", "lotSz": "1", "minSz": "1", "state": "suspend"}
    rows["data"] += [swap | {"instId": "BTC-USD-SWAP", "ctType": "inverse"}, swap]
    ts, changes = told(Channel.INSTRUMENTS, json.dumps(rows).encode(), "*")
    found = [change for change in changes if isinstance(change, InstrumentChange)]
    assert ts == RECV
    assert [change.symbol for change in found] == ["BTC-USDT", "BTC-USDT-SWAP"]
    assert {(change.recv_ts, change.before) for change in found} == {(RECV, None)}
    last = found[-1].instrument
    assert (last.contract_size, last.lot, last.state) == (0.01, 0.01, "suspend")


def test_every_channel_has_a_decoder() -> None:
    assert set(DECODE) == set(Channel) - {Channel.BOOK}  # which has state
    assert all(callable(decode) for decode in DECODE.values())
    assert isinstance(pushes.decode(message("push_status_01_okx-net.json"))[1].data, msgspec.Raw)
