"""What is asked of several at once at the desk: strategies compared, bots together. Checked whole before it waits.

Knows the desk and what runs over the past."""

from __future__ import annotations

from typing import Final

import msgspec

from onetape.backtest.fleets import FleetJob
from onetape.backtest.wish import ComparisonWish, Entry, FleetWish
from onetape.bots.desk import Desk
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.jobs import Job
from onetape.domain.units import Timeframe
from onetape.marketdata import reading

COMPARE: Final = "compare"  # the kinds of jobs
FLEET: Final = "fleet"


async def compare(desk: Desk, wish: ComparisonWish, asked_by: str) -> Job:
    """A queued job. Raises BadInput, NotFound, also for a strategy that does not pass the gate or is there twice."""
    entries: list[Entry] = []
    exchange = ""
    for spec in wish.specs():
        entry = Entry(
            strategy=spec.strategy, parameters=desk.registry.build(spec.strategy, spec.parameters).parameters()
        )
        if entry in entries:
            raise BadInput("$.strategies", spec.strategy, "there twice with the same parameters", "Leave one out.")
        exchange = await desk.answerable(msgspec.structs.replace(spec, exchange=spec.exchange or exchange))
        entries.append(entry)
    return await desk.jobs.submit(
        COMPARE, msgspec.structs.replace(wish, strategies=entries, exchange=exchange), asked_by
    )


async def fleet(desk: Desk, wish: FleetWish, asked_by: str) -> Job:
    """A queued job with the bots as they are now. Raises BadInput, NotFound, also for a bot that does not pass the
    gate."""
    there = {view.spec.name: view.spec for view in await desk.bots.list()}
    names = wish.bots or sorted(there)
    if not names:
        raise NotFound("$.bots", [], "there are no bots", "Make one first.")
    if len(set(names)) < len(names):
        raise BadInput("$.bots", names, "names a bot twice", "Name each once.")
    for name in names:
        if name not in there:
            raise NotFound("$.bots", name, "no bot has this name", f"There are: {', '.join(sorted(there)) or 'none'}.")
    asked = FleetJob(bots=[there[name] for name in names], wish=wish)
    for name, bot in asked.fleet().bots.items():
        desk.registry.build(bot.strategy, bot.parameters)
        series = (bot.exchange, bot.symbol, bot.timeframe)
        await reading.source_timeframe(desk.candles, bot.exchange, bot.symbol, Timeframe.parse(bot.timeframe))
        await desk.must_pass(bot.strategy, bot.parameters, series, f"$.bots.{name}")
    return await desk.jobs.submit(FLEET, asked, asked_by)
