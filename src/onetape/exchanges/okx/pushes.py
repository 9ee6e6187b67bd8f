"""A frame read in one pass: the messages that come most are known by how they begin, and read into structs at once.

OKX writes `{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[...]}` with the keys in this order. What begins
otherwise takes two passes. What does not fit its channel is read in two steps, which also says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from onetape.exchanges.okx.wire import UNREADABLE, Arg, BookMessage, BookText, Envelope, Row, Ticker, Trade, envelope

T = TypeVar("T")


class Push(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A channel's message with its data read. It has those fields of `Envelope` that such a message has."""

    data: list[T]
    action: str = ""
    event: Literal[""] = ""  # anything else is no push


Message = Envelope | Push[Any]
_Read = Callable[[bytes], Push[Any]]

_LONGEST: Final = 200  # bytes up to the end of `arg`; a longer beginning is none of ours


def _reader(kind: Any) -> _Read:
    return msgspec.json.Decoder(Push[kind], strict=False).decode


_BOOKS: Final = _reader(BookMessage)
_TRADES: Final = _reader(Trade)
_READERS: Final[dict[str, _Read]] = {
    "trades": _TRADES,
    "trades-all": _TRADES,
    "books": _reader(BookText),
    "books5": _BOOKS,
    "bbo-tbt": _BOOKS,
    "tickers": _reader(Ticker),
}
_ROWS: Final = _reader(Row)

# By `{"arg":{"channel":"trades","instId":"BTC-USDT"`, which each stream repeats in each message.
_known: Final[dict[bytes, tuple[Arg, _Read] | None]] = {}
_MOST: Final = 4096  # of those


def decode(data: bytes) -> tuple[Arg | None, Message]:
    """What a message is about, and what it says: its `data` is a list of structs, or `Raw` when it was read in two
    steps. Raises msgspec.DecodeError for what is no message at all."""
    begin = data.partition(b"}")[0]  # one call: to find and to cut take longer than to copy the rest
    known = _known.get(begin)
    if known is None and begin not in _known:
        known = _learnt(begin)
    if known is not None:
        try:
            return known[0], known[1](data)
        except UNREADABLE:
            pass  # told by whoever reads it in two steps
    try:
        message = envelope.decode(data)
    except (UnicodeDecodeError, RecursionError) as error:
        raise msgspec.DecodeError(str(error)) from None
    return message.arg, _read_again(message, data)


def _read_again(message: Envelope, data: bytes) -> Message:
    """The same structs for a message that only begins otherwise: so it equals the copy of the other connection."""
    read = None if message.arg is None or message.event else _reader_of(message.arg)
    try:
        return message if read is None else read(data)
    except UNREADABLE:
        return message


def _learnt(begin: bytes) -> tuple[Arg, _Read] | None:
    """The same for a beginning that is new; None = such messages are read in two steps."""
    if len(begin) > _LONGEST or not begin.startswith(b'{"arg":{'):
        return None
    if len(_known) >= _MOST:
        _known.clear()
    known = _known[begin] = _stream(begin)
    return known


def _stream(begin: bytes) -> tuple[Arg, _Read] | None:
    try:
        arg = envelope.decode(begin + b"}}").arg
    except UNREADABLE:
        return None
    if arg is None:
        return None
    read = _reader_of(arg)
    return None if read is None else (arg, read)


def _reader_of(arg: Arg) -> _Read | None:
    return _ROWS if arg.channel.startswith("candle") else _READERS.get(arg.channel)
