"""The block on luck on a terminal."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from onetape.backtest.luck.words import rows


def luck_table(metrics: dict[str, Any]) -> Table:
    """One line for each row; empty for a run without the block."""
    told = rows(metrics)
    table = Table(
        box=None,
        show_header=False,
        padding=(0, 2, 0, 0),
        title="How likely is it luck?" if told else None,
        title_justify="left",
        title_style="dim",
    )
    table.add_column(style="dim")
    table.add_column()
    for row in told:
        table.add_row(*row)
    return table
