"""From the scores of all trials to what a person reads. Knows nothing of how they were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from onetape.backtest.luck.block import luck_of_search
from onetape.backtest.search.neighbours import front, mean_rank, placed, reaches, rings, robust
from onetape.backtest.search.objectives import Objective
from onetape.backtest.search.spaces import Space
from onetape.backtest.search.views import heat_map, importance, slice_of
from onetape.domain.frame import Floats
from onetape.domain.luck import SearchLuck
from onetape.domain.searches import HeatMap, Scored, Search, SearchResult
from onetape.domain.trials import unpack_returns

ALONE: Final = (
    "No trial has three neighbours within a tenth of what was searched: nothing can be said about how well a result "
    "holds when the parameters change a little. Search on a grid, or with more trials."
)
UNFINISHED: Final = "The search has not ended: trials beside the best ones may be missing."

Work = tuple[float, int, float | None]  # seconds, workers, share of their time in which they worked


def read(
    search: Search,
    spaces: Sequence[Space],
    objectives: Sequence[Objective],
    scored: Sequence[Scored],
    refused: int,
    work: Work,
    complete: bool = True,
) -> SearchResult:
    """At least one trial must have a score. Of a search that is not `complete` nothing is recommended and its luck is
    not judged: neighbours may be missing."""
    trials = sorted((one for one in scored if one.values), key=lambda one: one.number)
    failed = [one for one in scored if not one.values]
    signs = np.array([objective.sign for objective in objectives])
    values = np.array([[np.nan if v is None else v for v in one.values] for one in trials], np.float64)
    turned = values * signs
    places = placed(spaces, trials)
    columns = [robust(places, turned[:, k], reaches(spaces)) if complete else {} for k in range(len(objectives))]
    order = mean_rank(columns)
    best = front(turned)
    peak = best[0] if best else None
    recommended = order[0] if order else None
    centre = recommended if recommended is not None else peak
    first = values[:, 0]
    reasons: dict[str, str] = {}
    if recommended is None:
        reasons["recommended"] = ALONE if complete else UNFINISHED
    weights = importance(spaces, trials, first)
    luck = _luck(trials, search, reasons) if complete else None
    if not complete:
        reasons["luck"] = UNFINISHED
    return SearchResult(
        id=search.id,
        wish=search.wish,
        spaces={space.name: space.text for space in spaces},
        refused=refused,
        failed=len(failed),
        trials=trials + sorted(failed, key=lambda one: one.number),
        order=[trials[row].number for row in order],
        robust={trials[row].number: value * float(signs[0]) for row, value in columns[0].items()},
        recommended=None if recommended is None else trials[recommended].number,
        peak=None if peak is None else trials[peak].number,
        front=[trials[row].number for row in best] if len(objectives) > 1 else [],
        importance=weights,
        heat=_heat(spaces, trials, first, weights),
        slices=[
            slice_of(space, trials, first, float(signs[0]), None if centre is None else trials[centre])
            for space in spaces
        ],
        rings=[] if centre is None else rings(places, first, centre),
        luck=luck,
        seconds=work[0],
        workers=work[1],
        busy=work[2],
        complete=complete,
        reasons=reasons,
    )


def so_far(
    search: Search, spaces: Sequence[Space], objectives: Sequence[Objective], scored: Sequence[Scored]
) -> SearchResult | None:
    """Of a search that goes on or was stopped; None before a trial has a score."""
    if not any(one.values for one in scored):
        return None
    return read(search, spaces, objectives, scored, 0, (0.0, 0, None), complete=False)


def _heat(
    spaces: Sequence[Space], trials: Sequence[Scored], scores: Floats, weights: dict[str, float]
) -> HeatMap | None:
    """Of the two parameters that matter most."""
    if len(spaces) < 2:
        return None
    chosen = sorted(spaces, key=lambda space: -weights[space.name])[:2]
    x, y = (space for space in spaces if space in chosen)
    return heat_map(x, y, trials, scores)


def _luck(trials: Sequence[Scored], search: Search, reasons: dict[str, str]) -> SearchLuck | None:
    """Of the trials whose returns were kept; the number of independent ones is worked out for all."""
    kept = [unpack_returns(one.returns) for one in trials if one.returns]
    days = max((len(one) for one in kept), default=0)
    kept = [one for one in kept if len(one) == days and days]
    if len(kept) < 2:
        reasons["luck"] = f"{len(kept)} trials with daily returns are too few to judge the luck of the search."
        return None
    return luck_of_search(np.column_stack(kept), int(search.id[:8], 16))
