"""The REST side: /api/v5 market and public data in the exchange's envelopes, with its paging, limits and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, NoReturn

from aiohttp import web

from onetape.venue import market, public, wire
from onetape.venue.faults import REST, Faults, Kind
from onetape.venue.floor import Floor
from onetape.venue.limits import Allowance, SlidingLog
from onetape.venue.query import Query, Refusal

Data = list[object]
Answer = Callable[[Floor, Query], Data]

PREFIX: Final = "/api/v5"


class Endpoint(NamedTuple):
    answer: Answer
    allowance: Allowance
    per: str = ""  # a parameter that has a bucket of its own


_ORDERS: Final = Allowance(60, 2)
ENDPOINTS: Final[dict[tuple[str, str], Endpoint]] = {
    ("GET", "/public/time"): Endpoint(public.time_, Allowance(10, 2)),
    ("GET", "/public/instruments"): Endpoint(public.instruments, Allowance(20, 2), "instType"),
    ("GET", "/public/mark-price"): Endpoint(public.mark_price, Allowance(10, 2), "instId"),
    ("GET", "/public/funding-rate"): Endpoint(public.funding_rate, Allowance(10, 2), "instId"),
    ("GET", "/public/funding-rate-history"): Endpoint(public.funding_rate_history, Allowance(10, 2), "instId"),
    ("GET", "/market/index-tickers"): Endpoint(public.index_tickers, Allowance(20, 2)),
    ("GET", "/market/candles"): Endpoint(market.candles, Allowance(40, 2)),
    ("GET", "/market/history-candles"): Endpoint(market.history_candles, Allowance(20, 2)),
    ("GET", "/market/index-candles"): Endpoint(market.index_candles, Allowance(20, 2)),
    ("GET", "/market/history-index-candles"): Endpoint(market.history_index_candles, Allowance(10, 2)),
    ("GET", "/market/mark-price-candles"): Endpoint(market.mark_price_candles, Allowance(20, 2)),
    ("GET", "/market/history-mark-price-candles"): Endpoint(market.history_mark_price_candles, Allowance(20, 2)),
    ("GET", "/market/trades"): Endpoint(market.trades, Allowance(100, 2)),
    ("GET", "/market/history-trades"): Endpoint(market.history_trades, Allowance(20, 2)),
    ("GET", "/market/ticker"): Endpoint(market.ticker, Allowance(20, 2)),
    ("GET", "/market/tickers"): Endpoint(market.tickers, Allowance(20, 2)),
    ("GET", "/market/books"): Endpoint(market.books, Allowance(40, 2)),
    ("GET", "/system/status"): Endpoint(public.status, Allowance(1, 5)),
    ("GET", "/asset/currencies"): Endpoint(public.currencies, Allowance(12, 2)),
    ("POST", "/trade/order"): Endpoint(public.no_trading, _ORDERS),
    ("POST", "/trade/batch-orders"): Endpoint(public.no_trading, _ORDERS),
    ("POST", "/trade/cancel-order"): Endpoint(public.no_trading, _ORDERS),
    ("POST", "/trade/amend-order"): Endpoint(public.no_trading, _ORDERS),
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
        await asyncio.sleep(floor.faults.delay_s + floor.faults.wait_s(REST))
        query = {name: value for name, value in request.query.items() if value}
        try:
            _refuse_on_purpose(floor.faults, path.rsplit("/", 1)[1], query.get("instId", ""))
            key = f"{request.remote} {path} {query.get(endpoint.per, '')}"
            if log and not log.admit(key, endpoint.allowance):
                raise Refusal("50011", "Too Many Requests", 429)
            return _envelope(endpoint.answer(floor, query))
        except Refusal as refusal:
            return _envelope([], refusal.code, refusal.text, refusal.status)

    return handle


def _refuse_on_purpose(faults: Faults, endpoint: str, symbol: str) -> None:
    if faults.refusals > 0:
        faults.refusals -= 1
        _refuse(faults.refusal_code, faults.refusal_status)
    for fault in faults.of(Kind.REFUSE):
        if fault.concerns(REST, endpoint, symbol):
            _refuse(fault.code, fault.status)


def _refuse(code: str, status: int) -> NoReturn:
    text = "Too Many Requests" if code == "50011" else "Service temporarily unavailable."
    raise Refusal(code, text, status)


def _envelope(data: Data, code: str = "0", text: str = "", status: int = 200) -> web.Response:
    body = wire.encode({"code": code, "msg": text, "data": data})
    return web.Response(text=body, status=status, content_type="application/json")
