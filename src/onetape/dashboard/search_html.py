"""A search for parameters as one HTML file that opens anywhere without a network: scores, heat map, slices, luck."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from plotly.offline import get_plotlyjs

from onetape.backtest.figures import figure
from onetape.backtest.luck.words import rows_of_search
from onetape.backtest.report import kept
from onetape.backtest.used import told_line
from onetape.dashboard.report_html import STYLE, section
from onetape.dashboard.search_charts import SLICES_SAY, front_chart, given, heat_chart, slices_chart
from onetape.domain.report import DataUsed
from onetape.domain.results import Result
from onetape.domain.searches import SearchResult

MOST: Final = 500  # rows of the table of trials
FIGURES: Final = ("total_return", "max_drawdown", "sharpe", "trades")
CONFIG: Final = {"displaylogo": False, "responsive": True}


def page(result: SearchResult, best: Result | None) -> str:
    """The whole document, the chart library inside; the recommended run follows in full."""
    wish = result.wish
    parts = (head(result), told(result), heat_card(result), slices_card(result), front_card(result), around(result),
             luck_card(result), trial_table(result))  # fmt: skip
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Search of {escape(wish.spec.strategy)} · '
        'onetape</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body><main>{''.join(parts)}"
        f"{'' if best is None else section(kept(best), best.candles)}"
        '<p class="quiet">A backtest is a statement about the past. It promises nothing.</p></main></body></html>'
    )


def head(result: SearchResult) -> str:
    wish, scored = result.wish, len(result.trials) - result.failed
    spaces = "; ".join(f"{name} {text}" for name, text in result.spaces.items())
    where = f"{wish.spec.exchange} {wish.spec.symbol} {wish.spec.timeframe}".strip()
    says = f"{scored:,} trials, {result.refused:,} combinations refused, {result.failed:,} failed; by {wish.method}"
    return (
        f"<h1>Search of {escape(wish.spec.strategy)}</h1><p>{escape(spaces)}</p><p>{escape(where)}</p>"
        f'<p class="quiet">{escape(says)}; search {escape(result.id)}</p>{filled(result.detail)}'
    )


def filled(used: DataUsed | None) -> str:
    return "" if used is None else f'<p class="quiet">Trials filled on: {escape(told_line(used))}</p>'


def told(result: SearchResult) -> str:
    if result.recommended is None:
        return f'<p class="warn">Nothing is recommended. {escape(result.reasons["recommended"])}</p>'
    one, name = result.trial(result.recommended), result.wish.objectives[0]
    text = (
        f"{name} {figure(name, one.values[0])}; three of four neighbours reach "
        f"{figure(name, result.robust[one.number])} or better"
    )
    said = f"<h2>Recommended: {escape(given(one))}</h2><p>{escape(text)}</p>"
    if result.peak is not None and result.peak != result.recommended:
        top = result.trial(result.peak)
        near = result.robust.get(top.number)
        tail = "too few neighbours to say more" if near is None else f"its neighbours only {figure(name, near)}"
        said += (
            f'<p class="quiet">Highest single score: {figure(name, top.values[0])} ({escape(given(top))}); {tail}</p>'
        )
    return said


def chart(figure: Any) -> str:
    return f'<div class="card">{figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG)}</div>'


def heat_card(result: SearchResult) -> str:
    if result.heat is None:
        return ""
    name = result.wish.objectives[0]
    chosen = None if result.recommended is None else result.trial(result.recommended)
    return f"<h2>Mean {escape(name)} over all other parameters</h2>{chart(heat_chart(result.heat, name, chosen))}"


def slices_card(result: SearchResult) -> str:
    return f'<h2>Along each parameter</h2>{chart(slices_chart(result))}<p class="quiet">{SLICES_SAY}</p>'


def front_card(result: SearchResult) -> str:
    if len(result.wish.objectives) < 2:
        return ""
    return f"<h2>No other trial beats the green ones in every objective</h2>{chart(front_chart(result))}"


def around(result: SearchResult) -> str:
    name = result.wish.objectives[0]
    rows = [
        (
            f"{100 * ring.above:.0f} to {100 * ring.upto:.0f} %",
            f"{ring.trials:,}",
            figure(name, ring.mean),
            figure(name, ring.worst),
        )
        for ring in result.rings
        if ring.trials
    ]
    columns = ("distance in what was searched", "trials", "mean", "worst")
    return f'<h2>How the score falls around it</h2><div class="card">{rows_html(columns, rows)}</div>' if rows else ""


def luck_card(result: SearchResult) -> str:
    rows = rows_of_search(result.luck, result.reasons, len(result.trials))
    lines = "".join(f'<tr><td>{escape(name)}</td><td class="said">{escape(text)}</td></tr>' for name, text in rows)
    return f'<h2>How likely is the search luck?</h2><div class="card"><table>{lines}</table></div>'


def trial_table(result: SearchResult) -> str:
    rank = {number: i for i, number in enumerate(result.order)}
    rows = sorted((one for one in result.trials if one.values), key=lambda one: rank.get(one.number, len(rank)))[:MOST]
    names, extra = result.wish.objectives, [name for name in FIGURES if name not in result.wish.objectives]
    columns = (*result.spaces, *names, "robust", *extra)
    lines = [
        (
            *(str(one.parameters[name]) for name in result.spaces),
            *(figure(name, value) for name, value in zip(names, one.values, strict=True)),
            figure(names[0], result.robust.get(one.number)),
            *(figure(name, one.figures[name]) for name in extra),
        )
        for one in rows
    ]
    more = f" (the first {MOST:,} of {len(result.trials):,})" if len(result.trials) > MOST else ""
    return f'<h2>Trials{more}</h2><div class="card scroll">{rows_html(columns, lines)}</div>'


def rows_html(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"
