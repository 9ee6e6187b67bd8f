"""A backtest as one HTML file that opens anywhere without a network: charts, figures, months, trades."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from onetape.backtest.compare import comparison
from onetape.backtest.report import Month, assumptions, months, warnings
from onetape.backtest.trades import fill_times, thinned, trades_of
from onetape.core.state import F_PRICE, F_QTY, F_ROLE, F_SIDE
from onetape.dashboard.report_luck import luck_section
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats, Ints, resample
from onetape.domain.orders import Role
from onetape.domain.results import Result, Trade
from onetape.domain.units import rfc3339

BG, CARD, LINE, TEXT, QUIET = "#101114", "#16181c", "#262a30", "#d5d8dc", "#858c95"
ACCENT, UP, DOWN, WARN = "#6ea8fe", "#3fb68b", "#e0605e", "#d9a648"
MOST_CANDLES: Final = 6_000  # a chart of more is slow in a browser and shows no more
MOST_TRADES: Final = 2_000  # rows of the table
LADDER: Final = ("1m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "1w")
NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

STYLE: Final = f"""
* {{ box-sizing: border-box; }}
body {{ background: {BG}; color: {TEXT}; font: 14px/1.5 system-ui, sans-serif; margin: 0; }}
main {{ max-width: 1280px; margin: 0 auto; padding: 24px 16px 64px; }}
h1 {{ font-size: 22px; margin: 32px 0 2px; }} h2 {{ font-size: 15px; margin: 28px 0 8px; }}
p {{ margin: 2px 0; }} .quiet, th {{ color: {QUIET}; font-weight: 400; }} .warn {{ color: {WARN}; }}
.card {{ background: {CARD}; border: 1px solid {LINE}; border-radius: 8px; padding: 12px; overflow-x: auto; }}
.figures {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 10px; margin: 14px 0; }}
.figures div {{ background: {CARD}; border: 1px solid {LINE}; border-radius: 8px; padding: 8px 12px; }}
.figures span {{ display: block; color: {QUIET}; font-size: 12px; }} .figures b {{ font-weight: 600; font-size: 16px; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 13px; }}
th, td {{ text-align: right; padding: 3px 8px; white-space: nowrap; border-bottom: 1px solid {LINE}; }}
th:first-child, td:first-child {{ text-align: left; }} .scroll {{ max-height: 420px; overflow: auto; }}
.comparison td:first-child {{ white-space: normal; }}
.up {{ color: {UP}; }} .down {{ color: {DOWN}; }}
.scroll th {{ position: sticky; top: -12px; background: {CARD}; }}
"""


def page(results: Sequence[Result]) -> str:
    """The whole document, the chart library inside."""
    title = ", ".join(result.spec.strategy for result in results) or "backtest"
    body = "".join(section(result) for result in results)
    head = compared(results) if len(results) > 1 else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · onetape</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>'
        f"<script>{get_plotlyjs()}</script></head><body><main>{head}{body}"
        '<p class="quiet">A backtest is a statement about the past. It promises nothing.</p></main></body></html>'
    )


def section(result: Result) -> str:
    spec, frame, metrics = result.spec, result.candles, result.metrics
    given = ", ".join(f"{name} = {value}" for name, value in spec.parameters.items())
    where = f"{frame.exchange} {frame.symbol}, {moment(metrics['start_ts'])} to {moment(metrics['end_ts'])} UTC, "
    where += f"{metrics['bars']:,} candles of {spec.timeframe}"
    shown = coarser(frame.between(metrics["start_ts"], None))
    trades = trades_of(result.tape)
    chart = figure(result, shown).to_html(
        full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True, "scrollZoom": True}
    )
    return "".join(
        (
            f"<h1>{escape(spec.strategy)}</h1><p>{escape(given)}</p><p>{escape(where)}</p>",
            f'<p class="quiet">{escape(assumptions(result))}; run {escape(result.run_id)}</p>',
            *(f'<p class="warn">{escape(text)}</p>' for text in warnings(result)),
            tiles(metrics),
            f'<div class="card">{chart}<p class="quiet">{escape(caption(frame, shown))}</p></div>',
            luck_section(metrics),
            f'<h2>Return by month, %</h2><div class="card">{month_table(months(result))}</div>',
            f"<h2>Trades</h2>{trade_table(trades)}",
        )
    )


# --- charts


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


def caption(frame: CandleFrame, shown: CandleFrame) -> str:
    text = "Signals at the close of their candle, fills at their own time and price."
    if shown.timeframe != frame.timeframe:
        text += f" The chart draws candles of {shown.timeframe}, made from those of {frame.timeframe} that were traded."
    return text + " Times are UTC."


def figure(result: Result, shown: CandleFrame) -> Any:
    chart = make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.03, row_heights=[0.56, 0.26, 0.18],
        subplot_titles=("Price", "Equity", "Drawdown, %"),
    )  # fmt: skip
    prices = {name: getattr(shown, name) for name in ("open", "high", "low", "close")}
    style = {"increasing_line_color": UP, "decreasing_line_color": DOWN, "line_width": 1}
    chart.add_trace(go.Candlestick(x=stamps(shown.ts), name="price", **prices, **style), row=1, col=1)
    for trace in (*signal_traces(result), *fill_traces(result)):
        chart.add_trace(trace, row=1, col=1)
    for trace in equity_traces(result):
        chart.add_trace(trace, row=2, col=1)
    chart.add_trace(drawdown_trace(result), row=3, col=1)
    chart.update_layout(
        height=820, paper_bgcolor=CARD, plot_bgcolor=CARD, font={"color": QUIET, "size": 12}, dragmode="pan",
        margin={"l": 8, "r": 8, "t": 32, "b": 8}, xaxis_rangeslider_visible=False, hovermode="x",
        legend={"orientation": "h", "y": 1.06, "x": 1, "xanchor": "right"},
    )  # fmt: skip
    chart.update_xaxes(gridcolor=LINE, zerolinecolor=LINE)
    chart.update_yaxes(gridcolor=LINE, zerolinecolor=LINE, side="right")
    return chart


def signal_traces(result: Result) -> list[Any]:
    """What the strategy said, where it said something new."""
    target = result.signals.target
    if not len(target):
        return []
    before = np.concatenate(([np.nan], target[:-1]))
    traded = result.candles.ts >= result.metrics["start_ts"]
    rows = np.flatnonzero(~np.isnan(target) & (target != before) & traded)
    frame, sure = result.candles, result.signals.confidence
    said = [f"target {t:+.2f}, confidence {c:.2f}" for t, c in zip(target[rows], sure[rows], strict=True)]
    mark = {"symbol": "circle-open", "size": 6, "color": ACCENT}
    ts = frame.close_ts[rows]
    return [
        points(
            ts,
            frame.close[rows],
            name="signal",
            text=said,
            marker=mark,
            visible="legendonly" if len(rows) > MOST_TRADES else True,
        )
    ]


def fill_traces(result: Result) -> list[Any]:
    fills, ts = result.tape.fills, fill_times(result.tape)
    traces = []
    for side, name, symbol, color in ((1.0, "buy", "triangle-up", UP), (-1.0, "sell", "triangle-down", DOWN)):
        rows = fills[:, F_SIDE] == side
        said = [
            f"{name} {qty:g} at {price:g}, {Role(int(role)).name.lower().replace('_', ' ')}"
            for qty, price, role in zip(fills[rows, F_QTY], fills[rows, F_PRICE], fills[rows, F_ROLE], strict=True)
        ]
        mark = {"symbol": symbol, "size": 9, "color": color, "line": {"width": 1, "color": BG}}
        traces.append(points(ts[rows], fills[rows, F_PRICE], name=name, text=said, marker=mark))
    return traces


def points(ts: Ints, values: Floats, **style: Any) -> Any:
    kind = go.Scattergl if len(ts) > MOST_TRADES else go.Scatter
    return kind(x=stamps(ts), y=values, mode="markers", hovertemplate="%{text}<extra></extra>", **style)


def equity_traces(result: Result) -> list[Any]:
    tape, frame = result.tape, result.candles
    ts, equity = thinned(tape.close_ts, tape.equity, MOST_TRADES)
    traded = frame.between(result.metrics["start_ts"], None)
    held_ts, price = thinned(traded.close_ts, traded.close, MOST_TRADES)
    held = price / traded.open[0] * result.spec.cash
    return [
        go.Scatter(x=stamps(ts), y=equity, name="equity", line={"color": ACCENT, "width": 1.5}),
        go.Scatter(x=stamps(held_ts), y=held, name="buy and hold", line={"color": QUIET, "width": 1, "dash": "dot"}),
    ]


def drawdown_trace(result: Result) -> Any:
    tape = result.tape
    peak = np.maximum(np.maximum.accumulate(tape.equity), result.spec.cash)
    ts, fall = thinned(tape.close_ts, 100.0 * (tape.equity / peak - 1.0), MOST_TRADES)
    return go.Scatter(
        x=stamps(ts), y=fall, name="drawdown", showlegend=False, fill="tozeroy", line={"color": DOWN, "width": 1}
    )


def stamps(ts: Ints) -> Any:
    return ts.astype("datetime64[us]")


# --- tables


def tiles(m: dict[str, Any]) -> str:
    still = f" (+{m['open_trades']} open)" if m["open_trades"] else ""
    shown = (
        ("Return", percent(m["total_return"])),
        ("Buy and hold", percent(m["buy_and_hold"])),
        ("CAGR", percent(m["cagr"])),
        ("Max drawdown", percent(-m["max_drawdown"])),
        ("Drawdown from", moment(m["max_drawdown_peak_ts"])[:10]),
        ("Drawdown to", moment(m["max_drawdown_low_ts"])[:10]),
        ("Recovered", recovered(m)),
        ("Sharpe", number(m["sharpe"])),
        ("Sortino", number(m["sortino"])),
        ("Calmar", number(m["calmar"])),
        ("Trades", f"{m['trades']:,}{still}"),
        ("Win rate", percent(m["win_rate"])),
        ("Profit factor", number(m["profit_factor"])),
        ("Expectancy", number(m["expectancy"])),
        ("Best trade", percent(m["best_trade"])),
        ("Worst trade", percent(m["worst_trade"])),
        ("Losing streak", f"{m['longest_losing_streak']:,}"),
        ("In the market", percent(m["exposure"])),
        ("Start", number(m["initial_cash"])),
        ("End", number(m["final_equity"])),
        ("Fees paid", number(m["fees"])),
        ("Slippage paid", number(m["slippage"])),
    )
    return '<div class="figures">' + "".join(f"<div><span>{k}</span><b>{v}</b></div>" for k, v in shown) + "</div>"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def month_table(found: Sequence[Month]) -> str:
    rows = []
    for year, group in groupby(found, key=lambda month: month.year):
        rates = {month.month: month.rate for month in group}
        total = float(np.prod([1.0 + rate for rate in rates.values()])) - 1.0
        rows.append([str(year), *(colored(rates.get(i + 1)) for i in range(12)), colored(total)])
    return table(("Year", *NAMES, "Year"), rows)


def trade_table(trades: Sequence[Trade]) -> str:
    shown = trades[-MOST_TRADES:]
    note = "" if len(shown) == len(trades) else f"<p class='quiet'>The last {len(shown):,} of {len(trades):,}.</p>"
    rows = (
        (
            moment(t.entry_ts), moment(t.exit_ts), "long" if t.side > 0 else "short", f"{t.qty:g}",
            number(t.entry_price), number(t.exit_price), number(t.fees), number(t.profit), colored(t.rate, 2),
            "still open" if t.open else t.exit_role.replace("_", " "),
        )
        for t in reversed(shown)
    )  # fmt: skip
    header = ("Entry", "Exit", "Side", "Quantity", "Entry price", "Exit price", "Fees", "Profit", "%", "Left by")
    return f'{note}<div class="card scroll">{table(header, rows)}</div>'


def compared(results: Sequence[Result]) -> str:
    header = (
        "Strategy",
        "Return",
        "CAGR",
        "Drawdown",
        "Sharpe",
        "Sortino",
        "Calmar",
        "Trades",
        "Win rate",
        "Factor",
        "Fees",
    )
    rows = (
        (
            escape(f"{row['strategy']} ({', '.join(f'{k}={v}' for k, v in row['parameters'].items())})"),
            percent(row["total_return"]), percent(row["cagr"]), percent(-row["max_drawdown"]),
            *(number(row[name]) for name in ("sharpe", "sortino", "calmar")), f"{row['trades']:,}",
            percent(row["win_rate"]), number(row["profit_factor"]), number(row["fees"]),
        )
        for row in comparison(results)
    )  # fmt: skip
    body = f'<div class="card comparison">{table(header, rows)}</div>'
    return f'<h1>Comparison</h1><p class="quiet">Best return first.</p>{body}'


def moment(ts: int | None) -> str:
    return "–" if ts is None else rfc3339(ts)[:16].replace("T", " ")


def recovered(m: dict[str, Any]) -> str:
    return (
        "not yet"
        if m["max_drawdown"] and not m["max_drawdown_recovery_ts"]
        else moment(m["max_drawdown_recovery_ts"])[:10]
    )


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.2f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:,.2f} %"


def colored(value: float | None, digits: int = 1) -> str:
    if value is None:
        return "–"
    kind = "up" if value > 0 else "down" if value < 0 else ""
    return f'<span class="{kind}">{100 * value:+.{digits}f}</span>'
