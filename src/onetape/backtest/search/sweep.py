"""The search itself: asks for trials, enters them in the ledger, has them worked on, settles them, reads the scores.

Everything is entered before it runs and settled in batches; what was settled when the process died is neither lost nor
done again, and what was entered counts whatever became of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from onetape.backtest.candles import Chosen
from onetape.backtest.search.constraints import Rule, rule_of
from onetape.backtest.search.ground import Ground
from onetape.backtest.search.objectives import Objective, objectives_of
from onetape.backtest.search.reading import read
from onetape.backtest.search.spaces import Space, spaces_of
from onetape.backtest.search.walks import Accepts, Asked, Walk, most_of, size_of, walk_of
from onetape.backtest.search.workers import Done, Threads, Workers, cores
from onetape.domain import trials as kinds
from onetape.domain.errors import BadInput
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import GRID, METHODS, TPE, Scored, Search, SearchResult, SearchWish
from onetape.domain.trials import Settled, Trial, fingerprint
from onetape.ports import Clock, TrialLedger
from onetape.strategies.contract import AnyStrategy

BEAT: Final = 0.05  # seconds that a batch should take
SETTLE_EVERY: Final = 1.0  # seconds
LARGEST: Final = 512  # trials of a batch
SMALLEST: Final = 8  # that a batch is made to be


class Step(NamedTuple):
    """How far a search is. `best` is the best trial so far in the first objective; `left_s` None: nobody knows yet."""

    done: int
    total: int
    failed: int
    best: Scored | None
    left_s: float | None


Say = Callable[[Step], None]


class Plan(NamedTuple):
    """A search that can be begun: everything that may be refused was looked at."""

    ground: Ground
    spaces: tuple[Space, ...]
    accepts: Accepts


class Question(NamedTuple):
    """What a wish comes to without candles: what is looked for, where, under which rules, in how many trials."""

    objectives: tuple[Objective, ...]
    spaces: tuple[Space, ...]
    rules: tuple[Rule, ...]
    expected: int


def question(wish: SearchWish, kind: type[AnyStrategy]) -> Question:
    """Raises BadInput naming what cannot be used. `wish.spec` has the fixed parameters."""
    if wish.method not in METHODS:
        raise BadInput("--method", wish.method, "not a method", f"There are {', '.join(METHODS)}.")
    if wish.trials < 0 or wish.jobs < 0:
        raise BadInput("--trials", wish.trials, "not a positive number")
    objectives = objectives_of(wish.objectives)
    spaces = spaces_of(kind, wish.spaces, wish.spec.parameters)
    rules = tuple(rule_of(text, kind.__struct_fields__) for text in wish.constraints)
    expected = size_of(spaces, wish.trials) if wish.method == GRID else most_of(spaces, wish.trials)
    return Question(objectives, spaces, rules, expected)


def planned(wish: SearchWish, kind: type[AnyStrategy], candles: Chosen, spec: BacktestSpec) -> Plan:
    """Raises BadInput naming what cannot be used, before anything runs. `spec` has the fixed parameters."""
    objectives, spaces, rules, expected = question(msgspec.structs.replace(wish, spec=spec), kind)
    ground = Ground(kind, spec, candles, objectives, expected)

    def accepts(parameters: Mapping[str, Any]) -> bool:
        try:
            strategy = ground.strategy(parameters)
        except BadInput:
            return False
        whole = {name: getattr(strategy, name) for name in kind.__struct_fields__} if rules else {}
        return all(holds(whole) for holds in rules)

    return Plan(ground, spaces, accepts)


class Sweep:
    """One search, from its plan to its result."""

    def __init__(self, search: Search, plan: Plan, ledger: TrialLedger, clock: Clock, say: Say | None = None) -> None:
        self._search, self._plan, self._ledger, self._clock = search, plan, ledger, clock
        self._say = say or (lambda _: None)
        self._scored: dict[int, Scored] = {}
        self._unsettled: list[Scored] = []
        self._best: Scored | None = None
        self._size, self._busy, self._begun, self._fresh = 1, 0.0, 0.0, 0
        self._flushed = self.seconds = 0.0
        self._count, self._refused = 1, 0

    async def go(self, workers: Workers | None = None, resumed: bool = False) -> SearchResult:
        """The result. Cancelled, it settles what was done and lets the cancellation through."""
        scored = await self.scores(workers, resumed)
        found = await asyncio.to_thread(
            read, self._search, self._plan.spaces, self._plan.ground.objectives, scored, self._refused,
            (self.seconds, self._count, self.busy),
        )  # fmt: skip
        return msgspec.structs.replace(found, detail=self._plan.ground.used.told)

    async def scores(self, workers: Workers | None = None, resumed: bool = False) -> list[Scored]:
        """All trials, not read yet. Raises BadInput when none has a score."""
        started = await self._remembered() if resumed else ()
        walk = self._walk(started)
        crew = workers or Threads(self._plan.ground, self._search.wish.jobs or cores())
        self._count = crew.count
        self._begun = self._flushed = time.perf_counter()
        try:
            await self._work(walk, crew)
            self._tell(walk)  # only after the last question is it known how many there are
        finally:
            self.seconds = time.perf_counter() - self._begun
            try:
                await self._settle()  # first: whoever was cancelled has little time left
            finally:
                await asyncio.to_thread(crew.close)
        if not any(one.values for one in self._scored.values()):
            raise _nothing(self._scored, walk)
        self._refused = walk.refused
        return list(self._scored.values())

    @property
    def busy(self) -> float | None:
        """The share of the workers' time in which they worked; None when nothing was left to do."""
        return self._busy / (self.seconds * self._count) if self._fresh and self.seconds else None

    def _walk(self, started: Sequence[int]) -> Walk:
        wish, plan = self._search.wish, self._plan
        if wish.method == TPE:
            from onetape.backtest.search.guided import Guided

            return Guided(plan.spaces, plan.ground.objectives, plan.accepts, wish, list(self._scored.values()), started)
        return walk_of(wish.method, plan.spaces, plan.accepts, wish.trials, wish.seed, self._scored.keys())

    async def _remembered(self) -> list[int]:
        """Takes over what is settled already; gives the numbers of all that were entered."""
        numbers = []
        for trial_id, settled in await self._ledger.of_search(self._search.id):
            number = int(trial_id.rpartition("-")[2])
            numbers.append(number)
            if settled is not None and "parameters" in settled.scores:
                self._take(scored_of(number, settled))
        return numbers

    async def _work(self, walk: Walk, crew: Workers) -> None:
        """Keeps two batches for each worker on the way, so that none of them waits."""
        running: set[asyncio.Future[Done]] = set()
        asked = 0
        try:
            while True:
                while len(running) < 2 * crew.count and (batch := walk.ask(self._batch(walk.total - asked))):
                    asked += len(batch)
                    await self._reserve(batch)
                    running.add(asyncio.wrap_future(crew.submit(batch)))
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    self._finished(walk, one.result())
                if time.perf_counter() - self._flushed > SETTLE_EVERY:
                    await self._settle()
        finally:
            for one in running:
                one.cancel()

    def _batch(self, left: int) -> int:
        """Smaller ones towards the end, so that no worker has a long one when the others are done."""
        return 1 if self._search.wish.method == TPE else min(self._size, max(SMALLEST, left // (2 * self._count)))

    def _finished(self, walk: Walk, done: Done) -> None:
        if done.seconds < BEAT and self._search.wish.method != TPE:
            self._size = min(LARGEST, max(self._size, 2 * len(done.scored)), max(1, walk.total // 16))
        self._busy += done.seconds
        self._fresh += len(done.scored)
        for one in done.scored:
            self._take(one)
        self._unsettled += done.scored
        walk.tell(done.scored)
        self._tell(walk)

    def _take(self, one: Scored) -> None:
        self._scored[one.number] = one
        if not one.values or one.values[0] is None:
            return
        sign = self._plan.ground.objectives[0].sign
        if self._best is None or sign * one.values[0] > sign * (self._best.values[0] or 0.0):
            self._best = one

    def _tell(self, walk: Walk) -> None:
        done, total = len(self._scored), max(walk.total, len(self._scored))
        spent = time.perf_counter() - self._begun
        left = spent / self._fresh * (total - done) if self._fresh else None
        self._say(Step(done, total, sum(not one.values for one in self._scored.values()), self._best, left))

    async def _reserve(self, batch: Sequence[Asked]) -> None:
        now = self._clock.now()
        await self._ledger.reserve([self._trial(asked, now) for asked in batch])

    def _trial(self, asked: Asked, now: int) -> Trial:
        search, ground = self._search, self._plan.ground
        spec = ground.asked_of(asked.parameters)
        return Trial(
            id=trial_id(search.id, asked.number),
            kind=kinds.OPTIMISE,
            family=spec.strategy,
            fingerprint=fingerprint(spec, search.source_hash),
            data=search.data,
            timeframe=spec.timeframe,
            who=search.who,
            started_ts=now,
        )

    async def _settle(self) -> None:
        self._flushed = time.perf_counter()
        if not self._unsettled:
            return
        now, batch = self._clock.now(), self._unsettled
        await self._ledger.settle([settled_of(self._search.id, one, now) for one in batch])
        self._unsettled = self._unsettled[len(batch) :]


def trial_id(search_id: str, number: int) -> str:
    return f"{search_id}-{number:06d}"


def settled_of(search_id: str, one: Scored, now: int) -> Settled:
    """What the ledger keeps of a trial: enough to go on with the search from it alone."""
    return Settled(
        id=trial_id(search_id, one.number),
        state=kinds.DONE if one.values else kinds.ABORTED,
        ended_ts=now,
        sharpe=one.figures.get("sharpe"),
        scores=one.figures | {"parameters": one.parameters, "values": list(one.values), "error": one.error},
        first_day=one.first_day,
        returns=one.returns,
    )


def scored_of(number: int, settled: Settled) -> Scored:
    figures = dict(settled.scores)
    return Scored(
        number=number,
        parameters=figures.pop("parameters"),
        values=tuple(figures.pop("values")),
        error=figures.pop("error"),
        figures=figures,
        first_day=settled.first_day,
        returns=settled.returns,
    )


def _nothing(scored: Mapping[int, Scored], walk: Walk) -> BadInput:
    if not scored:
        return BadInput(
            "--space", walk.refused, "not one combination is left: the strategy or a constraint refuses all of them"
        )
    first = next(iter(scored.values()))
    return BadInput("the trials", len(scored), f"all of them failed; the first with: {first.error}")
