"""Numbers of book messages, by which copies of one update are known and a lost one is missed.

OKX names the update before (`prevSeqId`), Binance the range of updates in a message (and `pu` for contracts), Bybit
counts `u` up by one; all three count for the market, not for the connection. Kraken has a checksum instead and Coinbase
counts the messages of a connection: their books have no identity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec


class BookStep(NamedTuple):
    """A message that takes a book from the update `first` to `last`, or states it `whole` as of `last`."""

    first: int
    last: int
    whole: bool = False


Steps = Callable[[bytes], BookStep | None]
"""None: the message has no numbers. Raises msgspec.DecodeError."""


class _OkxRow(msgspec.Struct):
    seqId: int | None = None  # noqa: N815
    prevSeqId: int | None = None  # noqa: N815


class _Okx(msgspec.Struct):  # {"arg": ..., "action": "update", "data": [{"seqId": 9, "prevSeqId": 7, ...}]}
    action: str = ""
    data: list[_OkxRow] = []


class _Diff(msgspec.Struct):  # {"e": "depthUpdate", "U": 157, "u": 160, "pu": 149, ...}; REST: {"lastUpdateId": 160}
    U: int | None = None
    u: int | None = None
    pu: int | None = None
    lastUpdateId: int | None = None  # noqa: N815


class _Binance(_Diff):
    data: _Diff | None = None  # {"stream": "btcusdt@depth", "data": {...}}


class _BybitData(msgspec.Struct):
    u: int | None = None


class _Bybit(msgspec.Struct):  # {"topic": "orderbook.50.BTCUSDT", "type": "delta", "data": {"u": 177400507, ...}}
    type: str = ""
    data: _BybitData | None = None


_okx_message = msgspec.json.Decoder(_Okx)
_binance_message = msgspec.json.Decoder(_Binance)
_bybit_message = msgspec.json.Decoder(_Bybit)


def _okx(text: bytes) -> BookStep | None:
    message = _okx_message.decode(text)
    if not message.data:
        return None
    first, last = message.data[0].prevSeqId, message.data[-1].seqId
    return None if first is None or last is None else BookStep(first, last, message.action == "snapshot")


def _binance(text: bytes) -> BookStep | None:
    message = _binance_message.decode(text)
    diff = message.data or message
    if diff.lastUpdateId is not None:
        return BookStep(-1, diff.lastUpdateId, whole=True)
    if diff.U is None or diff.u is None:
        return None
    return BookStep(diff.U - 1 if diff.pu is None else diff.pu, diff.u)


def _bybit(text: bytes) -> BookStep | None:
    message = _bybit_message.decode(text)
    if message.data is None or message.data.u is None:
        return None
    return BookStep(message.data.u - 1, message.data.u, message.type == "snapshot")


STEPS: Final[dict[str, Steps]] = {
    "okx": _okx,
    "okxus": _okx,
    "myokx": _okx,
    "binance": _binance,
    "binanceusdm": _binance,
    "binanceus": _binance,
    "bybit": _bybit,
}
