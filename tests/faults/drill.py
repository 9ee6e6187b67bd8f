"""One drill: a collector records thousands of known trades while things break, then everything is counted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tally import Check, Span, of_candles, of_gaps, of_prints
from theatre import Theatre

from onetape.domain.units import MINUTE
from onetape.storage.pool import open_pool

_LOOK_S = 0.5
_QUIET_S = 1.5
_PATIENCE_S = 60.0

Deed = tuple[float, Callable[[Theatre], Coroutine[Any, Any, None]]]


async def play(theatre: Theatre, deeds: Sequence[Deed]) -> None:
    """From the first subscription on, each deed at its second. What is counted ends when all is over, the collector
    listens again and has done so for a moment; the exchange goes on trading after that, as exchanges do."""
    theatre.collector.start()
    watching = asyncio.create_task(theatre.watch())
    try:
        await theatre.listening()
        async with asyncio.TaskGroup() as tasks:
            for at_s, deed in deeds:
                tasks.create_task(_later(theatre, at_s, deed))
            tasks.create_task(asyncio.sleep(theatre.faults_s))
        async with asyncio.timeout(_PATIENCE_S):
            while not theatre.venue.lines():
                await asyncio.sleep(0.05)
        await asyncio.sleep(_QUIET_S)
        theatre.counted_until = theatre.venue.now() // 1_000 * 1_000
    finally:
        watching.cancel()


async def _later(theatre: Theatre, at_s: float, deed: Callable[[Theatre], Coroutine[Any, Any, None]]) -> None:
    await asyncio.sleep(at_s)
    await deed(theatre)


async def count(theatre: Theatre, patience_s: float, needed: Callable[[Check], bool] = lambda _: True) -> list[Check]:
    """All checks, once those that are needed hold, or patience has ended. The collector goes on repairing meanwhile."""
    give_up = time.monotonic() + patience_s
    async with _pool(theatre) as pool:
        while True:
            theatre.collector.look()
            checks = await _checks(theatre, pool)
            if all(check.held for check in checks if needed(check)) or time.monotonic() > give_up:
                return checks
            await asyncio.sleep(_LOOK_S)


async def _checks(theatre: Theatre, pool: Any) -> list[Check]:
    venue, found = theatre.venue, []
    for symbol in theatre.pairs:
        since = venue.listened_since(symbol)
        assert since is not None
        span = Span(symbol, since, theatre.counted_until)
        found += await of_prints(pool, venue, span)
        found.append(
            await of_candles(pool, venue, Span(symbol, since // MINUTE * MINUTE, theatre.counted_until - MINUTE))
        )
    found.append(await of_gaps(pool))
    ends = theatre.collector.ended_alone
    figures = f"{theatre.collector.deaths} killed, ended alone: {ends}"
    found.append(Check("no process ended by itself", not ends, figures))
    return found


@asynccontextmanager
async def _pool(theatre: Theatre) -> AsyncIterator[Any]:
    pool = await open_pool(theatre.database.url)
    try:
        yield pool
    finally:
        await pool.close()


def table(checks: Sequence[Check]) -> str:
    return "\n".join(f"{'ok ' if check.held else 'NOT'}  {check.name:<30} {check.figures}" for check in checks)
