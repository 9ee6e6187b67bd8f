"""The charts of a search as Plotly figures, for its page and for its HTML file. Draws what was read."""

from __future__ import annotations

from typing import Any, Final

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from onetape.backtest.figures import is_rate
from onetape.backtest.search.objectives import objective_of
from onetape.dashboard.report_charts import ACCENT, CLEAR, DOWN, FAINT, GREY, UP
from onetape.domain.searches import HeatMap, Scored, SearchResult
from onetape.domain.units import rfc3339
from onetape.domain.walkforward import WalkView

MIDDLE: Final = "#2a2d33"
PERCENT: Final = ".1%"  # of axes whose figure is a rate
MOST: Final = 4  # parameters whose way through the windows is drawn
WIDE: Final = 3  # slices beside each other; more go below


def given(one: Scored) -> str:
    return ", ".join(f"{name} = {value}" for name, value in one.parameters.items())


def dressed(figure: Any, height: int) -> Any:
    figure.update_layout(
        height=height, paper_bgcolor=CLEAR, plot_bgcolor=CLEAR, font={"color": GREY, "size": 12}, showlegend=False,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
    )  # fmt: skip
    figure.update_annotations(font_size=12)
    figure.update_xaxes(gridcolor=FAINT, zerolinecolor=FAINT, automargin=True)
    figure.update_yaxes(gridcolor=FAINT, zerolinecolor=FAINT, automargin=True)
    return figure


def heat_chart(found: HeatMap, objective: str, chosen: Scored | None, height: int = 460) -> Any:
    """The mean score of each cell; `chosen` gets a ring. Cells without a trial stay empty."""
    drawn = go.Figure(heat_trace(found, objective))
    if chosen is not None and {found.x, found.y} <= chosen.parameters.keys():
        at = [str(chosen.parameters[found.x])], [str(chosen.parameters[found.y])]
        ring = {"symbol": "circle-open", "size": 13, "color": "#ffffff", "line": {"width": 2}}
        if at[0][0] in map(str, found.xs) and at[1][0] in map(str, found.ys):
            drawn.add_trace(go.Scatter(x=at[0], y=at[1], mode="markers", marker=ring, hoverinfo="skip"))
    for axis, name, values in (("xaxis", found.x, found.xs), ("yaxis", found.y, found.ys)):
        texts = [str(value) for value in values]
        drawn.update_layout({axis: {"title": name, "type": "category", "categoryarray": texts, "showgrid": False}})
    return dressed(drawn, height).update_layout(margin_t=8)


def heat_trace(found: HeatMap, objective: str) -> Any:
    """Better is greener. Where scores lie on both sides of 0, that is the middle of the colours."""
    less = objective_of(objective).sign < 0.0
    known = [score for row in found.scores for score in row if score is not None]
    middle = 0.0 if known and min(known) < 0.0 < max(known) else None
    colours = [UP, MIDDLE, DOWN] if less else [DOWN, MIDDLE, UP]
    return go.Heatmap(
        x=[str(value) for value in found.xs], y=[str(value) for value in found.ys], z=found.scores, zmid=middle,
        colorscale=[[0.0, colours[0]], [0.5, colours[1]], [1.0, colours[2]]], hoverongaps=False, xgap=1, ygap=1,
        colorbar={"thickness": 10, "outlinewidth": 0, "len": 1.0, "tickformat": ticks(objective)},
        hovertemplate=f"{found.x} %{{x}}, {found.y} %{{y}}: %{{z:{ticks(objective) or '.4g'}}}<extra></extra>",
    )  # fmt: skip


def ticks(objective: str) -> str | None:
    return PERCENT if is_rate(objective) else None


def slices_chart(result: SearchResult, height: int = 250) -> Any:
    """Each parameter by itself: blue with all else as recommended, grey the mean, green the best."""
    titles = [f"{one.parameter}: {100 * result.importance[one.parameter]:.0f} %" for one in result.slices]
    rows, columns = -(-len(titles) // WIDE), min(WIDE, len(titles))
    drawn = make_subplots(rows=rows, cols=columns, subplot_titles=titles, vertical_spacing=0.28 / rows)
    for i, one in enumerate(result.slices):
        at, place = [str(value) for value in one.at], {"row": i // WIDE + 1, "col": i % WIDE + 1}
        for values, name, colour in ((one.best, "best", UP), (one.mean, "mean", GREY)):
            drawn.add_trace(go.Scatter(x=at, y=values, name=name, line={"color": colour}), **place)
        if any(value is not None for value in one.beside):
            trace = go.Scatter(x=at, y=one.beside, name="all else as recommended", line={"color": ACCENT})
            drawn.add_trace(trace, **place)
    drawn.update_xaxes(type="category")
    drawn.update_yaxes(tickformat=ticks(result.wish.objectives[0]))
    return dressed(drawn, height * rows)


SLICES_SAY: Final = (
    "Blue: only this parameter differs from the recommended trial. Grey: mean of all trials there, green: their best. "
    "The percentages say how much of the score's variance each parameter explains by itself."
)


def front_chart(result: SearchResult, height: int = 460) -> Any:
    """The first two objectives of all trials; green are those that no other beats in all of them."""
    names, front = result.wish.objectives, set(result.front)
    drawn = go.Figure()
    for chosen, colour, size in ((False, GREY, 4), (True, UP, 8)):
        rows = [one for one in result.trials if one.values and (one.number in front) == chosen]
        x, y = [one.values[0] for one in rows], [one.values[1] for one in rows]
        mark = {"color": colour, "size": size}
        drawn.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=mark, text=[given(one) for one in rows]))
    drawn.update_xaxes(title=names[0], tickformat=ticks(names[0]))
    drawn.update_yaxes(title=names[1], tickformat=ticks(names[1]))
    return dressed(drawn, height)


def walk_chart(view: WalkView) -> Any:
    """Window by window: the objective as it was searched and as it was traded, and the parameters that were chosen."""
    days = [rfc3339(one.span.test_start)[:10] for one in view.windows]
    numbers = [name for name in view.searched if isinstance(view.windows[0].parameters[name], int | float)][:MOST]
    titles = [view.objective, *numbers]
    drawn = make_subplots(rows=len(titles), cols=1, shared_xaxes=True, subplot_titles=titles, vertical_spacing=0.08,
                          row_heights=[2.0] + [1.0] * len(numbers))  # fmt: skip
    for values, name, colour in (
        ([one.searched for one in view.windows], "searched", GREY),
        ([one.traded for one in view.windows], "traded unseen", ACCENT),
    ):
        drawn.add_trace(go.Bar(x=days, y=values, name=name, marker_color=colour), row=1, col=1)
    for i, name in enumerate(numbers):
        given = [one.parameters[name] for one in view.windows]
        line = {"color": ACCENT, "shape": "hvh"}
        drawn.add_trace(go.Scatter(x=days, y=given, name=name, line=line, showlegend=False), row=i + 2, col=1)
    drawn.update_xaxes(type="category")
    drawn.update_yaxes(tickformat=ticks(view.objective), row=1, col=1)
    dressed(drawn, 200 + 100 * len(numbers)).update_annotations(x=0, xanchor="left")
    return drawn.update_layout(showlegend=True, legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.12})
