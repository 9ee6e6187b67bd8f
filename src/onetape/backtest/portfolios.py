"""A portfolio strategy on stored candles of several symbols: prepared, counted and handed to portfolio.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from onetape.backtest import portfolio
from onetape.backtest.candles import Chosen, choose, instrument_of
from onetape.backtest.counting import Planned, counted_runs
from onetape.backtest.fleets import Gate, Say
from onetape.backtest.holdout import Allowed, allowed
from onetape.backtest.margin import settled
from onetape.backtest.means import Means
from onetape.backtest.together import Group
from onetape.domain.accounts import Terms
from onetape.domain.errors import BadInput, Conflict
from onetape.domain.frame import CandleFrame
from onetape.domain.recorded import Recorded
from onetape.domain.results import BacktestSpec, Result
from onetape.strategies.portfolio import Portfolio

Permit = Callable[[Chosen, BacktestSpec], Awaitable[Allowed]]  # what of the candles may be seen


class Read:
    """Candles and terms of all symbols, and where the period ends for all."""

    def __init__(self, spec: BacktestSpec) -> None:
        self.frames: dict[str, CandleFrame] = {}
        self.fills: dict[str, CandleFrame] = {}
        self.terms: dict[str, Terms] = {}
        self.recorded: dict[str, Recorded] = {}
        self.spec = spec
        self.may: Allowed | None = None

    def add(self, name: str, may: Allowed) -> None:
        self.frames[name], self.fills[name], self.terms[name] = may.chosen.frame, may.chosen.fills, may.spec.terms
        self.recorded[name] = may.chosen.recorded
        ends = [end for end in (self.spec.end_ts, may.spec.end_ts) if end is not None]
        self.spec = msgspec.structs.replace(self.spec, end_ts=min(ends, default=None))
        self.may = may


def symbols_of(text: str, field: str) -> list[str]:
    """`BTC-USDT,ETH-USDT`. Raises BadInput for less than two different ones."""
    names = [part.strip().upper().replace("/", "-") for part in text.split(",") if part.strip()]
    if len(set(names)) < max(len(names), 2):
        raise BadInput(field, text, "not two or more different symbols", "Write BTC-USDT,ETH-USDT.")
    return names


async def run(
    means: Means,
    spec: BacktestSpec,
    strategy: Portfolio,
    names: Sequence[str],
    say: Say,
    gate: Gate | None = None,
    permit: Permit | None = None,
) -> Group | str:
    """The strategy over all symbols; or why not, where it does not pass `gate`. It is one trial.

    Raises NotFound, BadInput for what is not there or too short, Conflict for what is sealed.
    """
    spec = msgspec.structs.replace(spec, strategy=strategy.name(), parameters=strategy.parameters(), symbol="")
    read = await candles_for(means, spec, strategy, names, say, permit)
    if gate is not None:
        say(f"verifying {strategy.name()} ...")
        found = gate(strategy, portfolio.common(read.frames))
        if found.failed:
            return f"{strategy.name()} did not pass the gate: {found.failed.evidence}"
    say("running ...")
    source_hash = means.registry.source_hash(strategy.name())
    asked = msgspec.structs.replace(read.spec, exchange="")  # each symbol's own is known
    group = await asyncio.to_thread(
        portfolio.run, asked, read.frames, read.fills, read.terms, strategy, source_hash, recorded=read.recorded
    )
    assert read.may is not None

    async def go() -> Result:
        return group.whole

    counted = msgspec.structs.replace(read.may.spec, end_ts=read.spec.end_ts)
    [whole] = await counted_runs(means.counter, read.may, [Planned(counted, source_hash, go)])
    if isinstance(whole, str):
        raise Conflict("the sealed part", ", ".join(names), "not to be opened", whole)
    return Group(whole, group.members)


async def candles_for(
    means: Means, spec: BacktestSpec, strategy: Portfolio, names: Sequence[str], say: Say, permit: Permit | None
) -> Read:
    async def may_see(chosen: Chosen, own: BacktestSpec) -> Allowed:
        return await allowed(means.counter.ledger, chosen, own)

    read = Read(spec)
    for name in names:
        say(f"loading candles of {name} ...")
        own = msgspec.structs.replace(spec, symbol=name)
        chosen = await choose(means.candles, own, strategy.history())
        instrument = await instrument_of(means.candles, chosen.frame.exchange, name)
        own = settled(msgspec.structs.replace(own, exchange=chosen.frame.exchange), instrument, "--leverage")
        chosen = await means.recording(chosen, own)
        read.add(name, await (permit or may_see)(chosen, own))
    return read
