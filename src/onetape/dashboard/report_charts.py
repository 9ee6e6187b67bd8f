"""The charts of a report as Plotly figures that look right on a light page and on a dark one. Draws, never computes
more than which points are worth drawing."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from onetape.backtest.trades import thinned
from onetape.core.state import F_PRICE, F_QTY, F_ROLE, F_SIDE
from onetape.dashboard.figures import drawdown
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Ints, resample
from onetape.domain.orders import Role
from onetape.domain.report import Level, Report
from onetape.ports import StoredRun

GREY, FAINT, CLEAR = "#858c95", "rgba(133,140,149,0.22)", "rgba(0,0,0,0)"
ACCENT, UP, DOWN, FREE = "#4f8df5", "#2f9e77", "#d9534f", "#b07cd8"
MOST_CANDLES: Final = 6_000  # a chart of more is slow in a browser and shows no more
MOST_POINTS: Final = 2_000  # fills that are drawn, the last ones
FEW_POINTS: Final = 300  # more are drawn small
STRETCHES: Final = 1_000
LADDER: Final = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "1w")
LEVELS: Final = (("stop", DOWN), ("take", UP), ("limit", ACCENT))


def coarser(frame: CandleFrame) -> CandleFrame:
    """The same prices in fewer, longer candles when there are too many to draw; extremes are kept by resampling."""
    for name in LADDER:
        if len(frame) <= MOST_CANDLES:
            break
        try:
            longer = resample(frame, name)
        except BadInput:
            continue
        frame = longer if len(longer) < len(frame) else frame
    return frame


def several(run: StoredRun) -> bool:
    """Whether the run is of several books: their prices have no axis in common, so an index is drawn, without fills."""
    return run.view.kind != "backtest"


def caption(run: StoredRun, frame: CandleFrame, shown: CandleFrame) -> str:
    if several(run):
        return "An index of the markets, equally weighted, 100 at the beginning. Times are UTC."
    text = "Signals at the close of their candle, fills at their own time and price."
    if shown.timeframe != frame.timeframe:
        text += f" The chart draws candles of {shown.timeframe}, made from those of {frame.timeframe} that were traded."
    if len(run.fills) > MOST_POINTS:
        text += f" The last {MOST_POINTS:,} of {len(run.fills):,} fills are drawn."
    said = run.report.said if run.report else None
    if said and said.all > len(said.ts):
        text += f" The last {len(said.ts):,} of {said.all:,} signals are drawn."
    return text + " Times are UTC. Click a name in the legend to hide what it names."


def main_chart(run: StoredRun, frame: CandleFrame | None, shown: CandleFrame | None) -> Any:
    """Price (when its candles are there), equity and drawdown below each other."""
    price = shown is not None and frame is not None and len(shown) > 0
    heights = [0.56, 0.27, 0.17] if price else [0.65, 0.35]
    titles = ("Index" if several(run) else "Price", "Equity", "Drawdown, %") if price else ("Equity", "Drawdown, %")
    chart = make_subplots(rows=len(heights), cols=1, shared_xaxes=True, vertical_spacing=0.04, row_heights=heights,
                          subplot_titles=titles)  # fmt: skip
    row = len(heights) - 1
    if price and shown is not None:
        prices = {name: getattr(shown, name) for name in ("open", "high", "low", "close")}
        style = {"increasing_line_color": UP, "decreasing_line_color": DOWN, "line_width": 1}
        chart.add_trace(go.Candlestick(x=stamps(shown.ts), name="price", **prices, **style), row=1, col=1)
        marks = [] if several(run) else [*level_traces(run.report), *signal_traces(run.report), *fill_traces(run)]
        for trace in marks:
            chart.add_trace(trace, row=1, col=1)
    for trace in equity_traces(run, frame):
        chart.add_trace(trace, row=row, col=1)
    ts, fall = thinned(run.ts, 100.0 * drawdown(run.equity, run.view.spec.cash), STRETCHES)
    chart.add_trace(
        go.Scatter(x=stamps(ts), y=fall, name="drawdown", showlegend=False, fill="tozeroy",
                   line={"color": DOWN, "width": 1}),
        row=row + 1, col=1,
    )  # fmt: skip
    dressed(chart, 820 if price else 460)
    chart.update_layout(hovermode="x", dragmode="pan", xaxis_rangeslider_visible=False,
                        legend={"orientation": "h", "y": -0.05, "yanchor": "top", "x": 0})  # fmt: skip
    return chart


def spread_chart(report: Report) -> Any:
    """How the results of trades are spread, and the Sharpe ratio over time; None where there is neither."""
    parts = [part for part in (len(report.distribution) > 1, report.rolling is not None) if part]
    if not parts:
        return None
    titles = ["Trades by result, %"] if len(report.distribution) > 1 else []
    titles += [f"Sharpe ratio of the last {report.rolling.days} days"] if report.rolling else []
    chart = make_subplots(rows=len(parts), cols=1, vertical_spacing=0.22, subplot_titles=titles)
    if len(report.distribution) > 1:
        middle = [50.0 * (one.low + one.high) for one in report.distribution]
        colors = [UP if x > 0 else DOWN for x in middle]
        said = [f"{100 * one.low:.3g} % to {100 * one.high:.3g} %: {one.trades:,}" for one in report.distribution]
        bars = go.Bar(x=middle, y=[one.trades for one in report.distribution], marker_color=colors, showlegend=False,
                      text=said, textposition="none", hovertemplate="%{text}<extra></extra>")  # fmt: skip
        chart.add_trace(bars, row=1, col=1)
    if report.rolling:
        ratio = go.Scatter(x=stamps_of(report.rolling.ts), y=report.rolling.sharpe, showlegend=False,
                           line={"color": ACCENT, "width": 1.5})  # fmt: skip
        chart.add_trace(ratio, row=len(parts), col=1)
    return dressed(chart, 230 * len(parts))


def level_traces(report: Report | None) -> list[Any]:
    """Stops, targets and limits as lines from where they began to wait to where they ended."""
    found: list[Level] = report.levels if report else []
    traces = []
    for kind, color in LEVELS:
        mine = [one for one in found if one.kind == kind]
        if not mine:
            continue
        x = [ts for one in mine for ts in (one.start_ts, one.end_ts, one.end_ts)]
        y = [price for one in mine for price in (one.price, one.price, None)]
        traces.append(go.Scatter(x=stamps_of(x), y=y, mode="lines", name=kind, hoverinfo="skip",
                                 line={"color": color, "width": 1, "dash": "dot"}))  # fmt: skip
    return traces


def signal_traces(report: Report | None) -> list[Any]:
    """What the strategy said, where it said something new."""
    if report is None or not report.said.ts:
        return []
    said = report.said
    rows = zip(said.label, said.target, said.confidence, strict=True)
    text = [f"{label + ': ' if label else ''}target {t:+.2f}, confidence {c:.2f}" for label, t, c in rows]
    mark = {"symbol": "circle-open", "size": 6, "color": ACCENT}
    return [
        go.Scatter(x=stamps_of(said.ts), y=said.price, name="signal", text=text, marker=mark, mode="markers",
                   hovertemplate="%{text}<extra></extra>", visible=True if said.all <= 500 else "legendonly")
    ]  # fmt: skip


def fill_traces(run: StoredRun) -> list[Any]:
    fills, ts = run.fills[-MOST_POINTS:], run.fill_ts[-MOST_POINTS:]
    many = len(fills) > FEW_POINTS
    traces = []
    for side, name, symbol, color in ((1.0, "buy", "triangle-up", UP), (-1.0, "sell", "triangle-down", DOWN)):
        rows = fills[:, F_SIDE] == side
        said = [
            f"{name} {qty:g} at {price:g}, {Role(int(role)).name.lower().replace('_', ' ')}"
            for qty, price, role in zip(fills[rows, F_QTY], fills[rows, F_PRICE], fills[rows, F_ROLE], strict=True)
        ]
        mark = {
            "symbol": symbol,
            "size": 6 if many else 9,
            "color": color,
            "line": {"width": 0 if many else 1, "color": "#101114"},
        }
        traces.append(go.Scatter(x=stamps(ts[rows]), y=fills[rows, F_PRICE], name=name, text=said, marker=mark,
                                 mode="markers", hovertemplate="%{text}<extra></extra>"))  # fmt: skip
    return traces


def equity_traces(run: StoredRun, frame: CandleFrame | None) -> list[Any]:
    """The curve, the one without costs, and that of buying and holding."""
    ts, equity = thinned(run.ts, run.equity, STRETCHES)
    made = [curve(stamps(ts), equity, "equity", ACCENT)]
    if run.report and run.report.reality:
        free = run.report.reality
        made.append(curve(stamps_of(free.free_ts), free.free_equity, "without costs", FREE, "dash"))
    if frame is not None and len(frame):
        held_ts, price = thinned(frame.close_ts, frame.close, STRETCHES)
        made.append(curve(stamps(held_ts), price / frame.open[0] * run.view.spec.cash, "buy and hold", GREY, "dot"))
    return made


def curve(x: Any, y: Any, name: str, color: str, dash: str = "solid") -> Any:
    return go.Scatter(x=x, y=y, name=name, line={"color": color, "width": 1.5, "dash": dash})


def dressed(chart: Any, height: int) -> Any:
    chart.update_layout(
        height=height, paper_bgcolor=CLEAR, plot_bgcolor=CLEAR,
        font={"color": GREY, "size": 12, "family": "system-ui, sans-serif"},
        margin={"l": 8, "r": 8, "t": 32, "b": 8}, bargap=0.08,
    )  # fmt: skip
    chart.update_xaxes(gridcolor=FAINT, zerolinecolor=FAINT, linecolor=FAINT)
    chart.update_yaxes(gridcolor=FAINT, zerolinecolor=GREY, side="right", automargin=True)
    chart.update_annotations(font_size=12, x=0, xanchor="left")
    return chart


def stamps(ts: Ints) -> Any:
    return ts.astype("datetime64[us]").astype("datetime64[s]")


def stamps_of(ts: list[int]) -> Any:
    return stamps(np.array(ts, np.int64))
