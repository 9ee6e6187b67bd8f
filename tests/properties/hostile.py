"""What no exchange should send, made of what they do send; and what can never be told of a market."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from onetape.domain.market import (
    Book,
    Candle,
    Forming,
    Funding,
    Index,
    Mark,
    MarketEvent,
    Print,
    Quote,
    RawFrame,
    VenueStatus,
)

FIRST_TS, LAST_TS = 0, 4_102_444_800_000_000  # 1970 to 2100
NASTY: list[Any] = [
    "", "0", "-1", "NaN", "nan", "Infinity", "-inf", "1e400", "-1e400", "1e-400", "0x10", "1_000", " 1", "1 ", "٣",
    "9" * 40, "1." + "0" * 400 + "1", "-0", "1e5", "null", "true", "\x00", "\ud800", "💥" * 50, "a" * 5_000,
    None, True, False, 0, -1, 10**18, -(10**18), 10**30, 1.5, -0.0, 1e308, [], {}, [[]], [None], {"a": []},
    ["1"] * 12, "253402300800000", "99999999999999999",
]  # fmt: skip


def impossible(event: MarketEvent) -> str:
    """What is wrong with an event, or nothing."""
    match event:
        case Print():
            return (
                _wrong_numbers(event.price)
                or _wrong_sizes(event.qty)
                or _wrong_time(event.ts)
                or ("" if event.id else "no id")
            )
        case Candle():
            prices = (event.open, event.high, event.low, event.close)
            return _wrong_numbers(*prices) or _wrong_sizes(event.volume, event.turnover) or _wrong_time(event.open_ts)
        case Forming():
            prices = (event.open, event.high, event.low, event.close)
            return _wrong_numbers(*prices) or _wrong_sizes(event.volume) or _wrong_time(event.open_ts)
        case Quote():
            return _wrong_sizes(event.bid, event.bid_qty, event.ask, event.ask_qty, event.last) or _wrong_time(event.ts)
        case Book():
            return _wrong_numbers(*(n for side in (event.bids, event.asks) for level in side for n in level))
        case Mark() | Index():
            return _wrong_numbers(event.price) or _wrong_time(event.ts)
        case Funding():
            return ("" if math.isfinite(event.rate) else "not finite") or _wrong_time(event.ts)
        case VenueStatus():
            return _wrong_time(event.ts)
        case _:
            return ""


def _wrong_numbers(*values: float) -> str:
    return "" if all(math.isfinite(value) and value > 0 for value in values) else f"not positive: {values}"


def _wrong_sizes(*values: float) -> str:
    return "" if all(math.isfinite(value) and value >= 0 for value in values) else f"negative or not finite: {values}"


def _wrong_time(ts: int) -> str:
    return "" if FIRST_TS <= ts <= LAST_TS else f"no time: {ts}"


def storable(raw: RawFrame) -> None:
    """What the table of messages can hold."""
    assert not _wrong_time(raw.ts), raw.data[:300]
    assert 0 <= raw.seq < 2**63


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document but its root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, messages: list[Any]) -> bytes:
    """A real message with one to three of its values replaced, removed or repeated."""
    message = copy.deepcopy(draw(st.sampled_from(messages)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(message)) or [()]))
        if not path:
            break
        parent: Any = message
        for key in path[:-1]:
            parent = parent[key]
        deed = draw(st.sampled_from(["replace", "replace", "replace", "remove", "repeat"]))
        if deed == "replace":
            value = draw(st.sampled_from(NASTY) | st.floats() | st.text(max_size=9) | st.integers())
            parent[path[-1]] = copy.deepcopy(value)
        elif deed == "remove":
            del parent[path[-1]]
        elif isinstance(parent, list):
            parent.append(copy.deepcopy(parent[path[-1]]))
    return json.dumps(message, separators=(",", ":")).encode("utf-8", "replace")


@st.composite
def damaged(draw: st.DrawFn, messages: list[Any]) -> bytes:
    """The bytes of a real message cut, overwritten or with others put in."""
    data = json.dumps(draw(st.sampled_from(messages)), separators=(",", ":")).encode()
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 20)))
    return (
        data[:start]
        + draw(st.binary(max_size=12) | st.sampled_from([b"null", b"NaN", b"1e999", b'"', b"}"]))
        + data[end:]
    )
