"""Bots as they are configured, from stored candles: prepared, counted, run together. The command line and the jobs ask
here; fleet.py runs what is prepared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from onetape.backtest import fleet
from onetape.backtest.candles import Chosen, choose, instrument_of
from onetape.backtest.counting import Planned, counted_runs
from onetape.backtest.fleet import member_of, spec_of
from onetape.backtest.holdout import Allowed, allowed
from onetape.backtest.margin import settled
from onetape.backtest.means import Means
from onetape.backtest.together import Group, Member
from onetape.core.many import CommonLimits
from onetape.domain.accounts import Terms
from onetape.domain.bots import BotSpec
from onetape.domain.results import Result
from onetape.domain.units import Micros, Money
from onetape.strategies.contract import Strategy, signalling
from onetape.strategies.gate import GateReport

Gate = Callable[[Any, Any], GateReport]  # of a strategy on its candles (by symbol for a portfolio)
Say = Callable[[str], None]


class Fleet(NamedTuple):
    """What is asked: `cash` is that of one account for all, None where each bot has its own."""

    bots: Mapping[str, BotSpec]
    start_ts: Micros | None = None
    end_ts: Micros | None = None
    limits: CommonLimits = CommonLimits()
    cash: Money | None = None


class Ready(NamedTuple):
    """A bot that may run: what of the candles it may see, and its signals."""

    member: Member
    may: Allowed


async def run(means: Means, asked: Fleet, say: Say, gate: Gate | None = None) -> Group | str:
    """All bots together; or why not, where one does not pass `gate`. Every bot's run is a trial on its market.

    Raises NotFound, BadInput for what is not there or too short, Conflict for what is sealed.
    """
    strategies = {
        name: signalling(means.registry.build(bot.strategy, bot.parameters)) for name, bot in asked.bots.items()
    }
    ready: list[Ready] = []
    shared: dict[tuple[str, str, str], Chosen] = {}
    for name, bot in asked.bots.items():
        say(f"loading candles for {name} ...")
        may = await candles_for(means, asked, bot, strategies[name], shared)
        if gate is not None:
            say(f"verifying {name} ...")
            found = gate(strategies[name], may.chosen.frame)
            if found.failed:
                return f"the strategy of {name} did not pass the gate: {found.failed.evidence}"
        source_hash = means.registry.source_hash(bot.strategy)
        ready.append(Ready(member_of(name, may.spec, may.chosen, strategies[name], source_hash), may))
    say("running ...")
    group = await asyncio.to_thread(fleet.run, [one.member for one in ready], asked.limits, asked.cash)
    for one in ready:
        await counted(means, one, group.members[one.member.name])
    return group


async def candles_for(
    means: Means, asked: Fleet, bot: BotSpec, strategy: Strategy, shared: dict[tuple[str, str, str], Chosen]
) -> Allowed:
    """What a bot may see; bots of one market share its fill candles and what was recorded beside them."""
    instrument = await instrument_of(means.candles, bot.exchange, bot.symbol)
    spec = settled(spec_of(bot, Terms(), asked.start_ts, asked.end_ts), instrument, f"bot {bot.name}")
    found = await choose(means.candles, spec, strategy.history())
    key = (bot.exchange, bot.symbol, str(found.fills.timeframe))
    if key not in shared:
        shared[key] = await means.recording(found, spec)
    chosen = found._replace(fills=shared[key].fills, recorded=shared[key].recorded)
    return await allowed(means.counter.ledger, chosen, spec)


async def counted(means: Means, bot: Ready, result: Result) -> None:
    async def go() -> Result:
        return result

    await counted_runs(means.counter, bot.may, [Planned(bot.member.spec, bot.member.source_hash, go)])
