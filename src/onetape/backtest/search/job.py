"""A search as a job: from a wish and the stored candles to what was found, beside the event loop. Knows ports only."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any, Final

import msgspec

from onetape.backtest.candles import choose, instrument_of
from onetape.backtest.holdout import Allowed, allowed
from onetape.backtest.margin import settled
from onetape.backtest.means import Means
from onetape.backtest.search.answer import Found, Stores, begun_before, prepared, searched
from onetape.backtest.search.sweep import Step
from onetape.domain.errors import BadInput
from onetape.domain.jobs import Progress, Say
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import Scored, SearchWish
from onetape.domain.units import SECOND, Micros
from onetape.ports import SearchStore
from onetape.strategies.contract import AnyStrategy
from onetape.strategies.gate import check

GATED: Final = 20_000  # candles that the gate looks at


async def search_job(
    search_id: str, wish: SearchWish, means: Means, searches: SearchStore, proofs: Collection[str], say: Say
) -> Found:
    """Searches, or goes on with the search of that id that was begun, and stores the recommended run. `proofs` are the
    keys of what has passed the gate.

    Cancelled, it settles what was done. Raises BadInput and NotFound for a wish that cannot be granted, before anything
    is entered, also when the gate does not hold.
    """
    begun = await begun_before(searches, search_id)
    asked = begun.wish if begun else wish
    may = await opened(asked.spec, means, proofs, say)
    stores = stores_of(means, searches)
    made = prepared(asked, means.registry, may, stores, begun, search_id)
    found = await searched(made, may, stores, lambda step: say(told(step, stores.clock.now())))
    if found.best is not None:
        await means.runs.put(found.best)
    return found


def stores_of(means: Means, searches: SearchStore) -> Stores:
    return Stores(means.counter.ledger, searches, means.counter.clock, means.counter.who)


async def opened(spec: BacktestSpec, means: Means, proofs: Collection[str], say: Say) -> Allowed:
    """The candles, and what of them may be seen, for a strategy that passes the gate. A warm-up that grows with the
    parameters is found out trial by trial.

    Raises NotFound, BadInput; Conflict when all candles are sealed."""
    strategy = means.registry.build(spec.strategy, spec.parameters, text=True)
    say(Progress(text="reading candles"))
    spec = msgspec.structs.replace(spec, timeframe=spec.timeframe or "1h")
    chosen = await choose(means.candles, spec, strategy.history())
    spec = msgspec.structs.replace(spec, exchange=chosen.frame.exchange)
    spec = settled(spec, await instrument_of(means.candles, spec.exchange, spec.symbol), "$.leverage")
    chosen = await means.recording(chosen, spec)
    may = await allowed(means.counter.ledger, chosen, spec)
    if means.registry.proof_key(strategy) not in proofs:
        say(Progress(text="trying whether it looks ahead"))
        await asyncio.to_thread(must_pass, strategy, may)
    return may


def must_pass(strategy: AnyStrategy, may: Allowed) -> None:
    """The gate. Raises BadInput with its evidence; too few candles to try it on are no reason."""
    report = check(strategy, may.chosen.frame.rows(0, max(GATED, 4 * strategy.warmup())))
    if report.failed and report.candles > report.warmup:
        evidence = report.failed.evidence.rstrip(".")
        raise BadInput("$.strategy", strategy.name(), f"it does not pass the gate. {evidence}")


def told(step: Step, now: Micros) -> Progress:
    """How far a search is, with the best trial so far."""
    return Progress(
        fraction=step.done / step.total if step.total else 0.0,
        text=f"{step.done:,} of {step.total:,} trials",
        counts={"done": step.done, "total": step.total, "failed": step.failed},
        eta_ts=0 if step.left_s is None else now + round(step.left_s * SECOND),
        detail={"best": None if step.best is None else best_of(step.best)},
    )


def best_of(one: Scored) -> dict[str, Any]:
    return {"number": one.number, "parameters": one.parameters, "values": list(one.values)}
