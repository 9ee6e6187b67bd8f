"""A walk-forward as a person asks for it over the API, and as a job. Knows ports only."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from onetape.backtest.means import Means
from onetape.backtest.search.job import best_of, opened, stores_of
from onetape.backtest.search.sweep import Step
from onetape.backtest.search.wish import OptimizeWish
from onetape.backtest.walkforward import walked
from onetape.domain.jobs import Progress, Say
from onetape.domain.units import parse_span
from onetape.domain.walkforward import Walk, WalkWish
from onetape.ports import SearchStore


class WalkForwardWish(OptimizeWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/walkforwards: a search that is made again and again. `train` is how much of the past is
    searched (`anchored`: all of it, from where the first one began), `test` how much is traded after it; `purge` is cut
    off the end of what is searched, `embargo` left out before what is traded. Lengths are written 180d or 12h."""

    train: str = "180d"
    test: str = "30d"
    anchored: bool = False
    purge: str = "0"
    embargo: str = "0"

    def walk(self) -> WalkWish:
        """Raises BadInput naming the field as a JSON path."""
        return WalkWish(
            search=self.search(),
            train=parse_span(self.train, "$.train"),
            test=parse_span(self.test, "$.test"),
            anchored=self.anchored,
            purge=parse_span(self.purge, "$.purge"),
            embargo=parse_span(self.embargo, "$.embargo"),
        )


class WalkJob(msgspec.Struct, frozen=True, kw_only=True):
    """The wish of a job: a job that is begun again goes on with the walk of that id."""

    walk: str
    wish: WalkForwardWish


async def walk_job(
    walk_id: str, wish: WalkWish, means: Means, searches: SearchStore, proofs: Collection[str], say: Say
) -> Walk:
    """Walks, or goes on with the walk of that id that was begun, and stores the whole as a run. As search_job."""
    may = await opened(wish.search.spec, means, proofs, say)

    def tell(window: int, windows: int, step: Step) -> None:
        say(told(window, windows, step))

    walk = await walked(wish, means.registry, may, stores_of(means, searches), tell, walk_id)
    await means.runs.put(walk.whole)
    return walk


def told(window: int, windows: int, step: Step) -> Progress:
    """How far a walk is; `window` counts from 0."""
    part = step.done / step.total if step.total else 0.0
    return Progress(
        fraction=(window + part) / windows,
        text=f"window {window + 1:,} of {windows:,}: {step.done:,} of {step.total:,} trials",
        counts={"window": window + 1, "windows": windows, "done": step.done, "total": step.total},
        detail={"best": None if step.best is None else best_of(step.best)},
    )
