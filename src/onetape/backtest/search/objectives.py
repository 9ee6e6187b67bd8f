"""What a search looks for: figures of a run by name, or a function of the user's own."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from onetape.domain.errors import BadInput
from onetape.domain.results import Tape

LESS_IS_BETTER: Final = frozenset(
    {"max_drawdown", "volatility", "fees", "slippage", "exposure", "longest_losing_streak"}
)
KNOWN: Final = (
    "sharpe", "sortino", "calmar", "total_return", "cagr", "profit_factor", "win_rate", "expectancy", "sqn",
    "average_trade", "final_equity", "trades", "max_drawdown", "volatility", "fees", "slippage", "exposure",
    "best_day", "worst_day", "best_trade", "worst_trade", "average_win", "average_loss", "average_duration_s",
    "longest_winning_streak", "longest_losing_streak",
)  # fmt: skip

Figures = Mapping[str, Any]


class Objective(NamedTuple):
    """`sign` is -1 where less is better. A function is called with the figures and the tape of the run."""

    name: str
    sign: float
    function: Callable[[Figures, Tape], float] | None = None

    def value(self, figures: Figures, tape: Tape | None) -> float | None:
        """The figure as it is (not turned around), None where it cannot be worked out."""
        found = figures[self.name] if self.function is None or tape is None else self.function(figures, tape)
        if found is None:
            return None
        try:
            number = float(found)
        except (TypeError, ValueError):
            raise BadInput("--objective", self.name, f"answered {found!r}, which is no number") from None
        return number if math.isfinite(number) else None


def objective_of(text: str) -> Objective:
    """`sharpe`, `max_drawdown` (less is better), `trades:min`, or `folder/mine.py:score`. Raises BadInput."""
    if ".py:" in text:
        return _of_file(text)
    name, _, way = text.strip().partition(":")
    if name not in KNOWN or way not in ("", "min", "max"):
        remedy = f"There are {', '.join(KNOWN)}; or name a function of yours: mine.py:score."
        raise BadInput("--objective", text, "not a figure of a run", remedy)
    less = way == "min" or (not way and name in LESS_IS_BETTER)
    return Objective(name, -1.0 if less else 1.0)


def objectives_of(texts: Sequence[str]) -> tuple[Objective, ...]:
    if len(set(texts)) < len(texts):
        raise BadInput("--objective", ", ".join(texts), "an objective is named twice")
    return tuple(objective_of(text) for text in texts)


def _of_file(text: str) -> Objective:
    place, _, name = text.rpartition(":")
    path = Path(place).expanduser()
    if not path.is_file():
        raise BadInput("--objective", text, "the file does not exist")
    spec = importlib.util.spec_from_file_location(f"onetape_objective_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BadInput("--objective", text, "not a Python file")
    from onetape.strategies.foreign import Foreign

    module = importlib.util.module_from_spec(spec)
    with Foreign(path) as visit:
        spec.loader.exec_module(module)
    if visit.fault:
        raise BadInput("--objective", text, f"the file could not be loaded: {visit.fault}")
    function = getattr(module, name, None)
    if not callable(function):
        raise BadInput("--objective", text, f"{path.name} has no function {name}", "It is called with figures, tape.")
    return Objective(text, 1.0, function)
