"""Recordings of a market as messages of OKX's wire: read from lines of text, those of Binance USD-M converted.

Knows three kinds of lines: cryptofeed's (`1652459225.50: {...}`, seconds), hftbacktest's (`1723161255030314667 {...}`,
nanoseconds), both with the message as it was received, and messages that somebody else has read (`messages`).
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from onetape.domain.errors import BadInput
from onetape.domain.units import Micros
from onetape.venue.foreign import UNUSABLE, Converter, Told

_SECONDS: Final = ": "
_GZIP: Final = b"\x1f\x8b"


class Heard(NamedTuple):
    """A message when it was received."""

    recv_ts: Micros
    text: str


class Push(NamedTuple):
    """A message of the wire, to be sent at `ts` (venue time); `data` is its content."""

    ts: Micros
    symbol: str
    channel: str
    action: str
    data: list[Any]
    text: str


def read_file(path: Path) -> list[Push]:
    """Raises BadInput for a file that is no recording."""
    try:
        found = pushes(_lines(path))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BadInput("--recording", str(path), f"cannot be read ({error})", "Give a recording.") from error
    if not found:
        problem = "without a message of a market that is known here"
        raise BadInput("--recording", str(path), problem, "OKX v5 and Binance USD-M messages can be played.")
    return found


def _lines(path: Path) -> Iterator[Heard]:
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
    with gzip.open(path, "rt") if packed else path.open() as file:
        for line in file:
            if heard := _heard(line.rstrip("\n")):
                yield heard


def _heard(line: str) -> Heard | None:
    """None for lines about the connection itself."""
    stamp, _, text = line.partition(" ")
    if not text.startswith("{"):
        return None
    if stamp.endswith(":") and stamp[:-1].replace(".", "", 1).isdigit():
        return Heard(round(float(stamp[:-1]) * 1e6), text)
    return Heard(int(stamp) // 1_000, text) if stamp.isdigit() else None


def pushes(heard: Iterable[Heard]) -> list[Push]:
    """In the order of receipt. Times are moved as a whole so that no message is sent before what it tells happened."""
    converter, chain = Converter(), Chain()
    found: list[Push] = []
    for recv_ts, text in heard:
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            continue
        if not isinstance(message, dict):
            continue
        if "arg" in message and "data" in message:
            found += _own(recv_ts, message, text, chain)
        elif "event" not in message:
            found += [Push(recv_ts, *each) for each in _converted(converter, message)]
    ahead = max((_told_ts(push) - push.ts for push in found), default=0)
    return [push._replace(ts=push.ts + max(0, ahead)) for push in found]


def _converted(converter: Converter, message: dict[str, Any]) -> list[Told]:
    """A message that lacks something, or has no number where one belongs, is left out."""
    try:
        return converter.convert(message)
    except UNUSABLE:
        return []


def _own(recv_ts: Micros, message: dict[str, Any], text: str, chain: Chain) -> list[Push]:
    arg, data = message["arg"], message["data"]
    if not isinstance(arg, dict) or not isinstance(data, list) or not isinstance(arg.get("instId"), str):
        return []
    symbol, channel, action = arg["instId"], str(arg.get("channel")), str(message.get("action", ""))
    if channel == "books":
        text = chain.linked(symbol, action, data, text)
    return [Push(recv_ts, symbol, channel, action, data, text)]


def _told_ts(push: Push) -> Micros:
    last = push.data[-1] if push.data else None
    return int(last["ts"]) * 1_000 if isinstance(last, dict) and str(last.get("ts", "")).isdigit() else 0


class Chain:
    """Books recorded before 2023 have no sequence numbers; a client of today cannot follow them. They get some, and
    nothing else of the message is touched."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def linked(self, symbol: str, action: str, data: list[Any], text: str) -> str:
        if len(data) != 1 or not isinstance(data[0], dict) or "seqId" in data[0] or not text.endswith("}]}"):
            return text
        before = -1 if action == "snapshot" else self._last.get(symbol, 0)
        self._last[symbol] = seq = self._last.get(symbol, 0) + 1
        data[0] |= {"prevSeqId": before, "seqId": seq}
        return f'{text[:-3]},"prevSeqId":{before},"seqId":{seq}}}]}}'
