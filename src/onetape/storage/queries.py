"""Reads for people: lists with cursors, newest first, and the equity of a bot. Knows the pool and the SQL beside it."""

from __future__ import annotations

import math
from typing import Any

from onetape.domain.errors import BadInput
from onetape.domain.market import NONE_THERE, Origin
from onetape.domain.orders import Fill, Order, OrderKind, OrderStatus, Role, Side
from onetape.domain.units import Micros
from onetape.ports import Correction, EquityPoint, GapView, Only, OnlyGaps, OnlySeries, SignalView, Verdict
from onetape.storage import sql
from onetape.storage.pool import reading

MOST = 1000  # rows of one page


class PgQueries:
    """Fulfils ports.Queries."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def signals(self, only: Only) -> tuple[list[SignalView], str]:
        rows, following = await self._page("signals_page", only, int)
        return [_signal(row) for row in rows], following

    async def orders(self, only: Only) -> tuple[list[Order], str]:
        rows, following = await self._page("orders_page", only, str)
        return [_order(row) for row in rows], following

    async def fills(self, only: Only) -> tuple[list[Fill], str]:
        rows, following = await self._page("fills_page", only, str)
        return [_fill(row) for row in rows], following

    async def gaps(self, only: OnlyGaps) -> tuple[list[GapView], str]:
        cursor = _cursor(only.limit, only.before, int)
        asked = (only.exchange, only.symbol, only.channel, only.open, *cursor, only.limit + 1)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load("gaps_page"), *asked)
        page = [GapView(**row) for row in rows[: only.limit]]
        return page, f"{page[-1].start_ts}.{page[-1].id}" if len(rows) > only.limit else ""

    async def holes(
        self, start_ts: Micros | None = None, end_ts: Micros | None = None, cells: int | None = None
    ) -> list[GapView]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load("gaps_holes"), start_ts, end_ts, NONE_THERE, cells)
        return [GapView(**row) for row in rows]

    async def differences(self, only: OnlySeries) -> tuple[list[Verdict], str]:
        ts, key = _cursor(only.limit, only.before, str)
        place = str(key).split(" ") if key is not None else [None, None, None]
        if len(place) != 3:
            raise _no_cursor(only.before)
        asked = (only.exchange, only.symbol, only.timeframe, ts, *place, only.limit + 1)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load("audit_page"), *asked)
        page = [Verdict(**row) for row in rows[: only.limit]]
        if len(rows) <= only.limit:
            return page, ""
        last = page[-1]
        return page, f"{last.open_ts}.{last.exchange} {last.symbol} {last.timeframe}"

    async def corrections(self, only: OnlySeries) -> tuple[list[Correction], str]:
        _, number = _cursor(only.limit, only.before, int)
        asked = (only.exchange, only.symbol, only.timeframe, number, only.limit + 1)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load("corrections_page"), *asked)
        page = [_correction(row) for row in rows[: only.limit]]
        return page, f"{page[-1].made_ts}.{rows[only.limit - 1]['id']}" if len(rows) > only.limit else ""

    async def equity(self, bot: str, points: int = 2000) -> list[EquityPoint]:
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load("bot_equity"), bot, points)
        return [EquityPoint(row["timestamp"], row["equity"], row["balance"], row["qty"], row["price"]) for row in rows]

    async def _page(self, name: str, only: Only, kind: type[int] | type[str]) -> tuple[list[Any], str]:
        ts, key = _cursor(only.limit, only.before, kind)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(sql.load(name), only.bot, only.symbol, ts, key, only.limit + 1)
        page = rows[: only.limit]
        following = f"{page[-1]['timestamp']}.{page[-1]['id']}" if len(rows) > only.limit else ""
        return page, following


def _cursor(limit: int, before: str, kind: type[int] | type[str]) -> tuple[int | None, int | str | None]:
    """Time and key of the last row of the page before. Raises BadInput, for a limit that is none, too."""
    if not 1 <= limit <= MOST:
        raise BadInput("limit", limit, f"not from 1 to {MOST}", "Ask for more with the cursor `next`.")
    return read_cursor(before, kind) if before else (None, None)


def read_cursor(text: str, kind: type[int] | type[str]) -> tuple[int, int | str]:
    """`{micros}.{id}` of the last row of the page before. Raises BadInput."""
    ts, _, key = text.partition(".")
    try:
        return int(ts), kind(key)
    except ValueError:
        raise _no_cursor(text) from None


def _no_cursor(text: str) -> BadInput:
    return BadInput("before", text, "not a cursor", "Give the `next` of the page before, unchanged.")


def _correction(row: Any) -> Correction:
    known = {name: row[name] for name in ("exchange", "symbol", "timeframe", "open_ts", "before", "after", "made_ts")}
    return Correction(origin_before=Origin(row["origin_before"]), origin_after=Origin(row["origin_after"]), **known)


def _signal(row: Any) -> SignalView:
    return SignalView(
        id=row["id"],
        bot=row["bot"],
        ts=row["timestamp"],
        symbol=row["symbol"],
        target=math.nan if row["target"] is None else row["target"],
        confidence=row["confidence"],
        price=row["price"],
        tag=row["tag"],
        reason=row["reason"],
    )


def _order(row: Any) -> Order:
    return Order(
        id=row["id"],
        bot=row["bot"],
        exchange=row["exchange"],
        symbol=row["symbol"],
        kind=OrderKind(row["kind"]),
        side=Side(row["side"]),
        role=Role(row["role"]),
        qty=row["qty"],
        price=row["price"],
        reduce_only=row["reduce_only"],
        status=OrderStatus(row["status"]),
        filled_qty=row["filled_qty"],
        reason=row["reason"],
        ts=row["timestamp"],
    )


def _fill(row: Any) -> Fill:
    return Fill(
        id=row["id"],
        bot=row["bot"],
        order_id=row["order_id"],
        exchange=row["exchange"],
        symbol=row["symbol"],
        ts=row["timestamp"],
        side=Side(row["side"]),
        qty=row["qty"],
        price=row["price"],
        fee=row["fee"],
        role=Role(row["role"]),
        maker=row["maker"],
        slippage=row["slippage"],
        realised=row["realised"],
    )
