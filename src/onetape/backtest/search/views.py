"""What is drawn of a search: a heat map of two parameters, slices along each, and how much each of them matters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from onetape.backtest.search.objectives import objective_of
from onetape.backtest.search.spaces import Space, spaces_of
from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats, Ints
from onetape.domain.searches import HeatMap, Scored, SearchResult, Slice
from onetape.strategies.contract import AnyStrategy

BANDS: Final = 40  # of a parameter that has more values than that, or a continuous one
FEW: Final = 10  # bands in which importance is measured: each needs some trials

Number = float | None


def banded(space: Space, trials: Sequence[Scored], most: int = BANDS) -> tuple[list[Any], Ints]:
    """The values of a parameter (or the middles of bands of them), and the index of each trial among them."""
    given = [one.parameters[space.name] for one in trials]
    if not space.numeric or (not space.continuous and len(space.values) <= most):
        at = {value: i for i, value in enumerate(space.values)}
        return list(space.values), np.array([at[value] for value in given], np.int64)
    width = (space.high - space.low) / most or 1.0
    index = np.clip(((np.array(given, np.float64) - space.low) / width).astype(np.int64), 0, most - 1)
    return [float(f"{space.low + (i + 0.5) * width:.6g}") for i in range(most)], index


def importance(spaces: Sequence[Space], trials: Sequence[Scored], scores: Floats) -> dict[str, float]:
    """The share of the score's variance that lies between the values of each parameter (correlation ratio, eta squared:
    the main effects of an analysis of variance). What is missing to 1 is interaction and chance."""
    known = ~np.isnan(scores)
    total = float(np.square(scores[known] - scores[known].mean()).sum()) if known.any() else 0.0
    found = {}
    for space in spaces:
        _, index = banded(space, trials, FEW)
        between = 0.0
        for i in np.unique(index[known]).tolist():
            group = scores[known & (index == i)]
            between += len(group) * float(group.mean() - scores[known].mean()) ** 2
        found[space.name] = between / total if total > 0.0 else 0.0
    return found


def heat_map(x: Space, y: Space, trials: Sequence[Scored], scores: Floats) -> HeatMap:
    xs, column = banded(x, trials)
    ys, row = banded(y, trials)
    known = ~np.isnan(scores)
    sums, counts = np.zeros((len(ys), len(xs))), np.zeros((len(ys), len(xs)))
    np.add.at(sums, (row[known], column[known]), scores[known])
    np.add.at(counts, (row[known], column[known]), 1.0)
    means = [
        [total / n if n else None for total, n in zip(*lines, strict=True)]
        for lines in zip(sums.tolist(), counts.tolist(), strict=True)
    ]
    return HeatMap(x=x.name, y=y.name, xs=xs, ys=ys, scores=means)


def map_of(kind: type[AnyStrategy], result: SearchResult, x: str, y: str) -> HeatMap:
    """Of two parameters that somebody chose. Raises BadInput."""
    spaces = {space.name: space for space in spaces_of(kind, result.wish.spaces, result.wish.spec.parameters)}
    for field, name in (("x", x), ("y", y)):
        if name not in spaces:
            raise BadInput(field, name, "not a parameter that was searched", f"There are {', '.join(spaces)}.")
    if x == y:
        raise BadInput("y", y, "the same parameter as x", "Name another one.")
    trials = [one for one in result.trials if one.values]
    scores = np.array([np.nan if one.values[0] is None else one.values[0] for one in trials], np.float64)
    return heat_map(spaces[x], spaces[y], trials, scores)


def ranked(result: SearchResult) -> list[Scored]:
    """All trials, the best robust score first, then the best single score, at the end those that failed."""
    rank = {number: place for place, number in enumerate(result.order)}
    sign = objective_of(result.wish.objectives[0]).sign

    def place(one: Scored) -> tuple[int, int, float]:
        value = one.values[0] if one.values else None
        return not one.values, rank.get(one.number, len(rank)), math.inf if value is None else -sign * value

    return sorted(result.trials, key=place)


def why(result: SearchResult) -> str:
    """Why that trial is recommended, or why none is."""
    if result.recommended is None:
        return result.reasons["recommended"]
    robust, name = result.robust[result.recommended], result.wish.objectives[0]
    better = (
        "or better" if len(result.wish.objectives) == 1 else "or better, and it ranks best in all objectives together"
    )
    return f"Three of four trials beside it reach a {name} of {robust:,.4g} {better}: no other has neighbours as good."


def slice_of(space: Space, trials: Sequence[Scored], scores: Floats, sign: float, centre: Scored | None) -> Slice:
    at, index = banded(space, trials)
    groups = [scores[index == i] for i in range(len(at))]
    return Slice(
        parameter=space.name,
        at=at,
        mean=[of(group, np.mean) for group in groups],
        best=[of(group, np.max if sign > 0 else np.min) for group in groups],
        trials=[len(group) for group in groups],
        beside=_beside(space, trials, scores, index, len(at), centre),
    )


def _beside(
    space: Space, trials: Sequence[Scored], scores: Floats, index: Ints, size: int, centre: Scored | None
) -> list[Number]:
    found: list[Number] = [None] * size
    if centre is None:
        return found
    others = {name: value for name, value in centre.parameters.items() if name != space.name}
    for i, one in enumerate(trials):
        if all(one.parameters[name] == value for name, value in others.items()):
            found[int(index[i])] = of(scores[i : i + 1], np.mean)
    return found


def of(values: Floats, what: Callable[[Floats], Any]) -> Number:
    known = values[~np.isnan(values)]
    return float(what(known)) if len(known) else None
