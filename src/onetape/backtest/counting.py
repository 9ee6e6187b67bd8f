"""No run without an entry in the ledger of trials: entered before, settled after, whatever becomes of it.

Knows the ledger's port and the domain; the block on luck is worked out with what the ledger says.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from onetape.backtest.holdout import Allowed, data_of, enter_opening
from onetape.backtest.luck.block import luck_of, with_luck
from onetape.backtest.metrics import daily_returns, day_ends
from onetape.backtest.report import with_report
from onetape.domain import trials
from onetape.domain.errors import Conflict
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.trials import DataKey, Settled, Trial
from onetape.domain.units import DAY, Micros
from onetape.ports import Clock, TrialLedger

SCORES: Final = ("total_return", "max_drawdown", "sharpe", "sortino", "calmar", "trades", "profit_factor")


class Counter(NamedTuple):
    """What runs are counted with."""

    ledger: TrialLedger
    clock: Clock
    who: str


class Planned(NamedTuple):
    """A run that passed its gate: the question with all parameters, the hash of its code, how it is answered."""

    spec: BacktestSpec
    source_hash: str
    go: Callable[[], Awaitable[Result]]


class Opened(NamedTuple):
    """The id to settle an opening by, or why it is refused; both empty when nothing is opened."""

    id: str
    refused: str


def trial_of(spec: BacktestSpec, data: DataKey, source_hash: str, kind: str, who: str, started_ts: Micros) -> Trial:
    """The entry for a run of `spec`, with all its parameters in it, on the stretch that its orders fill on."""
    return Trial(
        id=secrets.token_hex(8),
        kind=kind,
        family=spec.strategy,
        fingerprint=trials.fingerprint(spec, source_hash),
        data=data,
        timeframe=spec.timeframe,
        who=who,
        started_ts=started_ts,
    )


def settled_of(trial: Trial, result: Result, ended_ts: Micros) -> Settled:
    returns = daily_returns(result.tape, result.spec.cash)
    first = (int(result.tape.close_ts[day_ends(result.tape.candles)[0]]) - 1) // DAY
    return Settled(
        id=trial.id,
        state=trials.DONE,
        ended_ts=ended_ts,
        sharpe=result.metrics["sharpe"],
        scores=scores_of(result),
        first_day=first,
        returns=trials.pack_returns(returns),
    )


def scores_of(result: Result) -> dict[str, Any]:
    return {"run_id": result.run_id} | {name: result.metrics[name] for name in SCORES}


async def counted(ledger: TrialLedger, clock: Clock, trial: Trial, go: Callable[[], Awaitable[Result]]) -> Result:
    """Runs a trial that is entered, and settles it. One that raises or is cancelled is settled as aborted."""
    result: Result | None = None
    try:
        result = await go()
    finally:
        now = clock.now()
        aborted = Settled(id=trial.id, state=trials.ABORTED, ended_ts=now)
        await ledger.settle([aborted if result is None else settled_of(trial, result, now)])
    return result


async def judged(ledger: TrialLedger, trial: Trial, result: Result) -> Result:
    """The result of a settled trial with its report and its block on luck, among all trials that the ledger has now."""
    lucky = with_luck(result, await asyncio.to_thread(luck_of, result, await ledger.view(trial.data)))
    return await asyncio.to_thread(with_report, lucky)


async def counted_runs(counter: Counter, may: Allowed, planned: Sequence[Planned]) -> list[Result | str]:
    """The results of all that is planned, or why a run was refused. All are entered before the first one runs, and
    judged when the last one has ended: who compares three has tried three."""
    kind = trials.HOLDOUT if may.note.get("open") else trials.BACKTEST
    ledger, clock = counter.ledger, counter.clock
    entered = [
        trial_of(one.spec, data_of(may.chosen, one.spec), one.source_hash, kind, counter.who, clock.now())
        for one in planned
    ]
    openings = [await _opening(ledger, trial, may) for trial in entered]
    await ledger.reserve([trial for trial, opening in zip(entered, openings, strict=True) if not opening.refused])
    found: list[Result | str] = []
    for one, trial, opening in zip(planned, entered, openings, strict=True):
        if opening.refused:
            found.append(opening.refused)
            continue
        result = await counted(ledger, clock, trial, one.go)
        if opening.id:
            await ledger.opened(opening.id, scores_of(result))
        if may.note:
            noted: dict[str, Any] = {"holdout": may.note}
            result = dataclasses.replace(result, manifest=result.manifest | noted)
        found.append(result)
    return [
        one if isinstance(one, str) else await judged(ledger, trial, one)
        for trial, one in zip(entered, found, strict=True)
    ]


async def _opening(ledger: TrialLedger, trial: Trial, may: Allowed) -> Opened:
    if not may.note.get("open") or may.seal is None:
        return Opened("", "")
    try:
        return Opened(await enter_opening(ledger, trial, may.seal), "")
    except Conflict as refusal:
        return Opened("", str(refusal))
