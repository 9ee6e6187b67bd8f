"""Ways through the spaces. Each gives numbered combinations that the strategy and the constraints accept; the same seed
gives the same ones again, so that a search that was killed goes on where it was."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from onetape.backtest.search.spaces import Space
from onetape.domain.errors import BadInput
from onetape.domain.searches import GRID, RANDOM, Scored

USUAL: Final = 200  # trials of a search that is not a grid
LARGEST: Final = 1_000_000  # combinations of a grid
TILE: Final = 8  # values of a parameter that are tried together: what is computed of them is still at hand
FRUITLESS: Final = 1_000  # draws in a row without a new combination: there is none left

Accepts = Callable[[Mapping[str, Any]], bool]


class Asked(NamedTuple):
    number: int
    parameters: dict[str, Any]


class Walk(Protocol):
    refused: int

    @property
    def total(self) -> int:
        """How many trials there will be, as far as is known now."""
        ...

    def ask(self, most: int) -> list[Asked]:
        """At most so many trials that were not asked yet; none when it is over (or while results are awaited)."""
        ...

    def tell(self, scored: Sequence[Scored]) -> None: ...

    def over(self) -> bool: ...


class Listed:
    """A walk that does not depend on results."""

    def __init__(self, combinations: Iterator[dict[str, Any]], accepts: Accepts, total: int, done: Collection[int]):
        self._combinations, self._accepts, self._total = combinations, accepts, total
        self._done, self._next, self._over = frozenset(done), 0, False
        self.refused = 0

    @property
    def total(self) -> int:
        return self._next if self._over else self._total - self.refused

    def ask(self, most: int) -> list[Asked]:
        found: list[Asked] = []
        while len(found) < most and not self._over:
            parameters = next(self._combinations, None)
            if parameters is None:
                self._over = True
            elif not self._accepts(parameters):
                self.refused += 1
            else:
                if self._next not in self._done:
                    found.append(Asked(self._next, parameters))
                self._next += 1
        return found

    def tell(self, scored: Sequence[Scored]) -> None:
        pass

    def over(self) -> bool:
        return self._over


def walk_of(
    method: str, spaces: Sequence[Space], accepts: Accepts, trials: int, seed: int, done: Collection[int]
) -> Listed:
    """A grid or a random walk. Raises BadInput for a grid that is too large or has no grid."""
    if method == GRID:
        return Listed(grid(spaces), accepts, size_of(spaces, trials), done)
    assert method == RANDOM
    most = most_of(spaces, trials)
    return Listed(drawn(spaces, accepts, most, seed), lambda _: True, most, done)


def most_of(spaces: Sequence[Space], trials: int) -> int:
    """How many trials a search that is not a grid has at most: what there is to draw may be less than was asked for."""
    there = math.inf if any(space.continuous for space in spaces) else math.prod(len(space.values) for space in spaces)
    return int(min(trials or USUAL, there))


def size_of(spaces: Sequence[Space], trials: int) -> int:
    for space in spaces:
        if space.continuous:
            raise BadInput(
                "--space", f"{space.name}={space.text}", "continuous, and a grid needs steps",
                f"Write {space.name}={space.low:g}:{space.high:g}:STEP, or take the method random.",
            )  # fmt: skip
    size = math.prod(len(space.values) for space in spaces)
    most = trials or LARGEST
    if size > most:
        raise BadInput(
            "--trials" if trials else "--space", trials or size, f"the grid has {size:,} combinations, more than "
            f"{most:,}", "Take wider steps, allow more trials, or draw some of them: the method random.",
        )  # fmt: skip
    return size


def grid(spaces: Sequence[Space]) -> Iterator[dict[str, Any]]:
    """Every combination, tile by tile."""
    names = [space.name for space in spaces]
    cut = [[space.values[i : i + TILE] for i in range(0, len(space.values), TILE)] for space in spaces]
    for tile in itertools.product(*cut):
        for values in itertools.product(*tile):
            yield dict(zip(names, values, strict=True))


def drawn(spaces: Sequence[Space], accepts: Accepts, most: int, seed: int) -> Iterator[dict[str, Any]]:
    """Different combinations, until there are `most` of them or none is left."""
    random = np.random.Generator(np.random.PCG64(seed))
    seen: set[tuple[Any, ...]] = set()
    fruitless = 0
    while len(seen) < most and fruitless < FRUITLESS:
        parameters = {space.name: space.draw(random) for space in spaces}
        key = tuple(parameters.values())
        fruitless += 1
        if key not in seen and accepts(parameters):
            seen.add(key)
            fruitless = 0
            yield parameters
