"""Searches asked for at the desk: a wish is looked at whole before it waits, what is found can be read while it runs.

Knows the desk, the ports and what a search is."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final, TypeVar

import msgspec

from onetape.backtest.candles import stored
from onetape.backtest.dispatch import single
from onetape.backtest.holdout import wholly_sealed
from onetape.backtest.search.answer import first_strategy
from onetape.backtest.search.reading import so_far
from onetape.backtest.search.sweep import question, scored_of
from onetape.backtest.search.wish import OptimizeJob, OptimizeWish, by_path
from onetape.backtest.walkforward import spans
from onetape.backtest.walkjob import WalkForwardWish, WalkJob
from onetape.bots.desk import Desk, Followed
from onetape.domain.errors import NotFound
from onetape.domain.jobs import Job
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import Scored, Search, SearchResult, result_of
from onetape.domain.units import SECOND, Micros, Timeframe, rfc3339
from onetape.domain.walkforward import WalkView

OPTIMIZE: Final = "optimize"  # the kinds of jobs
WALK: Final = "walkforward"
FOLLOWED: Final = 4  # searches whose trials are remembered, those looked at last
LATE: Final[Micros] = 5 * SECOND  # by which one worker's word may come after another's

Asked = TypeVar("Asked", bound=OptimizeWish)


async def optimize(desk: Desk, wish: OptimizeWish, asked_by: str) -> Job:
    """A queued job. Raises BadInput, NotFound and Conflict with the path of what cannot be searched."""
    checked, _, _ = await _checked(desk, wish)
    return await desk.jobs.submit(OPTIMIZE, OptimizeJob(search=secrets.token_hex(6), wish=checked), asked_by)


async def walk(desk: Desk, wish: WalkForwardWish, asked_by: str) -> Job:
    """As `optimize`. Raises BadInput also for windows that do not fit."""
    asked = wish.walk()
    checked, start_ts, end_ts = await _checked(desk, wish)
    with by_path():
        spans(start_ts, end_ts, asked)
    return await desk.jobs.submit(WALK, WalkJob(walk=secrets.token_hex(6), wish=checked), asked_by)


async def walk_seen(desk: Desk, walk_id: str) -> WalkView | None:
    """The windows of a walk that are done; None before the first."""
    try:
        found = await desk.searches.found(walk_id)
    except NotFound:
        return None
    return None if found is None else msgspec.convert(found, WalkView, strict=False)


async def _checked(desk: Desk, wish: Asked) -> tuple[Asked, Micros, Micros]:
    """The wish with its exchange and its end: more candles that come while it waits change nothing. And from when to
    when there are candles for it."""
    asked = wish.search()
    with by_path():
        strategy = single(first_strategy(desk.registry, asked))
        question(asked, type(strategy))
        exchange = await desk.answerable(asked.spec)
        spec = msgspec.structs.replace(asked.spec, exchange=exchange)
        start_ts, end_ts = await stretch(desk, spec)
    return msgspec.structs.replace(wish, exchange=exchange, end=rfc3339(end_ts)), start_ts, end_ts


async def stretch(desk: Desk, spec: BacktestSpec) -> tuple[Micros, Micros]:
    """From when to when there are candles that may be seen. Raises NotFound, Conflict when all of them are sealed."""
    rows = await stored(desk.candles, spec)
    start_ts = max(min(row.first_ts for row in rows), spec.start_ts or 0)
    end_ts = max(row.last_ts + Timeframe.parse(row.timeframe).micros for row in rows)
    if spec.end_ts is not None:
        end_ts = min(end_ts, spec.end_ts)
    if start_ts >= end_ts:
        there = f"Stored: {rfc3339(rows[0].first_ts)} to {rfc3339(rows[0].last_ts)}."
        raise NotFound("--timerange", rfc3339(start_ts), f"no {spec.symbol} candle is stored from then on", there)
    seal = await desk.ledger.sealed(spec.exchange, spec.symbol)
    if seal is None:
        return start_ts, end_ts
    if start_ts >= seal.from_ts:
        raise wholly_sealed(seal, start_ts)
    return start_ts, min(end_ts, seal.from_ts)


async def seen(desk: Desk, search_id: str) -> SearchResult | None:
    """What a search has found, or what there is of it so far; None before its first trial has a score."""
    try:
        search = await desk.searches.get(search_id)
    except NotFound:
        return None
    found = await desk.searches.found(search_id)
    if found is not None:
        desk.followed.pop(search_id, None)
        return result_of(found)
    return await asyncio.to_thread(_read, desk, search, await trials_of(desk, search_id))


async def trials_of(desk: Desk, search_id: str) -> list[Scored]:
    """Those that are done. What was read before is not read again: a page looks every second."""
    known = desk.followed.pop(search_id, None) or Followed({}, 0)
    trials, newest_ts = dict(known.trials), known.newest_ts
    for name, settled in await desk.ledger.of_search(search_id, max(0, newest_ts - LATE)):
        if settled is None or "parameters" not in settled.scores:
            continue
        number = int(name.rpartition("-")[2])
        trials[number] = scored_of(number, settled)
        newest_ts = max(newest_ts, settled.ended_ts)
    desk.followed[search_id] = Followed(trials, newest_ts)
    while len(desk.followed) > FOLLOWED:
        del desk.followed[next(iter(desk.followed))]
    return list(trials.values())


def _read(desk: Desk, search: Search, trials: list[Scored]) -> SearchResult | None:
    strategy = first_strategy(desk.registry, search.wish)
    asked = question(search.wish, type(strategy))
    return so_far(search, asked.spaces, asked.objectives, trials)
