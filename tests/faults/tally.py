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
    name: str
    held: bool
    figures: str


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
    stored = await prints(database, span.symbol)
    truth = {each["tradeId"]: each for each in venue.prints(span.symbol, span.start_ts, span.end_ts)}
    known = stored.streamed.keys() | stored.requested.keys()
    missing = truth.keys() - known
    copies = [(id_, copy) for kind in stored[:2] for id_, copies in kind.items() for copy in copies]
    changed = [id_ for id_, copy in copies if id_ in truth and any(copy[name] != truth[id_][name] for name in _SAID)]
    holes = [int(truth[id_]["ts"]) * 1_000 for id_ in truth.keys() - stored.streamed.keys()]
    gaps = await database.fetch(
        "SELECT start_ts, end_ts FROM gaps WHERE symbol = $1 AND channel LIKE 'trades%'", span.symbol
    )
    unknown = [ts for ts in holes if not any(gap["start_ts"] <= ts <= gap["end_ts"] for gap in gaps)]
    of = f"{span.symbol}: "
    return [
        Check("every trade is stored", not missing, f"{of}{len(truth)} traded, {len(missing)} missing"),
        Check("no trade is changed", not changed, f"{of}{len(copies)} copies, {len(changed)} changed"),
        Check("no message is stored twice", not stored.twice, f"{of}{stored.frames} messages, {stored.twice} twice"),
        Check("every hole is a known gap", not unknown, f"{of}{len(holes)} in holes, {len(unknown)} in no gap"),
    ]


async def of_candles(database: Any, venue: Venue, span: Span, timeframe: str = "1m") -> Check:
    """Every candle that lies in the span, equal to the exchange's to the last digit."""
    rows = await database.fetch(
        "SELECT * FROM processed_market_data WHERE symbol = $1 AND timeframe = $2", span.symbol, timeframe
    )
    mine = {row["timestamp"]: tuple(row[n] for n in ("open", "high", "low", "close", "volume")) for row in rows}
    theirs = venue.bars(span.symbol, timeframe, span.start_ts, span.end_ts)
    wrong = [row[0] for row in theirs if mine.get(int(row[0]) * 1_000) != tuple(map(float, row[1:6]))]
    absent = sum(int(row[0]) * 1_000 not in mine for row in theirs)
    figures = f"{span.symbol}: {len(theirs)} of {timeframe}, {absent} missing, {len(wrong) - absent} different"
    return Check("candles equal the exchange's", not wrong, figures)


async def of_gaps(database: Any) -> Check:
    rows = await database.fetch("SELECT channel, closed_how FROM gaps")
    left = [row["channel"] for row in rows if row["closed_how"] is None]
    which = f" ({', '.join(f'{channel} {n}' for channel, n in sorted(Counter(left).items()))})" if left else ""
    return Check("every gap is closed", not left, f"{len(rows)} gaps, {len(left)} open{which}")
