"""A stored run as components: figures of merit, equity, price with entries and exits, months, trades; comparisons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from dash import dcc, html

from onetape.backtest.compare import given, market
from onetape.backtest.report import assumptions
from onetape.dashboard import figures
from onetape.dashboard.report_blocks import (
    books_card,
    detail_card,
    doubts_card,
    groups_cards,
    reality_card,
    spread_card,
)
from onetape.dashboard.report_luck import luck_card
from onetape.dashboard.widgets import widget
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.results import Trade
from onetape.domain.units import rfc3339
from onetape.ports import RunView, StoredRun

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TRADES: Final = 500  # rows of the table of trades
GRAPH: Final[Any] = {"displaylogo": False, "displayModeBar": False, "responsive": True}


def percent(value: float) -> str:
    return f"{100 * value:,.2f} %"


def plain(value: float) -> str:
    return f"{value:,.2f}"


def whole(value: float) -> str:
    return f"{value:,.0f}"


class Merit(NamedTuple):
    key: str
    label: str
    show: Callable[[float], str]
    toned: bool = False  # green above zero, red below


MERITS: Final = (
    Merit("total_return", "Return", percent, True),
    Merit("buy_and_hold", "Buy and hold", percent, True),
    Merit("cagr", "CAGR", percent, True),
    Merit("max_drawdown", "Max drawdown", percent),
    Merit("sharpe", "Sharpe", plain),
    Merit("sortino", "Sortino", plain),
    Merit("calmar", "Calmar", plain),
    Merit("volatility", "Volatility, yearly", percent),
    Merit("trades", "Trades", whole),
    Merit("win_rate", "Win rate", percent),
    Merit("profit_factor", "Profit factor", plain),
    Merit("expectancy", "Expectancy per trade", plain, True),
    Merit("exposure", "Time in the market", percent),
    Merit("fees", "Fees paid", plain),
    Merit("slippage", "Slippage paid", plain),
    Merit("final_equity", "Final equity", plain),
)
COMPARED: Final = tuple(merit for merit in MERITS if merit.key not in ("slippage", "volatility", "final_equity"))


def told(merit: Merit, metrics: dict[str, Any]) -> tuple[str, str]:
    """The value as text, and its CSS class."""
    value = metrics.get(merit.key)
    if value is None:
        return "–", "quiet"
    tone = ("up" if value > 0 else "down" if value < 0 else "") if merit.toned else ""
    return merit.show(value), tone


def title(view: RunView) -> str:
    parameters = given(view.spec.parameters)
    return f"{view.spec.strategy} ({parameters})" if parameters else view.spec.strategy


def label(view: RunView) -> str:
    """For lists: what was run, and how it ended."""
    gain = view.metrics.get("total_return")
    return f"{title(view)} · {market(view.spec.symbol)} {view.spec.timeframe}" + (
        "" if gain is None else f" · {percent(gain)}"
    )


def merits(metrics: dict[str, Any]) -> Any:
    boxes = []
    for merit in MERITS:
        text, tone = told(merit, metrics)
        boxes.append(html.Div([html.Dt(merit.label), html.Dd(text, className=tone)]))
    return html.Dl(boxes, className="merits")


def drawdown_dates(metrics: dict[str, Any]) -> str:
    peak, low, back = (metrics.get(f"max_drawdown_{name}_ts") for name in ("peak", "low", "recovery"))
    if not peak or not low:
        return ""
    end = f"recovered on {rfc3339(back)[:10]}" if back else "not recovered"
    return f"Deepest drawdown from {rfc3339(peak)[:10]} to {rfc3339(low)[:10]}, {end}."


def monthly(ts: Ints, equity: Floats, cash: float) -> list[tuple[int, list[float | None]]]:
    """(year, twelve rates and the year's), None where there is nothing. `ts` are closes: midnight is yesterday's."""
    months = (ts - 1).astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    last = np.append(np.flatnonzero(np.diff(months)), len(months) - 1)
    rows: dict[int, list[float | None]] = {}
    before, start_of_year = cash, cash
    for i in last.tolist():
        year, month = divmod(int(months[i]) + 1970 * 12, 12)
        if year not in rows:
            rows[year], start_of_year = [None] * 13, before
        value = float(equity[i])
        rows[year][month] = value / before - 1 if before > 0 else 0.0
        rows[year][12] = value / start_of_year - 1 if start_of_year > 0 else 0.0
        before = value
    return sorted(rows.items())


def months_table(ts: Ints, equity: Floats, cash: float) -> Any:
    head = html.Tr([html.Th("Year"), *[html.Th(name, className="num") for name in (*MONTHS, "Year")]])
    body = []
    for year, rates in monthly(ts, equity, cash):
        cells = [html.Td("" if r is None else f"{100 * r:.1f}", className=f"num {tone(r)}") for r in rates]
        body.append(html.Tr([html.Td(str(year)), *cells]))
    return html.Table([html.Thead(head), html.Tbody(body)], className="grid")


def tone(value: float | None) -> str:
    return "" if not value else "up" if value > 0 else "down"


def trades_table(trades: Sequence[Trade]) -> Any:
    if not trades:
        return html.P(
            "No trades: the strategy never entered. Try other parameters or a longer period.", className="empty"
        )
    numbers = ("Quantity", "Entry price", "Exit price", "Fees", "Profit", "Profit %")
    several = ("Of",) if trades[0].book else ()
    names = ("Entry", "Exit", *several, "Side", "Tag", *numbers, "Ended by")
    head = html.Tr([html.Th(name, className="num" if name in numbers else "") for name in names])
    rows = [trade_row(trade) for trade in reversed(trades[-TRADES:])]
    note = [] if len(trades) <= TRADES else [html.P(f"The last {TRADES} of {len(trades)} trades.", className="quiet")]
    return html.Div([html.Table([html.Thead(head), html.Tbody(rows)], className="grid"), *note])


def trade_row(trade: Trade) -> Any:
    times = [rfc3339(ts).replace("T", " ")[:16] for ts in (trade.entry_ts, trade.exit_ts)]
    return html.Tr(
        [
            html.Td(times[0]),
            html.Td("open" if trade.open else times[1]),
            *([html.Td(trade.book)] if trade.book else []),
            html.Td("long" if trade.side > 0 else "short", className="up" if trade.side > 0 else "down"),
            html.Td(trade.tag),
            html.Td(f"{trade.qty:.6g}", className="num"),
            html.Td(f"{trade.entry_price:,.6g}", className="num"),
            html.Td(f"{trade.exit_price:,.6g}", className="num"),
            html.Td(f"{trade.fees:,.2f}", className="num"),
            html.Td(f"{trade.profit:+,.2f}", className=f"num {tone(trade.profit)}"),
            html.Td(f"{100 * trade.rate:+.2f} %", className=f"num {tone(trade.profit)}"),
            html.Td(trade.exit_role.replace("_", " ")),
        ]
    )


def page(run: StoredRun, candles: CandleFrame | None) -> Any:
    """Everything about one run. `candles` are those of its period, on its timeframe, or the index of its markets; None
    where they are not stored any more."""
    view, cash = run.view, run.view.spec.cash
    metrics, books = view.metrics, run.report.books if run.report else []
    hold = None if candles is None else (candles.close_ts, cash * candles.close / candles.open[0])
    period = f"{rfc3339(metrics['start_ts'])[:10]} to {rfc3339(metrics['end_ts'] - 1)[:10]}"
    spec = view.spec
    return [
        html.Div(
            [
                html.H1(title(view)),
                html.Span(
                    f"{market(spec.exchange)} {market(spec.symbol)}, {spec.timeframe}, {period}, "
                    f"{metrics['bars']:,} candles",
                    className="quiet",
                ),
            ],
            className="run-head",
        ),
        html.Section([merits(metrics), html.P(drawdown_dates(metrics), className="quiet small")], className="card"),
        books_card(view, books),
        doubts_card(run.report),
        reality_card(run.report.reality if run.report else None, metrics),
        detail_card(run.report.detail if run.report else None),
        luck_card(metrics, view.manifest),
        html.Section(
            [
                html.H2("Equity and drawdown"),
                dcc.Graph(
                    id="run-equity",
                    figure=figures.equity(run.ts, run.equity, cash, hold),
                    config=GRAPH,
                    style={"height": 380},
                ),
            ],
            className="card",
        ),
        html.Section(
            [
                html.Div([html.H2("Price with entries and exits"), html.Div(className="whose")], className="card-head"),
                widget("run-chart", "run-chart", run=view.run_id),
            ],
            className="card",
        ),
        html.Section(
            [html.H2("Return by month, %"), html.Div(months_table(run.ts, run.equity, cash), className="scroll")],
            className="card",
        ),
        *groups_cards(run.report),
        spread_card(run.report),
        html.Section(
            [html.H2("Trades"), html.Div(trades_table(run.trades), className="scroll tall")], className="card"
        ),
        html.P(f"Run {view.run_id}: {assumptions(view)}. The past promises nothing.", className="quiet small"),
    ]
