"""One pass and two steps read the same; what the first cannot read is left to the second."""

from __future__ import annotations

import msgspec
import pytest

from onetape.exchanges.okx import pushes, wire

TRADE = (
    b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474",'
    b'"px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}'
)


def test_trade_is_read_at_once_into_what_two_steps_give() -> None:
    arg, message = pushes.decode(TRADE)
    assert arg == wire.Arg("trades", "BTC-USDT")
    assert message.data == [wire.Trade("130639474", 42219.9, 0.12060306, "buy", 1630048897897)]
    assert message.data == wire.trades.decode(wire.envelope.decode(TRADE).data)


def test_book_keeps_its_action() -> None:
    text = (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],'
        b'"bids":[["9","1","0","1"]],"ts":"5","seqId":12,"prevSeqId":11,"checksum":0}]}'
    )
    arg, message = pushes.decode(text)
    assert arg == wire.Arg("books", "BTC-USDT")
    (update,) = message.data
    assert (message.action, update.ts, update.seqId, update.prevSeqId) == ("update", 5, 12, 11)
    assert (bytes(update.asks), bytes(update.bids)) == (b"[]", b'[["9","1","0","1"]]')
    assert not update.empty


def test_sign_of_life_names_no_level() -> None:
    text = (
        b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[],"bids":[],"ts":"5",'
        b'"seqId":12,"prevSeqId":12}]}'
    )
    _, message = pushes.decode(text)
    assert message.data[0].empty
    assert wire.books.decode(wire.envelope.decode(text).data)[0].empty


def test_instruments_of_one_channel_are_told_apart() -> None:
    pushes.decode(TRADE)
    arg, _ = pushes.decode(TRADE.replace(b"BTC-USDT", b"ETH-USDT"))
    assert arg == wire.Arg("trades", "ETH-USDT")


@pytest.mark.parametrize(
    "text",
    [
        b'{"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"},"connId":"a4d3ae55"}',
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"event":"subscribe"}',
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"event":"error","code":"1","data":[]}',
        b'{"arg":{"channel":"liquidations","instId":"BTC-USDT"},"data":[{"a":1}]}',
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"tradeId":"1","px":"x","sz":"1","side":"buy"}]}',
    ],
    ids=["acknowledged", "arg first", "error", "other channel", "unfit number"],
)
def test_everything_else_is_read_in_two_steps(text: bytes) -> None:
    arg, message = pushes.decode(text)
    assert message == wire.envelope.decode(text)
    assert arg == wire.envelope.decode(text).arg


@pytest.mark.parametrize("change", [(b":", b": "), (b"{", b'{"newField":1,')], ids=["spaces", "a field in front"])
def test_a_message_that_only_begins_otherwise_is_read_into_the_same_structs(change: tuple[bytes, bytes]) -> None:
    assert pushes.decode(TRADE.replace(*change)) == pushes.decode(TRADE)


@pytest.mark.parametrize("text", [b"pong", b"", b"}", b'{"arg":{"channel":"trades"},"data":[{"tradeId"', b"[1]"])
def test_no_message_at_all_is_said(text: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        pushes.decode(text)
