"""The charts of backtests that do not tick, as Plotly figures in our look. Knows Plotly and numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from onetape.domain.frame import Floats, Ints

LINES: Final = ("#6ea8fe", "#e3b341", "#b58af0", "#4fc3c7", "#f08c6e", "#9ccc65", "#ec7fb5", "#a5adb8")
POINTS: Final = 3000  # a curve is drawn with at most so many
GREY: Final = "#262a30"


def picked(ts: Ints, values: Floats, most: int = POINTS) -> tuple[Ints, Floats]:
    """The lowest and the highest value of each stretch: at most `most` points and no extreme lost."""
    if len(ts) <= most:
        return ts, values
    edges = np.linspace(0, len(ts), most // 2 + 1).astype(np.int64)[:-1]
    parts = [
        (a + values[a:b].argmin(), a + values[a:b].argmax()) for a, b in zip(edges, [*edges[1:], len(ts)], strict=True)
    ]
    rows = np.unique(np.concatenate([np.ravel(parts), [0, len(ts) - 1]]).astype(np.int64))
    return ts[rows], values[rows]


def times(ts: Ints) -> list[str]:
    return [f"{text}Z" for text in np.datetime_as_string(ts.astype("datetime64[us]").astype("datetime64[s]")).tolist()]


def drawdown(equity: Floats, cash: float) -> Floats:
    """How far below its highest value until then, as negative rates."""
    return equity / np.maximum(np.maximum.accumulate(equity), cash) - 1.0


def equity(ts: Ints, values: Floats, cash: float, hold: tuple[Ints, Floats] | None = None) -> go.Figure:
    """Equity above, drawdown below; `hold` is what buying at the start and holding would have made."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.04)
    if hold is not None:
        x, y = picked(*hold)
        figure.add_trace(line(x, y, "buy and hold", "#747b84", dash="dot"), 1, 1)
    x, y = picked(ts, values)
    figure.add_trace(line(x, y, "equity", LINES[0]), 1, 1)
    x, y = picked(ts, drawdown(values, cash) * 100)
    figure.add_trace(line(x, y, "drawdown %", "#e0605e", fill="tozeroy", fillcolor="rgba(224,96,94,0.18)"), 2, 1)
    figure.update_yaxes(title_text="equity", row=1, col=1)
    figure.update_yaxes(title_text="drawdown %", row=2, col=1)
    return dressed(figure, 380)


def compared(curves: Sequence[tuple[str, Ints, Floats]]) -> go.Figure:
    """Several equity curves, each as per cent of its start."""
    figure = go.Figure()
    for i, (name, ts, values) in enumerate(curves):
        x, y = picked(ts, (values / values[0] - 1.0) * 100)
        figure.add_trace(line(x, y, name, LINES[i % len(LINES)]))
    figure.update_yaxes(title_text="return %")
    return dressed(figure, 380)


def line(ts: Ints, values: Floats, name: str, color: str, **more: Any) -> go.Scatter:
    style: dict[str, Any] = {"color": color, "width": 1.5}
    if dash := more.pop("dash", None):
        style["dash"] = dash
    return go.Scatter(x=times(ts), y=values.tolist(), name=name, mode="lines", line=style, **more)


def dressed(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 56, "r": 12, "t": 28, "b": 28},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#9aa0a8", "size": 11, "family": "system-ui, sans-serif"},
        hovermode="x unified",
        hoverlabel={"bgcolor": "#1c1f24", "bordercolor": GREY, "font": {"color": "#d5d8dc"}},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        dragmode="zoom",
    )
    figure.update_xaxes(gridcolor=GREY, zerolinecolor=GREY, linecolor=GREY)
    figure.update_yaxes(gridcolor=GREY, zerolinecolor=GREY, linecolor=GREY, title_standoff=6)
    return figure
