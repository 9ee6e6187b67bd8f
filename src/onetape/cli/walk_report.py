"""A walk on a terminal: window by window, what was promised and what was kept, then the whole as any run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onetape.backtest.report import kept
from onetape.backtest.walkforward import Walk
from onetape.cli.backtest_report import WIDTH, day, number, one, rate


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
    for text in said(walk):
        out.print(text)
    one(kept(walk.whole), out)


def windows(walk: Walk) -> Table:
    objective = walk.wish.search.objectives[0]
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in ("Traded from", "to", "Parameters"):
        table.add_column(name)
    for name in ("Trials", f"{objective} searched", "traded", "Return", "Drawdown", "Trades"):
        table.add_column(name, justify="right")
    searched = set(walk.wish.search.spaces) or set(walk.windows[0].parameters)
    for window in walk.windows:
        given = ", ".join(f"{name}={value}" for name, value in window.parameters.items() if name in searched)
        figures = window.figures
        table.add_row(
            day(window.span.test_start)[:10], day(window.span.test_end - 1)[:10], given, f"{window.trials:,}",
            number(window.searched), number(window.traded), rate(figures["total_return"], signed=True),
            rate(-figures["max_drawdown"]), f"{figures['trades']:,}",
        )  # fmt: skip
    return table


def said(walk: Walk) -> list[str]:
    """What the walk comes to, in sentences."""
    objective = walk.wish.search.objectives[0]
    better = sum(1 for window in walk.windows if window.figures["total_return"] > 0.0)
    lines = [f"{better} of {len(walk.windows)} windows made money on what their search had not seen."]
    if walk.kept is None:
        lines.append(f"The searches promised no {objective} above 0, so there is nothing to compare with.")
    else:
        lines.append(f"Of the {objective} that they promised {100 * walk.kept:.0f} % was left when it was traded.")
    if walk.kept_cagr is not None:
        lines.append(f"Of the yearly return that they promised {100 * walk.kept_cagr:.0f} % was left.")
    return lines
