"""One drill: a collector records thousands of known trades while things break, then everything is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
from bars import of_audit, of_built, of_corrections, of_read, shown_wrong
from books import of_books
from said import of_messages
from tally import Check, Span, of_candles, of_gaps, of_prints
from theatre import Theatre

from onetape.domain.units import MINUTE
from onetape.storage.pool import open_pool, speak_domain

_LOOK_S = 0.5
_GLANCE_S = 0.1
_QUIET_S = 1.5
_PATIENCE_S = 60.0
_CONTRACT = 0.1  # base units of a contract at the prices of these instruments
_VENUES = ("1m", "5m")

Deed = tuple[float, Callable[[Theatre], Coroutine[Any, Any, None]]]


async def play(theatre: Theatre, deeds: Sequence[Deed]) -> None:
    """Once every stream is recorded, each fault and each deed at its second. What is counted ends when all is over, the
    collector listens again and has done so for a moment; the exchange goes on trading after that, as exchanges do."""
    theatre.program.start()
    watching = asyncio.gather(theatre.watch(), _watch_candles(theatre))
    try:
        await theatre.listening()
        await _recording(theatre)
        async with asyncio.TaskGroup() as tasks:
            for fault in theatre.faults:
                tasks.create_task(_later(fault.at_s, partial(theatre.venue.inject, fault)))
            for at_s, deed in deeds:
                tasks.create_task(_later(at_s, partial(deed, theatre)))
        async with asyncio.timeout(_PATIENCE_S):
            while not theatre.venue.lines():
                await asyncio.sleep(0.05)
        await asyncio.sleep(_QUIET_S)
        theatre.counted_until = theatre.venue.now() // 1_000 * 1_000
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _recording(theatre: Theatre) -> None:
    """Returns when a message of each stream is stored: what is lost before that has no beginning."""
    async with asyncio.timeout(_PATIENCE_S), connected(theatre) as pool:
        while True:
            rows = await pool.fetch("SELECT DISTINCT symbol, channel FROM raw_market_data")
            if theatre.streams() <= {(row["symbol"], row["channel"]) for row in rows}:
                return
            await asyncio.sleep(_GLANCE_S)


async def _later(at_s: float, work: Callable[[], Awaitable[None]]) -> None:
    await asyncio.sleep(at_s)
    await work()


async def _watch_candles(theatre: Theatre) -> None:
    """Until cancelled: which candles the table had wrong, before the exchange told them right."""
    while True:
        try:
            one = await asyncpg.connect(theatre.database.url)
            try:
                await speak_domain(one)
                while True:
                    await shown_wrong(one, theatre.journal.revised, theatre.shown_wrong)
                    await asyncio.sleep(_GLANCE_S)
            finally:
                one.terminate()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.sleep(_LOOK_S)


async def count(theatre: Theatre, patience_s: float) -> list[Check]:
    """All checks, once they hold, or patience has ended. The collector goes on repairing meanwhile: what it repairs is
    looked at first, the messages of all channels (much to read) afterwards."""
    give_up = time.monotonic() + patience_s
    async with connected(theatre) as pool:
        while True:
            theatre.program.look()
            checks = await _repaired(theatre, pool)
            if held(checks) or time.monotonic() > give_up:
                break
            await asyncio.sleep(_LOOK_S)
        while True:
            rest = await _recorded(theatre, pool)
            if held(rest) or time.monotonic() > give_up:
                break
            await asyncio.sleep(_LOOK_S)
        return [*await _repaired(theatre, pool), *rest, await _alive(theatre)]


def held(checks: Sequence[Check]) -> bool:
    return all(check.held for check in checks)


async def _repaired(theatre: Theatre, pool: Any) -> list[Check]:
    venue, found = theatre.venue, []
    for symbol in theatre.symbols:
        span = _span(theatre, symbol)
        found += await of_prints(pool, venue, span)
        whole = span._replace(start_ts=span.start_ts // MINUTE * MINUTE, end_ts=span.end_ts - MINUTE)
        found += [await of_candles(pool, venue, whole, timeframe) for timeframe in _VENUES]
        contract = _CONTRACT if symbol in theatre.swaps else 1.0
        inner = span._replace(start_ts=span.start_ts + MINUTE, end_ts=span.end_ts - MINUTE)
        found.append(await of_built(pool, venue, inner, contract))
        found.append(await of_read(pool, venue, inner, contract))
    found.append(await of_gaps(pool))
    return found


def _span(theatre: Theatre, symbol: str) -> Span:
    since = theatre.venue.listened_since(symbol)
    assert since is not None
    return Span(symbol, since, theatre.counted_until)


async def _recorded(theatre: Theatre, pool: Any) -> list[Check]:
    journal, until = theatre.journal, theatre.counted_until
    found = await of_messages(pool, journal, until)
    for symbol in theatre.symbols:
        source = "trades_all"
        found.append(await of_books(pool, symbol, journal.moments, until))
        found.append(await of_audit(pool, symbol, source, journal.revised))
        found.append(await of_corrections(pool, symbol, journal.revised, theatre.shown_wrong))
    return found


async def _alive(theatre: Theatre) -> Check:
    program = theatre.program
    program.look()
    trouble = await asyncio.to_thread(program.trouble)
    figures = {"killed": sum(program.killed.values()), "ended alone": len(program.ended_alone)}
    return Check("no process ended by itself", trouble, not program.ended_alone and not trouble, figures)


@asynccontextmanager
async def connected(theatre: Theatre) -> AsyncIterator[Any]:
    pool = await open_pool(theatre.database.url)
    try:
        yield pool
    finally:
        await pool.close()


def table(checks: Sequence[Check]) -> str:
    """One line a check, added up over instruments; below it those that did not hold, one by one."""
    lines = []
    for name in dict.fromkeys(check.name for check in checks):
        mine = [check for check in checks if check.name == name]
        total = {key: sum(check.figures.get(key, 0) for check in mine) for key in mine[0].figures}
        lines.append(_line(name, held(mine), total))
        lines += [_line(f"    {check.of}", False, check.figures) for check in mine if not check.held]
    return "\n".join(lines)


def _line(name: str, ok: bool, figures: dict[str, int]) -> str:
    return f"{'ok ' if ok else 'NOT'}  {name:<38} " + ", ".join(f"{n:,} {key}" for key, n in figures.items())
