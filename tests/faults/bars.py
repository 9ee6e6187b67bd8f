"""Candles that the exchange does not have, the verdicts of the audit, and the corrections of candles told twice."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from tally import Check, Span, gap_spans, volume

from onetape.domain.units import SECOND, Timeframe
from onetape.marketdata.reading import load
from onetape.storage.candles import PgCandleStore
from onetape.venue.journal import Revised
from onetape.venue.server import Venue

Row = tuple[float, float, float, float, float]
_FIELDS = ("open", "high", "low", "close", "volume")


def folded(venue: Venue, span: Span, length_s: int, contract: float) -> dict[int, Row]:
    """Buckets of the exchange's prints, whole ones only; a bucket without a print is none."""
    found: dict[int, Row] = {}
    length = length_s * SECOND
    first = -(-span.start_ts // length) * length
    for each in venue.prints(span.symbol, first - 1, span.end_ts // length * length - 1):
        ts, price, qty = int(each["ts"]) * 1_000 // length * length, float(each["px"]), float(each["sz"]) * contract
        o, h, l, _, v = found.get(ts, (price, price, price, price, 0.0))  # noqa: E741
        found[ts] = (o, max(h, price), min(l, price), price, v + qty)
    return found


async def of_built(database: Any, venue: Venue, span: Span, contract: float) -> Check:
    """Thirty seconds are built from trades and stored: equal, and none where nothing was traded."""
    due = folded(venue, span, 30, contract)
    rows = await database.fetch(
        'SELECT * FROM processed_market_data WHERE symbol = $1 AND timeframe = $2 AND "timestamp" BETWEEN $3 AND $4',
        span.symbol,
        "30s",
        min(due, default=0),
        max(due, default=0),
    )
    mine = {row["timestamp"]: tuple(row[name] for name in _FIELDS) for row in rows}
    return _compared("candles built from trades are right", f"{span.symbol} 30s", due, mine)


async def of_read(pool: Any, venue: Venue, span: Span, contract: float) -> Check:
    """Seven minutes are built where they are read, from the stored minutes."""
    due = folded(venue, span, 420, contract)
    frame = await load(
        PgCandleStore(pool), ("okx", span.symbol, Timeframe.parse("7m")), min(due, default=0), max(due, default=0) + 1
    )
    columns = (getattr(frame, name).tolist() for name in _FIELDS)
    mine = dict(zip(frame.ts.tolist(), zip(*columns, strict=True), strict=True))
    return _compared("candles built from minutes are right", f"{span.symbol} 7m", due, mine)


def _compared(name: str, of: str, due: dict[int, Row], mine: dict[int, Any]) -> Check:
    absent = sum(ts not in mine for ts in due)
    different = sum(ts in mine and not _same(row, mine[ts]) for ts, row in due.items())
    invented = len(mine.keys() - due.keys())
    figures = {"candles": len(due), "missing": absent, "different": different, "invented": invented}
    return Check(name, of, not (absent or different or invented) and bool(due), figures)


def _same(row: Row, mine: Row) -> bool:
    return row[:4] == mine[:4] and math.isclose(row[4], mine[4], rel_tol=1e-9)


async def of_audit(database: Any, symbol: str, source: str, revised: list[Revised]) -> Check:
    """Candles were compared, and every difference that was found is one that was put in: trades were lost (a gap), or
    the exchange told the candle wrong at first."""
    counts = await database.fetch("SELECT verdict, candles FROM candle_audit_counts WHERE symbol = $1", symbol)
    verdicts: Counter[str] = Counter()
    for row in counts:
        verdicts[row["verdict"]] += row["candles"]
    spans = await gap_spans(database, symbol, source)
    wrong = {(timeframe(one), int(one.first[0]) * 1_000) for one in revised if one.symbol == symbol}
    rows = await database.fetch('SELECT timeframe, "timestamp" FROM candle_audit WHERE symbol = $1', symbol)
    unexplained = 0
    for row in rows:
        start, length = row["timestamp"], Timeframe.parse(row["timeframe"]).micros
        touched = any(a < start + length and b >= start for a, b in spans)
        unexplained += not touched and (row["timeframe"], start) not in wrong
    equal, unjudged = verdicts["equal"], verdicts["not judged"]
    figures = {"equal": equal, "not judged": unjudged, "differ": len(rows), "unexplained": unexplained}
    return Check("the audit finds what is wrong", symbol, equal > 0 and not unexplained, figures)


Place = tuple[str, str, int]  # symbol, timeframe, open time


async def shown_wrong(database: Any, revised: list[Revised], seen: set[Place]) -> None:
    """Adds the candles that the table has now as they were told at first."""
    for one in revised[-20:]:
        place = _place(one)
        row = await database.fetchrow(
            'SELECT volume FROM processed_market_data WHERE symbol = $1 AND timeframe = $2 AND "timestamp" = $3', *place
        )
        if row is not None and row["volume"] == volume(one.symbol, one.first):
            seen.add(place)


async def of_corrections(database: Any, symbol: str, revised: list[Revised], seen: set[Place]) -> Check:
    """A candle that was told wrong, and was seen so in the table, has a row that says what it was before and after; and
    nothing else was corrected. (One that was told right before it was stored needs none.)"""
    rows = await database.fetch(
        'SELECT timeframe, "timestamp", before, after FROM candle_corrections WHERE symbol = $1 AND origin_before <> 1',
        symbol,
    )
    have = {(row["timeframe"], row["timestamp"]): (list(row["before"])[:5], list(row["after"])[:5]) for row in rows}
    told = {_place(one): one for one in revised if one.symbol == symbol}
    due = {place: (_numbers(one.first, symbol), _numbers(one.then, symbol)) for place, one in told.items()}
    shown = [place for place in due if place in seen]
    right = sum(have.get(place[1:]) == due[place] for place in shown)
    strange = sum(due.get((symbol, *key)) != numbers for key, numbers in have.items())
    figures = {"told wrong": len(due), "stored so": len(shown), "corrections": right, "others": strange}
    return Check("corrections tell what changed", symbol, right == len(shown) and not strange, figures)


def _place(one: Revised) -> Place:
    return one.symbol, timeframe(one), int(one.first[0]) * 1_000


def timeframe(one: Revised) -> str:
    return one.channel.removeprefix("candle").replace("H", "h")


def _numbers(row: list[str], symbol: str) -> list[float]:
    return [*(float(text) for text in row[1:5]), volume(symbol, row)]
