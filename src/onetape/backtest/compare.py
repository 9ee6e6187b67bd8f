"""Several runs beside each other: the same figures, one row each, best return first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from onetape.domain.results import Result

COMPARED: Final = (
    "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "calmar",
    "trades", "win_rate", "profit_factor", "exposure", "fees",
)  # fmt: skip


def ranked(results: Sequence[Result]) -> list[Result]:
    """Best total return first."""
    return sorted(results, key=lambda result: -float(result.metrics["total_return"]))


def comparison(results: Sequence[Result]) -> list[dict[str, Any]]:
    """One row per run with its name, parameters and the compared figures, best return first."""
    return [
        {"run_id": result.run_id, "strategy": result.spec.strategy, "parameters": result.spec.parameters}
        | {name: result.metrics[name] for name in COMPARED}
        for result in ranked(results)
    ]
