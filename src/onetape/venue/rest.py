"""The REST side: /api/v5 market and public data in the exchange's envelopes, with its paging, limits and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, NoReturn

from aiohttp import web

from onetape.domain.units import MINUTE
from onetape.venue import wire
from onetape.venue.bars import REST_BARS, Bar
from onetape.venue.floor import Floor
from onetape.venue.limits import Allowance, SlidingLog
from onetape.venue.tape import Row, Tape

Query = Mapping[str, str]
Data = list[object]
Answer = Callable[[Floor, Query], Data]

PREFIX: Final = "/api/v5"
_NEWEST_BARS: Final = 1_440
_FAR_MS: Final = 10**14
_TYPES: Final = ("SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION", "EVENTS")


class Refusal(Exception):
    """An error envelope."""

    def __init__(self, code: str, text: str, status: int = 200) -> None:
        self.code, self.text, self.status = code, text, status
        super().__init__(text)


class Endpoint(NamedTuple):
    answer: Answer
    allowance: Allowance
    per: str = ""  # a parameter that has a bucket of its own


def time_(floor: Floor, _: Query) -> Data:
    return [{"ts": wire.millis(floor.now())}]


def instruments(floor: Floor, query: Query) -> Data:
    kind = _kind(query)
    if kind == "OPTION" and not (query.get("instFamily") or query.get("uly")):
        raise Refusal("50014", "Parameter instFamily can not be empty.", 400)
    if wanted := query.get("instId"):
        tape = _tape(floor, query)
        return [wire.instrument(tape.listing)] if kind == "SPOT" and wanted == tape.listing.symbol else []
    return [wire.instrument(tape.listing) for tape in floor.tapes.values()] if kind == "SPOT" else []


def candles(floor: Floor, query: Query) -> Data:
    """The newest 1,440 bars, the running one first."""
    return _candles(floor, query, reach=_NEWEST_BARS)


def history_candles(floor: Floor, query: Query) -> Data:
    """Closed bars, as far back as the data go."""
    return _candles(floor, query, reach=None)


def _candles(floor: Floor, query: Query, reach: int | None) -> Data:
    tape, now = _tape(floor, query), floor.now()
    bar = REST_BARS.get(query.get("bar") or "1m")
    if bar is None:
        raise Refusal("51000", "Parameter bar error", 400)
    after, before = _whole(query, "after", _FAR_MS), _whole(query, "before", -1)
    limit = _limit(query, 300, 100)
    rows = _closed(tape, bar, now, after, before, limit, reach)
    running = tape.running(bar, now) if reach else None
    if running and before < running.open_ts // 1_000 < after:
        rows = [running, *rows][:limit]
    return [wire.candle(tape.listing, row) for row in rows]


def _closed(tape: Tape, bar: Bar, now: int, after: int, before: int, limit: int, reach: int | None) -> list[Row]:
    """The newest `limit` closed bars with before < open < after (milliseconds), newest first."""
    stop = min(bar.floor(min(now, tape.end_ts)), after * 1_000)
    start = max(bar.floor(tape.begin_ts), (before + 1) * 1_000)
    if reach:
        start = max(start, int(bar.opens(bar.back(now, reach), now + 1)[-reach:][0]))
    opens = bar.opens(max(start, bar.back(stop, limit + 1)), stop)[-limit:]
    return tape.bars(bar, opens)[::-1]


def trades(floor: Floor, query: Query) -> Data:
    tape = _tape(floor, query)
    newest = tape.latest_trades(floor.now(), _limit(query, 500, 100))
    return [wire.trade(tape.listing, t) for t in newest]


def history_trades(floor: Floor, query: Query) -> Data:
    """Pages by trade id (type 1) or by time (type 2)."""
    tape, now, limit = _tape(floor, query), floor.now(), _limit(query, 100, 100)
    by_time = (query.get("type") or "1") == "2"
    if by_time and query.get("before"):
        raise Refusal("50039", "The before parameter is not available for implementing timestamp pagination")
    after, before = _whole(query, "after", -1), _whole(query, "before", -1)
    until = now
    if after >= 0:
        until = min(now, after * 1_000 - 1 if by_time else tape.minute_of(after) + MINUTE - 1)
    found = tape.latest_trades(until, limit + 20) if until >= tape.begin_ts else []
    if not by_time:
        found = [t for t in found if (after < 0 or t.id < after) and t.id > before]
    return [wire.trade(tape.listing, t) for t in found[:limit]]


def ticker(floor: Floor, query: Query) -> Data:
    tape, now = _tape(floor, query), floor.now()
    return [wire.ticker(tape, floor.book(tape, now, 1), now)]


def tickers(floor: Floor, query: Query) -> Data:
    now = floor.now()
    if _kind(query) != "SPOT":
        return []
    return [wire.ticker(tape, floor.book(tape, now, 1), now) for tape in floor.tapes.values() if now >= tape.begin_ts]


def books(floor: Floor, query: Query) -> Data:
    tape, depth = _tape(floor, query), _whole(query, "sz", 1)
    if not 1 <= depth <= 400:
        raise Refusal("51000", "Parameter sz error", 400)
    return [wire.book(tape.listing, floor.book(tape, floor.now(), depth), depth)]


def mark_price(floor: Floor, query: Query) -> Data:
    _kind(query)
    wanted = query.get("instId")
    tapes = [_tape(floor, query)] if wanted else list(floor.tapes.values())
    return [wire.mark_price(tape, floor.now()) for tape in tapes]


def status(_: Floor, __: Query) -> Data:
    return []


def currencies(floor: Floor, _: Query) -> Data:
    names = dict.fromkeys(c for tape in floor.tapes.values() for c in (tape.listing.base, tape.listing.quote))
    no = dict.fromkeys(("canDep", "canWd", "canInternal", "mainNet", "needTag"), False)
    zero = dict.fromkeys(("fee", "minFee", "maxFee", "minDep", "minWd", "maxWd", "wdTickSz"), "0")
    return [{"ccy": name, "name": name, "chain": name, "logoLink": "", **no, **zero} for name in names]


def no_trading(_: Floor, __: Query) -> Data:
    raise Refusal("54072", "The simulated venue has market data only: it takes no orders.")


_ORDERS: Final = Allowance(60, 2)
ENDPOINTS: Final[dict[tuple[str, str], Endpoint]] = {
    ("GET", "/public/time"): Endpoint(time_, Allowance(10, 2)),
    ("GET", "/public/instruments"): Endpoint(instruments, Allowance(20, 2), "instType"),
    ("GET", "/public/mark-price"): Endpoint(mark_price, Allowance(10, 2), "instId"),
    ("GET", "/market/candles"): Endpoint(candles, Allowance(40, 2)),
    ("GET", "/market/history-candles"): Endpoint(history_candles, Allowance(20, 2)),
    ("GET", "/market/trades"): Endpoint(trades, Allowance(100, 2)),
    ("GET", "/market/history-trades"): Endpoint(history_trades, Allowance(20, 2)),
    ("GET", "/market/ticker"): Endpoint(ticker, Allowance(20, 2)),
    ("GET", "/market/tickers"): Endpoint(tickers, Allowance(20, 2)),
    ("GET", "/market/books"): Endpoint(books, Allowance(40, 2)),
    ("GET", "/system/status"): Endpoint(status, Allowance(1, 5)),
    ("GET", "/asset/currencies"): Endpoint(currencies, Allowance(12, 2)),
    ("POST", "/trade/order"): Endpoint(no_trading, _ORDERS),
    ("POST", "/trade/batch-orders"): Endpoint(no_trading, _ORDERS),
    ("POST", "/trade/cancel-order"): Endpoint(no_trading, _ORDERS),
    ("POST", "/trade/amend-order"): Endpoint(no_trading, _ORDERS),
}


def install(app: web.Application, floor: Floor, limited: bool) -> None:
    """Adds the REST routes to the application."""
    log = SlidingLog() if limited else None
    known = {path for _, path in ENDPOINTS}
    for (method, path), endpoint in ENDPOINTS.items():
        app.router.add_route(method, PREFIX + path, _handler(floor, path, endpoint, log))

    async def unknown(request: web.Request) -> web.Response:
        if request.path.removeprefix(PREFIX) in known:
            return _envelope([], "50115", "Invalid request method.", 405)
        return _envelope([], "404", "Not Found", 404)

    app.router.add_route("*", "/{path:.*}", unknown)


def _handler(
    floor: Floor, path: str, endpoint: Endpoint, log: SlidingLog | None
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        if floor.faults.delay_s:
            await asyncio.sleep(floor.faults.delay_s)
        query = {name: value for name, value in request.query.items() if value}
        try:
            _refuse_on_purpose(floor)
            key = f"{request.remote} {path} {query.get(endpoint.per, '')}"
            if log and not log.admit(key, endpoint.allowance):
                raise Refusal("50011", "Too Many Requests", 429)
            return _envelope(endpoint.answer(floor, query))
        except Refusal as refusal:
            return _envelope([], refusal.code, refusal.text, refusal.status)

    return handle


def _refuse_on_purpose(floor: Floor) -> None:
    faults = floor.faults
    if faults.refusals > 0:
        faults.refusals -= 1
        text = "Too Many Requests" if faults.refusal_code == "50011" else "Service temporarily unavailable."
        raise Refusal(faults.refusal_code, text, faults.refusal_status)


def _envelope(data: Data, code: str = "0", text: str = "", status: int = 200) -> web.Response:
    body = wire.encode({"code": code, "msg": text, "data": data})
    return web.Response(text=body, status=status, content_type="application/json")


def _tape(floor: Floor, query: Query) -> Tape:
    symbol = query.get("instId")
    if not symbol:
        raise Refusal("50014", "Parameter instId can not be empty.", 400)
    tape = floor.tapes.get(symbol)
    if tape is None:
        raise Refusal("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    if floor.now() < tape.begin_ts:
        raise Refusal("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
    return tape


def _kind(query: Query) -> str:
    kind = query.get("instType", "")
    if not kind:
        raise Refusal("50014", "Parameter instType can not be empty.", 400)
    if kind not in _TYPES:
        _wrong("instType")
    return kind


def _whole(query: Query, name: str, default: int) -> int:
    text = query.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        _wrong(name)
    return int(text)


def _limit(query: Query, most: int, default: int) -> int:
    """More than the most is answered with the most."""
    limit = _whole(query, "limit", default)
    if limit < 1:
        _wrong("limit")
    return min(limit, most)


def _wrong(name: str) -> NoReturn:
    raise Refusal("51000", f"Parameter {name} error", 400)
