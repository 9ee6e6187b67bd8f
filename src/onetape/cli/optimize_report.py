"""A search on a terminal: what is recommended, how far it holds, how likely it is luck."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from onetape.backtest.figures import figure, is_rate
from onetape.backtest.luck.words import rows_of_search
from onetape.backtest.report import kept
from onetape.backtest.search.answer import found_document
from onetape.backtest.used import told_line
from onetape.cli import backtest_report
from onetape.domain.results import Result
from onetape.domain.searches import HeatMap, Scored, SearchResult, Slice

ROWS: Final = 10  # of the table
WIDEST: Final = 16  # columns of the heat map
SHADES: Final = ("#e0605e", "#b5665a", "#8a6f4f", "#6f8a5d", "#57a173", "#3fb68b")

document = found_document


def show(result: SearchResult, best: Result | None, console: Console | None = None) -> None:
    out = console or Console(highlight=False, soft_wrap=False)
    if not out.is_terminal:
        out.width = max(out.width, backtest_report.WIDTH)
    head(result, out)
    recommended(result, out)
    table(result, out)
    if result.heat is not None:
        heat(result.heat, result.wish.objectives[0], better_low(result), out)
    for one in result.slices:
        slice_table(one, result.wish.objectives[0], out)
    held(result, out)
    if result.detail is not None:
        out.print(Text(f"Trials filled on: {told_line(result.detail)}", style="dim"))
    luck(result, out)
    if best is not None:
        backtest_report.one(kept(best), out)
    if result.complete:
        return
    out.print(Text(f"Not finished: onetape optimize --resume {result.id} goes on with it.", style="yellow"))


def head(result: SearchResult, out: Console) -> None:
    wish, scored = result.wish, len(result.trials) - result.failed
    out.print()
    out.print(Text.assemble((f"Search of {wish.spec.strategy}", "bold"), f" by {wish.method}, {result.id}"))
    out.print("; ".join(f"{name} {text}" for name, text in result.spaces.items()))
    refused = f", {result.refused:,} combinations refused" if result.refused else ""
    failed = f", {result.failed:,} failed" if result.failed else ""
    busy = "" if result.busy is None else f", {100 * result.busy:.0f} % of them at work"
    out.print(
        Text(
            f"{scored:,} trials{failed}{refused}; {result.seconds:.1f} s on {result.workers} workers{busy}", style="dim"
        )
    )


def recommended(result: SearchResult, out: Console) -> None:
    name = result.wish.objectives[0]
    out.print()
    if result.recommended is not None:
        one = result.trial(result.recommended)
        out.print(Text.assemble("Recommended: ", (given(one), "bold")))
        reached = figure(name, result.robust[one.number])
        out.print(f"{name} {figure(name, one.values[0])}; three of four neighbours reach {reached} or better")
    else:
        out.print(Text(f"Nothing is recommended. {result.reasons['recommended']}", style="yellow"))
    if result.peak is not None and result.peak != result.recommended:
        one = result.trial(result.peak)
        robust = result.robust.get(one.number)
        tail = (
            f", but its neighbours only {figure(name, robust)}" if robust is not None else ", with too few neighbours"
        )
        out.print(Text(f"Highest single score: {figure(name, one.values[0])} ({given(one)}){tail}", style="dim"))


def table(result: SearchResult, out: Console) -> None:
    objectives = result.wish.objectives
    names = list(result.spaces)
    shown = result.front if len(objectives) > 1 else result.order
    title = "No other trial beats these in every objective" if len(objectives) > 1 else "Best by robust score"
    if not shown:
        return
    found = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), title=title, title_justify="left",
                  title_style="dim")  # fmt: skip
    columns = ("total_return", "max_drawdown", "sharpe", "trades")
    for name in (*names, *objectives, "robust", *(c for c in columns if c not in objectives)):
        found.add_column(name, justify="right")
    for trial in shown[:ROWS]:
        one = result.trial(trial)
        figures = [toned(name, one.figures[name]) for name in columns if name not in objectives]
        robust = figure(objectives[0], result.robust.get(trial))
        values = [figure(name, value) for name, value in zip(objectives, one.values, strict=True)]
        found.add_row(*(plain(one.parameters[name]) for name in names), *values, robust, *figures)
    out.print()
    out.print(found)


def heat(found: HeatMap, objective: str, low_is_better: bool, out: Console) -> None:
    """Coloured from the worst to the best score; wide maps are thinned."""
    known = [score for row in found.scores for score in row if score is not None]
    if not known:
        return
    columns = range(0, len(found.xs), -(-len(found.xs) // WIDEST))
    rows = range(0, len(found.ys), -(-len(found.ys) // WIDEST))
    factor = 100.0 if is_rate(objective) else 1.0
    title = f"Mean {objective}{', %' if is_rate(objective) else ''}: {found.x} across, {found.y} down"
    grid = Table(box=None, header_style="dim", padding=(0, 1, 0, 0), title=title, title_justify="left",
                 title_style="dim")  # fmt: skip
    grid.add_column("")
    for i in columns:
        grid.add_column(plain(found.xs[i]), justify="right")
    low, high = min(known), max(known)
    for j in rows:
        cells = [shaded(found.scores[j][i], (low, high), low_is_better, factor) for i in columns]
        grid.add_row(Text(plain(found.ys[j]), style="dim"), *cells)
    out.print()
    out.print(grid)


def shaded(score: float | None, ends: tuple[float, float], low_is_better: bool, factor: float = 1.0) -> Text:
    if score is None:
        return Text("·", style="dim")
    part = (score - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 1.0
    part = 1.0 - part if low_is_better else part
    return Text(f"{factor * score:.2f}", style=SHADES[min(len(SHADES) - 1, int(part * len(SHADES)))])


def slice_table(one: Slice, objective: str, out: Console) -> None:
    """One line: what each value gives, all else as recommended where it was tried, else on average."""
    scores = [mean if beside is None else beside for beside, mean in zip(one.beside, one.mean, strict=True)]
    shown = [
        f"{plain(at)}: {figure(objective, score)}"
        for at, score in zip(one.at, scores, strict=True)
        if score is not None
    ]
    step = -(-len(shown) // 12) or 1
    out.print(Text(f"{one.parameter:<12} " + "   ".join(shown[::step]), style="dim"))


def held(result: SearchResult, out: Console) -> None:
    out.print()
    weights = ", ".join(f"{name} {100 * share:.0f} %" for name, share in result.importance.items())
    out.print(f"Share of the score's variance that each parameter explains by itself: {weights}")
    rings = [ring for ring in result.rings if ring.trials and ring.mean is not None]
    if rings:
        name = result.wish.objectives[0]
        told = "; ".join(
            f"up to {100 * r.upto:.0f} % away {figure(name, r.mean)} (worst {figure(name, r.worst)})" for r in rings
        )
        out.print(f"Around it, by distance in what was searched: {told}")


def luck(result: SearchResult, out: Console) -> None:
    found = Table(box=None, show_header=False, padding=(0, 2, 0, 0), title="How likely is the search luck?",
                  title_justify="left", title_style="dim")  # fmt: skip
    found.add_column(style="dim")
    found.add_column()
    for row in rows_of_search(result.luck, result.reasons, len(result.trials)):
        found.add_row(*row)
    out.print()
    out.print(found)


def better_low(result: SearchResult) -> bool:
    from onetape.backtest.search.objectives import objective_of

    return objective_of(result.wish.objectives[0]).sign < 0.0


def given(one: Scored) -> str:
    return ", ".join(f"{name}={plain(value)}" for name, value in one.parameters.items())


def plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def toned(name: str, value: Any) -> str | Text:
    if name == "total_return":
        return backtest_report.rate(value, signed=True)
    return figure(name, -value if name == "max_drawdown" else value)
