"""Bots in PostgreSQL: what they are to do, what people wish, what they do. Knows the pool and the SQL beside it."""

from __future__ import annotations

from typing import Any

import msgspec

from onetape.domain.bots import BotSpec, BotStatus, BotView
from onetape.domain.errors import Conflict, NotFound
from onetape.storage import sql
from onetape.storage.pool import reading, transaction
from onetape.storage.trades import read_state

FIXED = ("exchange", "symbol", "capital", "mode")  # what a bot that has an account keeps for ever


class PgBotStore:
    """Fulfils ports.BotStore."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def put(self, spec: BotSpec) -> None:
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(sql.load("bot_lock"), spec.name)
            if row is not None:
                check_replaceable(spec, row)
            await connection.execute(sql.load("bot_put"), spec.name, spec)
            await _note(connection, "operator", "bot_described", spec.name, spec)

    async def wish(self, name: str, status: BotStatus) -> None:
        async with transaction(self._pool) as connection:
            if await connection.fetchval(sql.load("bot_wish"), name, str(status)) is None:
                raise unknown(name)
            await _note(connection, "operator", "bot_wished", name, {"status": status})

    async def report(self, name: str, status: BotStatus, reason: str = "") -> None:
        async with transaction(self._pool) as connection:
            if await connection.execute(sql.load("bot_report"), name, str(status), reason) != "UPDATE 0":
                await _note(connection, "trader", "bot_reported", name, {"status": status, "reason": reason})

    async def list(self) -> list[BotView]:
        async with reading(self._pool) as connection:
            return [_view(row) for row in await connection.fetch(sql.load("bot_list"), None)]

    async def get(self, name: str) -> BotView:
        async with reading(self._pool) as connection:
            row = await connection.fetchrow(sql.load("bot_list"), name)
        if row is None:
            raise unknown(name)
        return _view(row)

    async def delete(self, name: str) -> None:
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(sql.load("bot_lock"), name)
            if row is None or row["deleted"]:
                raise unknown(name)
            if row["wanted"] not in ("stopped", "halted"):
                raise Conflict("name", name, f"the bot is {row['status']}", f"`onetape bot stop {name}` first.")
            await connection.execute(sql.load("bot_delete"), name)
            await _note(connection, "operator", "bot_deleted", name, {})


async def _note(connection: Any, actor: str, kind: str, bot: str, detail: object) -> None:
    """The audit trail, in the transaction of what it tells."""
    await connection.execute(sql.load("event_add"), actor, kind, bot, detail)


def unknown(name: str) -> NotFound:
    return NotFound("name", name, "no bot has this name", "`onetape bot list` shows all bots.")


def check_replaceable(spec: BotSpec, row: Any) -> None:
    """Raises Conflict when the bot of that name may not be given this spec."""
    if row["deleted"]:
        if row["has_orders"]:
            raise Conflict(
                "$.name", spec.name, "the name of a deleted bot whose orders are kept under it", "Choose another name."
            )
        return
    if row["status"] not in ("stopped", "halted") or row["wanted"] not in ("stopped", "halted"):
        raise Conflict("$.name", spec.name, f"the bot is {row['status']}", f"`onetape bot stop {spec.name}` first.")
    before = msgspec.convert(row["spec"], BotSpec)
    for field in FIXED:
        if row["has_run"] and getattr(before, field) != getattr(spec, field):
            raise Conflict(
                f"$.{field}",
                getattr(spec, field),
                f"the bot has an account already, made with {getattr(before, field)}",
                "Create another bot.",
            )


def _view(row: Any) -> BotView:
    view = BotView(
        spec=msgspec.convert(row["spec"], BotSpec),
        status=BotStatus(row["status"]),
        wanted=BotStatus(row["wanted"]),
        reason=row["reason"],
        created_ts=row["created_at"],
        updated_ts=row["updated_at"],
    )
    state = read_state(row["state"])
    return (
        state.shown(view) if state else msgspec.structs.replace(view, cash=view.spec.capital, equity=view.spec.capital)
    )
