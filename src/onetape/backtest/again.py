"""Stored runs made again, of stored candles. What came out is compared by rerun.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from onetape.backtest import fleet, portfolio
from onetape.backtest.candles import Chosen, choose
from onetape.backtest.counting import counted_runs
from onetape.backtest.dispatch import planned
from onetape.backtest.holdout import allowed, sealed_note
from onetape.backtest.means import Means
from onetape.backtest.rerun import Changed, Rerun, as_then, compared, cut_as_then, warmup_of
from onetape.backtest.together import Group
from onetape.core.many import CommonLimits
from onetape.domain import jobs
from onetape.domain.errors import BadInput, Conflict, NotFound
from onetape.domain.jobs import Progress
from onetape.domain.results import BacktestSpec, spec_from
from onetape.ports import RunView, StoredRun
from onetape.strategies.contract import signalling
from onetape.strategies.portfolio import Portfolio
from onetape.strategies.registry import Registry

Say = Callable[[str], None]
Part = tuple[str, BacktestSpec, Chosen, str]  # of several books: the name, the question, its candles, the code's hash


async def rerun_as_job(means: Means, run_id: str, progress: jobs.Say) -> str:
    """The job: a Rerun in the detail of its last progress, a sentence about it as its result."""
    found = await again(means, await means.runs.get(run_id), lambda text: progress(Progress(fraction=0.2, text=text)))
    progress(Progress(fraction=1.0, text="compared", detail=msgspec.to_builtins(found)))
    return found.sentence()


async def again(means: Means, stored: StoredRun, say: Say, from_file: Chosen | None = None) -> Rerun:
    """Runs it once more, unless a strategy's code is not the one that passed the gate then. `from_file` are the candles
    of a run that was made from a file.

    Raises NotFound for a strategy or candles that are not there any more, Conflict where they are sealed by now.
    """
    view = stored.view
    if changed := code_changed(means.registry, view):
        return Rerun(run_id=view.run_id, same=False, ran=False, changed=changed)
    if view.kind == "backtest":
        return await single(means, stored, say, from_file)
    if from_file is not None:
        raise BadInput("--file", view.run_id, f"a {view.kind}, which runs on stored candles", "Leave it out.")
    return await several(means, stored, say)


def code_changed(registry: Registry, view: RunView) -> list[Changed]:
    """What of the strategies' code is not what it was. Raises NotFound for a strategy that is not there any more,
    BadInput for parameters that it does not take, Conflict for several books from before they could be run again."""
    asked = [(view.spec, view.manifest.get("strategy", ""))]
    if view.kind == "fleet":
        asked = [(spec_from(book["spec"]), book["strategy"]) for book in books_of(view)]
    elif view.kind == "portfolio":
        asked = [(view.spec, books_of(view)[0]["strategy"])]
    changed = []
    for spec, then in asked:
        registry.build(spec.strategy, spec.parameters)
        now = registry.source_hash(spec.strategy)
        if now != then:
            changed.append(Changed("strategy", f"the code of {spec.strategy}", then, now))
    return changed


def books_of(view: RunView) -> list[dict[str, Any]]:
    """How each of several books was asked. Raises Conflict where a run does not tell it."""
    books: list[dict[str, Any]] = view.manifest.get("books", [])
    if not books:
        problem = "made before several books together could be made again"
        raise Conflict("RUN", view.run_id, problem, "Run it once more, and compare: onetape runs diff.")
    return books


async def several(means: Means, stored: StoredRun, say: Say) -> Rerun:
    view = stored.view
    parts: list[Part] = []
    for book in books_of(view):
        say(f"reading candles for {book['name']}")
        alone = RunView(run_id=view.run_id, spec=spec_from(book["spec"]), metrics={}, manifest=book)
        history = means.registry.build(alone.spec.strategy, alone.spec.parameters).history()
        chosen = cut_as_then(await stored_candles(means, alone, history), alone)
        chosen = await means.recording(chosen, alone.spec)
        parts.append((book["name"], alone.spec, chosen, book["strategy"]))
    say("running")
    made = fleet_again if view.kind == "fleet" else portfolio_again
    group = await asyncio.to_thread(made, means.registry, view, parts)
    return compared(stored, group.whole)


def fleet_again(registry: Registry, view: RunView, parts: Sequence[Part]) -> Group:
    shared: dict[tuple[str, str, str], Chosen] = {}  # bots of one market have the very same fill candles
    members = []
    for name, spec, chosen, source_hash in parts:
        market = shared.setdefault((spec.exchange, spec.symbol, str(chosen.fills.timeframe)), chosen)
        seen = chosen._replace(fills=market.fills, recorded=market.recorded)
        strategy = signalling(registry.build(spec.strategy, spec.parameters))
        members.append(fleet.member_of(name, spec, seen, strategy, source_hash))
    given = view.spec.parameters
    limits = CommonLimits(**{name: given[name] for name in CommonLimits._fields if name in given})
    return fleet.run(members, limits, view.spec.cash if given.get("one_account") else None)


def portfolio_again(registry: Registry, view: RunView, parts: Sequence[Part]) -> Group:
    asked = msgspec.structs.replace(view.spec, symbol="", exchange="")
    strategy = registry.build(asked.strategy, asked.parameters)
    assert isinstance(strategy, Portfolio)
    return portfolio.run(
        asked,
        {name: chosen.frame for name, _, chosen, _ in parts},
        {name: chosen.fills for name, _, chosen, _ in parts},
        {name: spec.terms for name, spec, _, _ in parts},
        strategy,
        parts[0][3],
        recorded={name: chosen.recorded for name, _, chosen, _ in parts},
    )


async def single(means: Means, stored: StoredRun, say: Say, from_file: Chosen | None) -> Rerun:
    view, spec = stored.view, stored.view.spec
    strategy = means.registry.build(spec.strategy, spec.parameters)
    say("reading candles")
    candles = cut_as_then(from_file or await stored_candles(means, view, strategy.history()), view)
    if from_file is None:
        candles = await means.recording(candles, spec)
    opened = bool(view.manifest.get("holdout", {}).get("open"))
    may = await allowed(means.counter.ledger, candles, spec, opened)
    plan = planned(strategy, means.registry.source_hash(spec.strategy), may, say)
    [now] = await counted_runs(means.counter, may, [plan])
    if isinstance(now, str):
        raise Conflict("RUN", view.run_id, "made on a sealed part", now)
    return compared(stored, now, sealed_note(now.manifest) if may.spec != spec else [])


async def stored_candles(means: Means, view: RunView, warmup: int) -> Chosen:
    try:
        return await choose(as_then(means.candles, view), view.spec, warmup_of(view, warmup))
    except NotFound as error:
        problem = f"made of candles that are not stored ({error.problem})"
        remedy = "If it was run from a file, name that: onetape runs rerun RUN --file FILE."
        raise NotFound("RUN", view.run_id, problem, remedy) from None
