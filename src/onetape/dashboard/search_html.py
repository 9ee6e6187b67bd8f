"""A search for parameters as one HTML file that opens anywhere without a network: scores, heat map, slices, luck."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from onetape.backtest.luck.words import rows_of_search
from onetape.backtest.report import kept
from onetape.dashboard.report_charts import ACCENT, CLEAR, DOWN, FAINT, GREY, UP
from onetape.dashboard.report_html import STYLE, section
from onetape.domain.results import Result
from onetape.domain.searches import Scored, SearchResult

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
        f'<p class="quiet">{escape(says)}; search {escape(result.id)}</p>'
    )


def told(result: SearchResult) -> str:
    if result.recommended is None:
        return f'<p class="warn">Nothing is recommended. {escape(result.reasons["recommended"])}</p>'
    one, name = result.trial(result.recommended), result.wish.objectives[0]
    text = (
        f"{name} {number(one.values[0])}; three of four neighbours reach {number(result.robust[one.number])} or better"
    )
    said = f"<h2>Recommended: {escape(given(one))}</h2><p>{escape(text)}</p>"
    if result.peak is not None and result.peak != result.recommended:
        top = result.trial(result.peak)
        near = result.robust.get(top.number)
        tail = "too few neighbours to say more" if near is None else f"its neighbours only {number(near)}"
        said += f'<p class="quiet">Highest single score: {number(top.values[0])} ({escape(given(top))}); {tail}</p>'
    return said


def chart(figure: Any, height: int = 460) -> str:
    figure.update_layout(
        height=height, paper_bgcolor=CLEAR, plot_bgcolor=CLEAR, font={"color": GREY, "size": 12}, showlegend=False,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
    )  # fmt: skip
    figure.update_xaxes(gridcolor=FAINT, zerolinecolor=FAINT)
    figure.update_yaxes(gridcolor=FAINT, zerolinecolor=FAINT)
    return f'<div class="card">{figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG)}</div>'


def heat_card(result: SearchResult) -> str:
    found = result.heat
    if found is None:
        return ""
    drawn = go.Figure(heat_trace(result))
    drawn.update_xaxes(title=found.x)
    drawn.update_yaxes(title=found.y)
    return f"<h2>Mean {escape(result.wish.objectives[0])} over all other parameters</h2>{chart(drawn)}"


def heat_trace(result: SearchResult) -> Any:
    found = result.heat
    assert found is not None
    scale = [[0.0, DOWN], [0.5, "#2a2d33"], [1.0, UP]]
    texts = [str(value) for value in found.xs], [str(value) for value in found.ys]
    return go.Heatmap(x=texts[0], y=texts[1], z=found.scores, colorscale=scale, hoverongaps=False)


def slices_card(result: SearchResult) -> str:
    titles = [f"{one.parameter}: {100 * result.importance[one.parameter]:.0f} %" for one in result.slices]
    drawn = make_subplots(rows=1, cols=len(titles), subplot_titles=titles)
    for i, one in enumerate(result.slices):
        at = [str(value) for value in one.at]
        for values, name, colour in ((one.best, "best", UP), (one.mean, "mean", GREY)):
            drawn.add_trace(go.Scatter(x=at, y=values, name=name, line={"color": colour}), row=1, col=i + 1)
        if any(value is not None for value in one.beside):
            trace = go.Scatter(x=at, y=one.beside, name="all else as recommended", line={"color": ACCENT})
            drawn.add_trace(trace, row=1, col=i + 1)
    note = (
        "Blue: only this parameter differs from the recommended trial. Grey: mean of all trials there, green: their "
        "best. The percentages say how much of the score's variance each parameter explains by itself."
    )
    return f'<h2>Along each parameter</h2>{chart(drawn, 340)}<p class="quiet">{note}</p>'


def front_card(result: SearchResult) -> str:
    names = result.wish.objectives
    if len(names) < 2:
        return ""
    front = set(result.front)
    drawn = go.Figure()
    for chosen, colour, size in ((False, GREY, 4), (True, UP, 8)):
        rows = [one for one in result.trials if one.values and (one.number in front) == chosen]
        x, y = [one.values[0] for one in rows], [one.values[1] for one in rows]
        mark = {"color": colour, "size": size}
        drawn.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=mark, text=[given(one) for one in rows]))
    drawn.update_xaxes(title=names[0])
    drawn.update_yaxes(title=names[1])
    return f"<h2>No other trial beats the green ones in every objective</h2>{chart(drawn)}"


def around(result: SearchResult) -> str:
    rows = [
        (
            f"{100 * ring.above:.0f} to {100 * ring.upto:.0f} %",
            f"{ring.trials:,}",
            number(ring.mean),
            number(ring.worst),
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
            *(number(value) for value in one.values),
            number(result.robust.get(one.number)),
            *(number(one.figures[name]) for name in extra),
        )
        for one in rows
    ]
    more = f" (the first {MOST:,} of {len(result.trials):,})" if len(result.trials) > MOST else ""
    return f'<h2>Trials{more}</h2><div class="card scroll">{rows_html(columns, lines)}</div>'


def rows_html(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def given(one: Scored) -> str:
    return ", ".join(f"{name} = {value}" for name, value in one.parameters.items())


def number(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.2f}" if abs(value) >= 1.0 or value == 0.0 else f"{value:.4f}"
