"""From a wish to a search that is done and kept: the gate, the ledger, the sweep, and the recommended trial in full.

Knows ports and strategies; where the candles come from is decided outside (or by `searching`, for jobs)."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from onetape.backtest.counting import judged
from onetape.backtest.dispatch import run, single
from onetape.backtest.holdout import Allowed, data_of
from onetape.backtest.search.sweep import Plan, Say, Sweep, planned, trial_id
from onetape.backtest.search.workers import Workers
from onetape.domain import trials as kinds
from onetape.domain.errors import Conflict, NotFound
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.searches import Search, SearchResult, SearchWish
from onetape.domain.trials import Trial, fingerprint
from onetape.ports import Clock, SearchStore, TrialLedger
from onetape.strategies.contract import AnyStrategy
from onetape.strategies.registry import Registry


class Stores(NamedTuple):
    """Where a search is counted and kept, and in whose name."""

    ledger: TrialLedger
    searches: SearchStore
    clock: Clock
    who: str


class Found(NamedTuple):
    """`best` is the recommended trial (or the highest, where none is) as a full run, judged with all trials of the
    search."""

    result: SearchResult
    best: Result | None


class Prepared(NamedTuple):
    """A search that may begin."""

    search: Search
    plan: Plan
    resumed: bool


async def begun_before(searches: SearchStore, search_id: str) -> Search | None:
    try:
        return await searches.get(search_id)
    except NotFound:
        return None


def first_strategy(registry: Registry, wish: SearchWish) -> AnyStrategy:
    """With the fixed parameters and the defaults of the others: what the gate looks at, and whose warm-up is loaded."""
    return registry.build(wish.spec.strategy, wish.spec.parameters, text=True)


def prepared(
    wish: SearchWish,
    registry: Registry,
    may: Allowed,
    stores: Stores,
    resumed: Search | None = None,
    search_id: str = "",
) -> Prepared:
    """Everything that may be refused is refused here, before anything is entered. Raises BadInput, NotFound; Conflict
    when a resumed search is about other code or data by now. A new search ends where the data end now, so that it can
    go on when more have come."""
    base = single(first_strategy(registry, wish))
    given = {name: value for name, value in base.parameters().items() if name in wish.spec.parameters}
    spec = msgspec.structs.replace(may.spec, strategy=wish.spec.strategy, parameters=given)
    plan = planned(wish, type(base), may.chosen, spec)
    data = data_of(may.chosen, may.spec)
    known = {name: getattr(may.spec, name) for name in ("exchange", "symbol", "timeframe")} | {"end_ts": data.end_ts}
    search = Search(
        id=search_id or secrets.token_hex(6),
        wish=msgspec.structs.replace(wish, spec=msgspec.structs.replace(wish.spec, **known)),
        source_hash=registry.source_hash(wish.spec.strategy),
        data=data,
        who=stores.who,
        created_ts=stores.clock.now(),
    )
    if resumed is None:
        return Prepared(search, plan, False)
    if resumed.walk:
        raise Conflict("--resume", resumed.id, "a walk-forward, not a search", "Begin it anew: onetape walkforward.")
    if (resumed.source_hash, resumed.data) != (search.source_hash, search.data):
        what = "code of the strategy" if resumed.source_hash != search.source_hash else "data"
        raise Conflict("--resume", resumed.id, f"begun with other {what}", "Begin a new search.")
    return Prepared(resumed, plan, True)


async def searched(
    made: Prepared,
    may: Allowed,
    stores: Stores,
    say: Say | None = None,
    workers: Callable[[Plan], Workers] | None = None,
) -> Found:
    """Searches, works out the recommended trial in full, keeps the answer. Cancelling it settles what was done; it can
    go on by its id later."""
    await stores.searches.begin(made.search)
    sweep = Sweep(made.search, made.plan, stores.ledger, stores.clock, say)
    result = await sweep.go(workers(made.plan) if workers else None, made.resumed)
    best = await whole(made, may, stores, result)
    await stores.searches.finish(made.search.id, found_document(result, best))
    return Found(result, best)


async def whole(made: Prepared, may: Allowed, stores: Stores, result: SearchResult) -> Result | None:
    """The trial to look at, run in full: it is in the ledger already and counts once."""
    number = result.recommended if result.recommended is not None else result.peak
    if number is None:
        return None
    parameters = result.trial(number).parameters
    spec = made.plan.ground.asked_of(parameters)
    strategy = made.plan.ground.strategy(parameters)
    chosen, code = may.chosen, made.search.source_hash
    ran = await asyncio.to_thread(run, spec, chosen.frame, chosen.fills, strategy, code, chosen.recorded)
    if may.note:
        ran = dataclasses.replace(ran, manifest=ran.manifest | {"holdout": may.note})
    return await judged(stores.ledger, _entered(made.search, spec, number), ran)


def _entered(search: Search, spec: BacktestSpec, number: int) -> Trial:
    return Trial(
        id=trial_id(search.id, number),
        kind=kinds.OPTIMISE,
        family=spec.strategy,
        fingerprint=fingerprint(spec, search.source_hash),
        data=search.data,
        timeframe=spec.timeframe,
        who=search.who,
        started_ts=search.created_ts,
    )


def found_document(result: SearchResult, best: Result | None) -> dict[str, Any]:
    """What is kept and shown as JSON: everything but the trials' daily returns."""
    shown = [msgspec.structs.replace(one, returns=b"", first_day=0) for one in result.trials]
    document: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(result, trials=shown), str_keys=True)
    for row in document["trials"]:
        del row["returns"], row["first_day"]
    return document | {
        "best_run": None if best is None else best.run_id,
        "best_metrics": None if best is None else best.metrics,
    }
