"""The Market page: the live chart with the bots' signals and fills, the order book, the public trades."""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, html

from onetape.bots.desk import Desk
from onetape.dashboard.widgets import widget

TIMEFRAMES: Final = ("1m", "5m", "15m", "1h", "4h", "1d", "1w", "1M")


async def content(desk: Desk) -> Any:  # noqa: ARG001 (every page is asked the same way; this one is filled by its scripts)
    bar = html.Div(
        [
            dmc.Select(
                id="market-symbol",
                data=[],
                allowDeselect=False,
                searchable=True,
                w=200,
                size="xs",
                nothingFoundMessage="No symbol of that name",
                placeholder="No symbols yet",
                **{"aria-label": "Symbol"},
            ),
            dmc.SegmentedControl(id="market-timeframe", data=list(TIMEFRAMES), value="1m", size="xs"),
            widget("last-price", "last-price"),
            html.Span(id="chart-legend", className="legend"),
        ],
        className="bar",
    )
    key = html.Div(
        [
            html.Span([html.I(className="mark buy"), "bot bought"]),
            html.Span([html.I(className="mark sell"), "bot sold"]),
            html.Span([html.I(className="mark said"), "signal"]),
            html.Span(id="chart-said", className="said"),
        ],
        className="key",
    )
    return html.Div(
        [
            html.Section([bar, widget("chart", "chart"), key], className="card"),
            html.Section(
                [
                    html.H2("Order book"),
                    html.Div([html.Span("Price"), html.Span("Quantity"), html.Span("Sum")], className="row-head"),
                    widget("book", "book"),
                ],
                className="card",
            ),
            html.Section(
                [
                    html.H2("Public trades"),
                    html.Div([html.Span("Time"), html.Span("Price"), html.Span("Quantity")], className="row-head"),
                    widget("prints", "prints"),
                ],
                className="card prints-card",
            ),
        ],
        className="market",
    )


def register(app: Dash, desk: Desk) -> None:  # noqa: ARG001
    scripts: Any = app  # Dash does not type this one
    scripts.clientside_callback(
        ClientsideFunction("onetape", "symbols"),
        Output("market-symbol", "data"),
        Output("market-symbol", "value"),
        Input("market-symbol", "id"),
    )
    scripts.clientside_callback(
        ClientsideFunction("onetape", "showMarket"),
        Output("market-symbol", "error"),
        Input("market-symbol", "value"),
        Input("market-timeframe", "value"),
    )
