"""Bots as they are configured, from stored candles: prepared, counted, run together. The command line and the jobs ask
here; fleet.py runs what is prepared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from onetape.backtest import fleet
from onetape.backtest.candles import Chosen, choose, instrument_of
from onetape.backtest.counting import Planned, counted_runs
from onetape.backtest.fleet import member_of, spec_of
from onetape.backtest.holdout import Allowed, allowed
from onetape.backtest.margin import settled
from onetape.backtest.means import Means
from onetape.backtest.together import Group, Member
from onetape.backtest.wish import FleetWish, span_of
from onetape.core.many import CommonLimits
from onetape.domain import jobs
from onetape.domain.accounts import Terms
from onetape.domain.bots import BotSpec
from onetape.domain.jobs import Progress
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


class FleetJob(msgspec.Struct, frozen=True, kw_only=True):
    """The wish of a job: the bots as they were when it was asked for, not as their files are when it begins."""

    bots: list[BotSpec]
    wish: FleetWish

    def fleet(self) -> Fleet:
        """Raises BadInput with the path of what makes no sense."""
        asked = self.wish
        limits = fleet.limits_of(asked.max_exposure, asked.max_positions, asked.max_drawdown, at)
        named = {bot.name: bot for bot in self.bots}
        return Fleet(named, *span_of(asked.start, asked.end), limits, fleet.cash_of(asked.one_account, at))


def at(name: str) -> str:
    return f"$.{name}"


async def fleet_job(means: Means, asked: FleetJob, progress: jobs.Say) -> str:
    """The id of the stored run."""
    steps = 2 * len(asked.bots) + 1
    told: list[str] = []

    def say(text: str) -> None:
        told.append(text)
        progress(Progress(fraction=min(0.9, len(told) / steps), text=text))

    group = await run(means, asked.fleet(), say)
    assert not isinstance(group, str)  # nobody was asked to prove anything: the desk has
    await means.runs.put(group.whole)
    return group.whole.run_id


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
