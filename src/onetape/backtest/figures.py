"""Figures of a run as text, by their names: rates in percent, counts whole, everything else as a number."""

from __future__ import annotations

from typing import Any, Final

RATES: Final = frozenset(
    {
        "total_return", "cagr", "buy_and_hold", "max_drawdown", "volatility", "win_rate", "exposure", "average_trade",
        "best_day", "worst_day", "best_trade", "worst_trade",
    }
)  # fmt: skip


def is_rate(name: str) -> bool:
    """Whether a figure, or an objective such as `max_drawdown:min`, is a fraction."""
    return name.partition(":")[0] in RATES


def figure(name: str, value: Any) -> str:
    """`–` for None."""
    if value is None:
        return "–"
    if is_rate(name):
        return f"{100 * value + 0.0:,.2f} %"  # no -0.00
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if abs(value) >= 1.0 or value == 0.0 else f"{value:.4f}"
