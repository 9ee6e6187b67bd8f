"""How a score holds when the parameters change a little. Arrays in, arrays out.

Parameters are placed from 0 to 1 within what was searched; the distance of two trials is that of the parameter that
differs most, and trials with different choices (text, truth values) are no neighbours at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from onetape.backtest.search.spaces import Space
from onetape.domain.frame import Floats
from onetape.domain.searches import Ring, Scored

REACH: Final = 0.1  # of what was searched: who is so near is a neighbour
LEAST: Final = 3  # neighbours without which nothing can be said
LOOKED_AT: Final = 2_000  # trials that get a robust score, the best ones
QUARTILE: Final = 0.25
RINGS: Final = (0.05, 0.1, 0.2, 0.4, 1.0)
APART: Final = 9.0  # a distance that is never near
SLACK: Final = 1e-9


def placed(spaces: Sequence[Space], trials: Sequence[Scored]) -> Floats:
    """float64[trials, spaces]; a choice is moved so far from the others that it is nobody's neighbour."""
    rows = [
        [space.place(one.parameters[space.name]) * (1.0 if space.numeric else APART) for space in spaces]
        for one in trials
    ]
    return np.array(rows, np.float64).reshape(len(trials), len(spaces))


def reaches(spaces: Sequence[Space]) -> Floats:
    """How far a neighbour may be in each parameter: a tenth of what was searched, and one step at least."""
    return np.array([max(REACH, _widest_step(space)) + SLACK for space in spaces])


def _widest_step(space: Space) -> float:
    if not space.numeric or space.continuous or len(space.values) < 2:
        return 0.0
    return float(np.diff([space.place(value) for value in space.values]).max())


def robust(places: Floats, scores: Floats, reach: Floats) -> dict[int, float]:
    """By row: the lower quartile of the score and those of the neighbours. Scores are turned so that more is better;
    NaN counts as worse than all. Rows with fewer than three neighbours have none; of many rows the best are looked at.
    """
    filled = np.where(np.isnan(scores), -np.inf, scores)
    best = np.argsort(-filled, kind="stable")[:LOOKED_AT]
    found: dict[int, float] = {}
    for row in best.tolist():
        near = (np.abs(places - places[row]) <= reach).all(axis=1)
        if near.sum() > LEAST:
            value = float(np.quantile(filled[near], QUARTILE, method="lower"))
            if np.isfinite(value):
                found[row] = value
    return found


def rings(places: Floats, scores: Floats, centre: int) -> list[Ring]:
    """How the score falls around a trial."""
    distance = np.abs(places - places[centre]).max(axis=1)
    found, above = [], 0.0
    for upto in RINGS:
        here = scores[(distance > above + SLACK) & (distance <= upto + SLACK)]
        known = here[~np.isnan(here)]
        found.append(
            Ring(
                above=above,
                upto=upto,
                trials=len(here),
                mean=float(known.mean()) if len(known) else None,
                worst=float(known.min()) if len(known) else None,
            )
        )
        above = upto
    return found


def front(values: Floats) -> list[int]:
    """Rows of float64[trials, objectives] (more is better, NaN worse than all) that no other row beats in one without
    being beaten in another, the best in the first objective first."""
    filled = np.where(np.isnan(values), -np.inf, values)
    order = np.lexsort(tuple(-filled[:, k] for k in range(filled.shape[1] - 1, -1, -1)))
    kept: list[int] = []
    for row in order.tolist():
        if np.isinf(filled[row]).all():
            continue
        rivals = filled[kept]
        beaten = (rivals >= filled[row]).all(axis=1) & (rivals > filled[row]).any(axis=1) if kept else np.zeros(0)
        if not np.any(beaten):
            kept.append(row)
    return kept


def mean_rank(columns: Sequence[dict[int, float]]) -> list[int]:
    """Rows that all columns know, the best mean rank first (one column: the highest value first)."""
    rows = sorted(set(columns[0]).intersection(*columns[1:]))
    if not rows:
        return []
    ranks = np.zeros(len(rows))
    for column in columns:
        values: Any = np.array([-column[row] for row in rows])
        ranks += np.searchsorted(np.sort(values), values, side="left")
    return [rows[i] for i in np.argsort(ranks, kind="stable").tolist()]
