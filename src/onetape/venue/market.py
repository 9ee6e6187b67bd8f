"""Answers about one instrument's market: candles, prints, tickers, the book.

Paging as the exchange's: `after` is older, `before` newer, both exclusive.
"""

from __future__ import annotations

from typing import Final

from onetape.domain.units import DAY, MINUTE
from onetape.venue import wire
from onetape.venue.bars import MINUTE_BARS, REST_BARS, SECONDS, Bar
from onetape.venue.floor import Floor
from onetape.venue.query import Query, Refusal, index_of, kind_of, limit_of, tape_of, whole
from onetape.venue.traded import Market, Row

Data = list[object]

TRADES_KEPT: Final = 90 * DAY
_NEWEST_BARS: Final = 1_440
_MOST_PRICES: Final = 100  # rows of an index or a mark price
_FAR_MS: Final = 10**14


def candles(floor: Floor, query: Query) -> Data:
    """The newest 1,440 bars, the running one first."""
    return _candles(floor, query, reach=_NEWEST_BARS)


def history_candles(floor: Floor, query: Query) -> Data:
    """Closed bars, as far back as the data go."""
    return _candles(floor, query, reach=None)


def index_candles(floor: Floor, query: Query) -> Data:
    """Of an index (`BTC-USDT`): its price is the pair's, so its bars are the pair's without volumes."""
    return _prices(floor, index_of(floor, query), query, reach=_NEWEST_BARS)


def history_index_candles(floor: Floor, query: Query) -> Data:
    return _prices(floor, index_of(floor, query), query, reach=None)


def mark_price_candles(floor: Floor, query: Query) -> Data:
    """The mark price is the last print's."""
    return _prices(floor, tape_of(floor, query), query, reach=_NEWEST_BARS)


def history_mark_price_candles(floor: Floor, query: Query) -> Data:
    return _prices(floor, tape_of(floor, query), query, reach=None)


def _prices(floor: Floor, tape: Market, query: Query, reach: int | None) -> Data:
    """Rows without volumes, at most a hundred."""
    rows = _bars(floor, tape, query, reach, most=_MOST_PRICES)
    return [wire.price_candle(tape.listing, row) for row in rows]


def _candles(floor: Floor, query: Query, reach: int | None) -> Data:
    tape = tape_of(floor, query)
    return [wire.candle(tape.listing, row) for row in _bars(floor, tape, query, reach, most=300)]


def _bars(floor: Floor, tape: Market, query: Query, reach: int | None, most: int) -> list[Row]:
    now = floor.now()
    bar = (MINUTE_BARS if reach or most == _MOST_PRICES else REST_BARS).get(query.get("bar") or "1m")
    if bar is None:
        raise Refusal("51000", "Parameter bar error", 400)
    after, before = whole(query, "after", _FAR_MS), whole(query, "before", -1)
    limit = limit_of(query, most, 100)
    rows = _closed(tape, bar, now, after, before, limit, reach)
    running = tape.running(bar, now) if reach else None
    if running and before < running.open_ts // 1_000 < after:
        rows = [running, *rows][:limit]
    return rows


def _closed(tape: Market, bar: Bar, now: int, after: int, before: int, limit: int, reach: int | None) -> list[Row]:
    """The newest `limit` closed bars with before < open < after (milliseconds), newest first."""
    stop = min(bar.floor(min(now, tape.end_ts)), after * 1_000)
    start = max(bar.floor(tape.begin_ts), (before + 1) * 1_000)
    if bar.name == SECONDS:
        start = max(start, bar.floor(now - TRADES_KEPT))
    if reach:
        start = max(start, int(bar.opens(bar.back(now, reach), now + 1)[-reach:][0]))
    opens = bar.opens(max(start, bar.back(stop, limit + 1)), stop)[-limit:]
    return tape.bars(bar, opens)[::-1]


def trades(floor: Floor, query: Query) -> Data:
    tape = tape_of(floor, query)
    newest = tape.latest_trades(floor.now(), limit_of(query, 500, 100))
    return [wire.trade(tape.listing, t) for t in newest]


def history_trades(floor: Floor, query: Query) -> Data:
    """Pages by trade id (type 1) or by time (type 2)."""
    tape, now, limit = tape_of(floor, query), floor.now(), limit_of(query, 100, 100)
    by_time = (query.get("type") or "1") == "2"
    if by_time and query.get("before"):
        raise Refusal("50039", "The before parameter is not available for implementing timestamp pagination")
    after, before = whole(query, "after", -1), whole(query, "before", -1)
    until = now
    if after >= 0:
        until = min(now, after * 1_000 - 1 if by_time else tape.minute_of(after) + MINUTE - 1)
    found = tape.latest_trades(until, limit + 20) if until >= tape.begin_ts else []
    found = [t for t in found if t.ts_ms * 1_000 >= now - TRADES_KEPT]
    if not by_time:
        found = [t for t in found if (after < 0 or t.id < after) and t.id > before]
    return [wire.trade(tape.listing, t) for t in found[:limit]]


def ticker(floor: Floor, query: Query) -> Data:
    tape, now = tape_of(floor, query), floor.now()
    return [wire.ticker(tape, floor.book(tape, now, 1), now)]


def tickers(floor: Floor, query: Query) -> Data:
    now = floor.now()
    tapes = [tape for tape in floor.of_kind(kind_of(query)) if now >= tape.begin_ts]
    return [wire.ticker(tape, floor.book(tape, now, 1), now) for tape in tapes]


def books(floor: Floor, query: Query) -> Data:
    tape, depth = tape_of(floor, query), whole(query, "sz", 1)
    if not 1 <= depth <= 400:
        raise Refusal("51000", "Parameter sz error", 400)
    book = floor.book(tape, floor.now(), depth)
    if not len(book.asks.place) and not len(book.bids.place):  # a recording's, before a snapshot or after a break
        raise Refusal("50001", "Service temporarily unavailable. Try again later", 503)
    return [wire.book(tape.listing, book, depth)]
