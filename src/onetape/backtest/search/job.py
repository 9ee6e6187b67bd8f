"""A search as a job: from a wish and the stored candles to what was found, beside the event loop. Knows ports only."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from onetape.backtest.candles import choose, instrument_of
from onetape.backtest.holdout import Allowed, allowed
from onetape.backtest.margin import settled
from onetape.backtest.search.answer import Found, Stores, first_strategy, prepared, searched
from onetape.backtest.search.sweep import Step
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.frame import CandleFrame
from onetape.domain.jobs import Progress, Say
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import Scored, Search, SearchWish
from onetape.domain.units import SECOND, Micros
from onetape.ports import CandleStore, RunStore, SearchStore
from onetape.strategies.contract import AnyStrategy
from onetape.strategies.gate import check
from onetape.strategies.registry import Registry

GATED: Final = 20_000  # candles that the gate looks at


async def search_job(
    search_id: str,
    wish: SearchWish,
    candles: CandleStore,
    runs: RunStore,
    registry: Registry,
    stores: Stores,
    say: Say,
) -> Found:
    """Searches, or goes on with the search of that id that was begun, and stores the recommended run.

    Cancelled, it settles what was done. Raises BadInput and NotFound for a wish that cannot be granted, before anything
    is entered, also when the gate does not hold.
    """
    begun = await begun_before(stores.searches, search_id)
    asked = begun.wish if begun else wish
    strategy = first_strategy(registry, asked)
    say(Progress(text="reading candles"))
    may = await opened(asked.spec, strategy, candles, stores)
    made = prepared(asked, registry, may, stores, begun, search_id)
    if begun is None:
        say(Progress(text="trying whether it looks ahead"))
        await asyncio.to_thread(must_pass, strategy, may.chosen.frame)
    found = await searched(made, may, stores, lambda step: say(told(step, stores.clock.now())))
    if found.best is not None:
        await runs.put(found.best)
    return found


async def begun_before(searches: SearchStore, search_id: str) -> Search | None:
    try:
        return await searches.get(search_id)
    except NotFound:
        return None


async def opened(spec: BacktestSpec, strategy: AnyStrategy, candles: CandleStore, stores: Stores) -> Allowed:
    """The candles, and what of them may be seen. A warm-up that grows with the parameters is found out trial by trial.

    Raises NotFound, BadInput; Conflict when all of them are sealed."""
    spec = msgspec.structs.replace(spec, timeframe=spec.timeframe or "1h")
    chosen = await choose(candles, spec, strategy.history())
    spec = msgspec.structs.replace(spec, exchange=chosen.frame.exchange)
    spec = settled(spec, await instrument_of(candles, spec.exchange, spec.symbol), "$.leverage")
    return await allowed(stores.ledger, chosen, spec)


def must_pass(strategy: AnyStrategy, frame: CandleFrame) -> None:
    """The gate. Raises BadInput with its evidence; too few candles to try it on are no reason."""
    report = check(strategy, frame.rows(0, max(GATED, 4 * strategy.warmup())))
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
