"""Several runs beside each other: the same figures, one row each, best return first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from onetape.domain.results import BacktestSpec, Result
from onetape.ports import RunView

COMPARED: Final = (
    "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "calmar",
    "trades", "win_rate", "profit_factor", "exposure", "fees",
)  # fmt: skip


def comparison(runs: Sequence[Result | RunView]) -> list[dict[str, Any]]:
    """One row per run with its name, parameters and the compared figures, best return first."""
    return [
        {"run_id": run.run_id, "strategy": run.spec.strategy, "parameters": run.spec.parameters}
        | {name: run.metrics[name] for name in COMPARED}
        for run in sorted(runs, key=lambda run: -float(run.metrics["total_return"]))
    ]


def labels(specs: Sequence[BacktestSpec]) -> list[str]:
    """The name of each run; one that several have is told apart by the parameters in which they differ."""
    found = []
    for spec in specs:
        twins = [other.parameters for other in specs if other.strategy == spec.strategy]
        apart = {name: value for name, value in spec.parameters.items() if any(t.get(name) != value for t in twins)}
        given = ",".join(f"{name}={value}" for name, value in apart.items())
        found.append(f"{spec.strategy}:{given}" if given else spec.strategy)
    return found


def given(parameters: dict[str, Any]) -> str:
    """Parameters in one line of text; what is switched off is left out."""
    return ", ".join(
        name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {told(value)}"
        for name, value in parameters.items()
        if value is not False and value is not None
    )


def told(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " + ".join(map(told, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def market(name: str) -> str:
    """One or several symbols or exchanges, `BTC-USDT+ETH-USDT`, as people read them."""
    return name.replace("+", " + ")
