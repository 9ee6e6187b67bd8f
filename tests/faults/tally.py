"""Counts: what the exchange traded against what is stored, by nothing but the JSON of the stored messages."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

from onetape.venue.server import Venue

STREAMED = ("trades", "trades_all")
REQUESTED = ("trades_rest",)
_SAID = ("instId", "tradeId", "px", "sz", "side", "ts")


class Check(NamedTuple):
    """`of` is what was counted: an instrument, a channel. `figures` may be added up over all of them."""

    name: str
    of: str
    held: bool
    figures: dict[str, int]


class Stored(NamedTuple):
    """Of one instrument: prints by channel kind and id, and each time an id was stored on a streamed channel."""

    streamed: dict[str, list[dict[str, str]]]
    requested: dict[str, list[dict[str, str]]]
    twice: int
    frames: int


class Span(NamedTuple):
    symbol: str
    start_ts: int
    end_ts: int


def number(row: list[str], place: int) -> float:
    return float(row[place])


def volume(symbol: str, row: list[str]) -> float:
    """In base units: a pair's is the sixth field of a row, a contract's the seventh."""
    return number(row, 5 if symbol.count("-") == 1 else 6)


async def prints(database: Any, symbol: str) -> Stored:
    """Every print of the raw messages of an instrument."""
    rows = await database.fetch(
        "SELECT channel, data::text AS data FROM raw_market_data WHERE symbol = $1 AND channel = ANY ($2::text[])",
        symbol,
        [*STREAMED, *REQUESTED],
    )
    streamed: dict[str, list[dict[str, str]]] = {}
    requested: dict[str, list[dict[str, str]]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for row in rows:
        message = json.loads(row["data"])
        for each in message["data"] if isinstance(message, dict) else ():
            kind = requested if row["channel"] in REQUESTED else streamed
            kind.setdefault(each["tradeId"], []).append({name: each[name] for name in _SAID})
            if kind is streamed:
                seen[row["channel"], each["tradeId"]] += 1
    return Stored(streamed, requested, sum(n - 1 for n in seen.values()), len(rows))


async def of_prints(database: Any, venue: Venue, span: Span) -> list[Check]:
    """All of them stored, none twice, none changed, and every one that no stream brought inside a known gap."""
    of, stored = span.symbol, await prints(database, span.symbol)
    truth = {each["tradeId"]: each for each in venue.prints(span.symbol, span.start_ts, span.end_ts)}
    known = stored.streamed.keys() | stored.requested.keys()
    missing = truth.keys() - known
    copies = [(id_, copy) for kind in stored[:2] for id_, copies in kind.items() for copy in copies]
    changed = [id_ for id_, copy in copies if id_ in truth and any(copy[name] != truth[id_][name] for name in _SAID)]
    holes = [int(truth[id_]["ts"]) * 1_000 for id_ in truth.keys() - stored.streamed.keys()]
    spans = [span for channel in STREAMED for span in await gap_spans(database, of, channel)]
    unknown = [ts for ts in holes if not inside(spans, ts)]
    return [
        Check("every trade is stored", of, not missing, {"traded": len(truth), "missing": len(missing)}),
        Check("no trade is changed", of, not changed, {"copies": len(copies), "changed": len(changed)}),
        Check("no trade is stored twice", of, not stored.twice, {"messages": stored.frames, "twice": stored.twice}),
        Check("every hole is a known gap", of, not unknown, {"in holes": len(holes), "in no gap": len(unknown)}),
    ]


async def of_candles(database: Any, venue: Venue, span: Span, timeframe: str = "1m") -> Check:
    """Every candle that lies in the span, equal to the exchange's to the last digit."""
    rows = await database.fetch(
        "SELECT * FROM processed_market_data WHERE symbol = $1 AND timeframe = $2", span.symbol, timeframe
    )
    mine = {row["timestamp"]: tuple(row[n] for n in ("open", "high", "low", "close", "volume")) for row in rows}
    theirs = {
        int(row[0]) * 1_000: (*(number(row, i) for i in range(1, 5)), volume(span.symbol, row))
        for row in venue.bars(span.symbol, timeframe, span.start_ts, span.end_ts)
    }
    wrong = [ts for ts, row in theirs.items() if mine.get(ts) != row]
    absent = sum(ts not in mine for ts in theirs)
    figures = {"candles": len(theirs), "missing": absent, "different": len(wrong) - absent}
    return Check("candles equal the exchange's", f"{span.symbol} {timeframe}", not wrong, figures)


async def of_gaps(database: Any) -> Check:
    rows = await database.fetch("SELECT channel, closed_how FROM gaps")
    left = [row["channel"] for row in rows if row["closed_how"] is None]
    which = ", ".join(f"{channel} {n}" for channel, n in sorted(Counter(left).items()))
    return Check("every gap is closed", which, not left, {"gaps": len(rows), "open": len(left)})


async def gap_spans(database: Any, symbol: str, channel: str) -> list[tuple[int, int]]:
    rows = await database.fetch("SELECT start_ts, end_ts FROM gaps WHERE symbol = $1 AND channel = $2", symbol, channel)
    return [(row["start_ts"], row["end_ts"]) for row in rows]


def inside(spans: list[tuple[int, int]], ts: int) -> bool:
    return any(start <= ts <= end for start, end in spans)
