"""The Data page: how the streams are, what is stored, missing and wrong of it, downloads, and files by upload.

What changes by itself is drawn by scripts (`assets/data_*.js`); the download form is a plain form.
"""

from __future__ import annotations

from typing import Any, Final

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, html

from onetape.bots.desk import Desk
from onetape.dashboard import forms
from onetape.dashboard.widgets import widget
from onetape.domain.errors import OnetapeError
from onetape.marketdata.download import DownloadWish

FIELDS: Final = ("exchange", "symbols", "timeframes", "since", "until")
SPANS: Final = [
    {"value": "", "label": "all"},
    {"value": "365", "label": "1 y"},
    {"value": "30", "label": "30 d"},
    {"value": "7", "label": "7 d"},
    {"value": "1", "label": "24 h"},
]
STATES: Final = ["open", "closed", "all"]


async def content(desk: Desk) -> Any:
    return html.Div(
        [
            html.Div([_streams(), _coverage(), _audit(), _gaps()], className="column"),
            html.Div([await _download(desk), _import(), _disk()], className="column"),
        ],
        className="data-page",
    )


def _head(title: str, *right: Any) -> Any:
    return html.Div([html.H2(title), html.Div(list(right), className="buttons")], className="card-head")


def _streams() -> Any:
    word = dmc.TextInput(id="data-word", placeholder="Filter", size="xs", w=150, **{"aria-label": "Filter by name"})
    return html.Section([_head("Streams", word), widget("streams", word="data-word")], className="card")


def _coverage() -> Any:
    span = dmc.SegmentedControl(id="data-span", data=SPANS, value="", size="xs")
    key = html.Div(
        [
            html.Span([html.I(className="swatch stored"), "stored"]),
            html.Span([html.I(className="swatch missing"), "missing"]),
            html.Span([html.I(className="swatch absent"), "the venue has none"]),
        ],
        className="key",
    )
    return html.Section([_head("Coverage", span), widget("coverage"), key], className="card")


def _audit() -> Any:
    return html.Section([html.H2("Are the candles right?"), widget("audit")], className="card")


def _gaps() -> Any:
    state = dmc.SegmentedControl(id="data-gaps", data=STATES, value="open", size="xs")
    return html.Section([_head("Gaps", state), widget("gaps", "scroll tall")], className="card")


async def _download(desk: Desk) -> Any:
    known = {f"{row.exchange}:{row.symbol}" for row in await desk.coverage()}
    listed = await desk.candles.instruments()
    exchange = listed[0].exchange if listed else desk.exchanges[0]
    symbols = sorted({one.symbol for one in listed if one.exchange == exchange})
    first = next((each.symbol for each in listed if f"{exchange}:{each.symbol}" in known), "")
    return html.Section(
        [
            html.H2("Download candles"),
            html.Div(
                [
                    dmc.Select(
                        id="data-exchange", label="Exchange", data=list(dict.fromkeys((exchange, *desk.exchanges))),
                        value=exchange, allowDeselect=False, searchable=True, size="xs",
                    ),
                    dmc.TagsInput(
                        id="data-timeframes", label="Timeframes", data=list(forms.TIMEFRAMES), value=["1m"], size="xs",
                    ),
                ],
                className="fields",
            ),
            html.Div(
                dmc.TagsInput(
                    id="data-symbols", label="Symbols", data=symbols, value=[first] if first else [], size="xs",
                    placeholder="BTC-USDT", description="one or several, each ended with Enter",
                ),
                className="fields one",
            ),
            html.Div(
                [
                    dmc.TextInput(id="data-since", label="From", placeholder="2024-01-01", size="xs"),
                    dmc.TextInput(id="data-until", label="To", placeholder="the last closed candle", size="xs"),
                ],
                className="fields",
            ),
            html.Div(id="data-problem", role="alert"),
            html.Div(dmc.Button("Download", id="data-download", size="xs"), className="actions"),
            widget("downloads"),
        ],
        className="card form",
    )  # fmt: skip


def _import() -> Any:
    return html.Section(
        [html.H2("Import files"), widget("imports")],
        className="card form",
    )


def _disk() -> Any:
    return html.Section([html.H2("Disk and retention"), widget("disk")], className="card")


def wish_of(given: dict[str, Any]) -> DownloadWish:
    """The wish that a filled-in form means."""
    return DownloadWish(
        exchange=str(given["exchange"] or ""),
        symbols=tuple(given["symbols"] or ()),
        timeframes=tuple(given["timeframes"] or ()),
        since=str(given["since"] or "").strip(),
        until=str(given["until"] or "").strip(),
    )


def register(app: Dash, desk: Desk) -> None:
    scripts: Any = app  # Dash does not type this one
    for function, told, source in (
        ("coverageSpan", "coverage", Input("data-span", "value")),
        ("gapsState", "gaps", Input("data-gaps", "value")),
        ("downloadAsked", "downloads", Input("data-problem", "children")),
    ):
        scripts.clientside_callback(ClientsideFunction("onetape", function), Output(told, "title"), source)

    @app.callback(
        output=Output("data-problem", "children"),
        inputs={"pressed": Input("data-download", "n_clicks")},
        state={"fields": {name: State(f"data-{name}", "value") for name in FIELDS}},
        prevent_initial_call=True,
    )
    async def ask(pressed: int, fields: dict[str, Any]) -> Any:  # noqa: ARG001
        try:
            await desk.download(wish_of(fields), forms.ASKED_BY)
        except OnetapeError as error:
            return forms.problem(str(error))
        return None
