"""A search as a person asks for it over the API: plain names and texts, turned into a checked question.

What is at fault is named by its path in the JSON; the search itself names the flags of the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from onetape.backtest.wish import BacktestWish
from onetape.domain.errors import BadInput
from onetape.domain.searches import GRID, SearchWish

PATHS: Final[Mapping[str, str]] = {
    "strategy": "$.strategy",
    "--exchange": "$.exchange",
    "--symbol": "$.symbol",
    "--timeframe": "$.timeframe",
    "--timerange": "$.start",
    "the period": "$.start",
    "--method": "$.method",
    "--objective": "$.objective",
    "--constraint": "$.constraint",
    "--trials": "$.trials",
    "--train": "$.train",
    "--test": "$.test",
    "--train and --test": "$.train",
    "--purge": "$.purge",
}
CANDLES: Final = ("auto", "candles")


class OptimizeWish(BacktestWish, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/optimizations: a backtest with parameters left open.

    `parameters` are those that stay as they are; `space` says what is tried, by parameter: `5:50:5`, `0.1:0.5`,
    `cross,none` (empty: every parameter that is a number, around its default). `trials` 0: the whole grid, or 200 of
    the other methods. Orders of the trials fill on candles and pay recorded
    funding; the recommended one is run on all that is recorded.
    """

    space: dict[str, str] = msgspec.field(default_factory=dict)
    method: str = GRID
    objective: tuple[str, ...] = ("sharpe",)
    constraint: tuple[str, ...] = ()
    trials: int = 0
    seed: int = 1

    @staticmethod
    def some(objectives: Sequence[str]) -> None:
        """Raises BadInput for none, and for code: it would come from whoever reaches the API."""
        if not objectives:
            raise BadInput("$.objective", [], "empty", "Name what is looked for: sharpe.")
        for name in objectives:
            if ".py:" in name:
                raise BadInput("$.objective", name, "a function in a file, which only the command line runs")

    def search(self) -> SearchWish:
        """Raises BadInput naming the field as a JSON path."""
        if self.detail not in CANDLES:
            raise BadInput("$.detail", self.detail, "not possible in a search, which fills on candles", "Leave it out.")
        self.some(self.objective)
        return SearchWish(
            spec=self.spec(),
            spaces=self.space,
            method=self.method,
            objectives=self.objective,
            constraints=self.constraint,
            trials=self.trials,
            seed=self.seed,
        )


class OptimizeJob(msgspec.Struct, frozen=True, kw_only=True):
    """The wish of a job: a job that is begun again goes on with the search of that id."""

    search: str
    wish: OptimizeWish


@contextmanager
def by_path() -> Iterator[None]:
    """Errors name the part of the JSON where the command line would name its flag."""
    try:
        yield
    except BadInput as error:
        field, value = _path(error.field, error.value)
        raise type(error)(field, value, error.problem, error.remedy) from None


def _path(field: str, value: object) -> tuple[str, object]:
    if field != "--space":
        return PATHS.get(field, field), value
    name, _, text = str(value).partition("=")
    return (f"$.space.{name}", text or name) if name.isidentifier() else ("$.space", value)
