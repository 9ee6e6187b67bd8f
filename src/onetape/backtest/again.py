"""Stored runs made again, of stored candles. What came out is compared by rerun.py."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from onetape.backtest.candles import Chosen, choose
from onetape.backtest.counting import counted_runs
from onetape.backtest.dispatch import planned
from onetape.backtest.holdout import allowed, sealed_note
from onetape.backtest.means import Means
from onetape.backtest.rerun import Changed, Rerun, as_then, compared, cut_as_then, warmup_of
from onetape.domain import jobs
from onetape.domain.errors import Conflict, NotFound
from onetape.domain.jobs import Progress
from onetape.ports import RunView, StoredRun

Say = Callable[[str], None]


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
    if changed := code_changed(means, stored.view):
        return Rerun(run_id=stored.view.run_id, same=False, ran=False, changed=changed)
    return await single(means, stored, say, from_file)


def code_changed(means: Means, view: RunView) -> list[Changed]:
    """Raises NotFound for a strategy that is not there any more, BadInput for parameters that it does not take."""
    means.registry.build(view.spec.strategy, view.spec.parameters)
    now, then = means.registry.source_hash(view.spec.strategy), view.manifest["strategy"]
    return [] if now == then else [Changed("strategy", "the strategy's code", then, now)]


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
