"""A walk on a terminal: window by window, what was promised and what was kept, then the whole as any run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onetape.backtest.report import kept
from onetape.backtest.walkwords import TEXTS, columns, rows, said
from onetape.cli.backtest_report import WIDTH, one
from onetape.domain.walkforward import Walk


def show(walk: Walk, console: Console | None = None) -> None:
    out = console or Console(highlight=False, soft_wrap=False)
    if not out.is_terminal:
        out.width = max(out.width, WIDTH)
    wish = walk.wish
    days = 86_400e6
    how = "anchored" if wish.anchored else "rolling"
    out.print()
    out.print(Text.assemble((f"Walk-forward of {wish.search.spec.strategy}", "bold"),
              f": {len(walk.windows)} windows, {wish.train / days:g} days searched ({how}), "
              f"{wish.test / days:g} traded"))  # fmt: skip
    out.print()
    out.print(windows(walk))
    out.print()
    for text in said(walk.view):
        out.print(text)
    one(kept(walk.whole), out)


def windows(walk: Walk) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 1, 0, 0))
    for i, name in enumerate(columns(walk.view)):
        table.add_column(name, justify="left" if i < TEXTS else "right")
    for row in rows(walk.view):
        table.add_row(*row)
    return table
