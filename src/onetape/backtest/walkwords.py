"""A walk in words and rows, the same on a terminal, in a page and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from onetape.backtest.figures import figure
from onetape.domain.units import rfc3339
from onetape.domain.walkforward import WalkView, Window

TEXTS: Final = 4  # of the columns below the first are text, the others numbers


def columns(view: WalkView) -> tuple[str, ...]:
    objective = view.objective
    return ("Searched from", "Traded from", "to", "Parameters", "Trials", f"{objective} searched", "traded", "Ratio",
            "Return", "Drawdown", "Trades")  # fmt: skip


def rows(view: WalkView) -> Iterator[tuple[str, ...]]:
    """One row a window, by `columns`: in-sample is what was searched, out-of-sample what was traded."""
    objective = view.objective
    for window in view.windows:
        given = ", ".join(f"{name}={value}" for name, value in window.parameters.items() if name in view.searched)
        figures, part = window.figures, ratio(window)
        yield (
            day(window.span.train_start), day(window.span.test_start), day(window.span.test_end - 1), given,
            f"{window.trials:,}", figure(objective, window.searched), figure(objective, window.traded),
            "-" if part is None else f"{100 * part:.0f} %",
            figure("total_return", figures["total_return"]), figure("max_drawdown", -figures["max_drawdown"]),
            f"{figures['trades']:,}",
        )  # fmt: skip


def ratio(window: Window) -> float | None:
    """The first objective as it was traded over what the search had found; None where that is not above 0."""
    if window.traded is None or window.searched is None or window.searched <= 0.0:
        return None
    return window.traded / window.searched


def said(view: WalkView) -> list[str]:
    """What the walk comes to, in sentences."""
    objective = view.objective
    better = sum(1 for window in view.windows if window.figures["total_return"] > 0.0)
    lines = [f"{better} of {len(view.windows)} windows made money on what their search had not seen."]
    if view.kept is None:
        lines.append(f"The searches promised no {objective} above 0, so there is nothing to compare with.")
    else:
        lines.append(f"Of the {objective} that they promised {100 * view.kept:.0f} % was left when it was traded.")
    if view.kept_cagr is not None:
        lines.append(f"Of the yearly return that they promised {100 * view.kept_cagr:.0f} % was left.")
    return lines


def documents(view: WalkView) -> list[dict[str, Any]]:
    """The windows as plain JSON values."""
    return [
        {
            "train": [rfc3339(one.span.train_start), rfc3339(one.span.train_end)],
            "test": [rfc3339(one.span.test_start), rfc3339(one.span.test_end)],
            "parameters": one.parameters,
            "trials": one.trials,
            "objective": view.objective,
            "searched": one.searched,
            "traded": one.traded,
            "ratio": ratio(one),
            **one.figures,
        }
        for one in view.windows
    ]


def day(ts: int) -> str:
    return rfc3339(ts)[:10]
