"""The Backtest page: data, strategy and assumptions on the left; a run, or several compared, on the right."""

from __future__ import annotations

import contextlib
from typing import Any, Final
from urllib.parse import parse_qs

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, dcc, html, no_update, set_props

from onetape.backtest.wish import BacktestWish
from onetape.bots.desk import Desk
from onetape.dashboard import forms, report
from onetape.dashboard.bots import market_choices
from onetape.domain.errors import Conflict, OnetapeError
from onetape.domain.frame import CandleFrame
from onetape.domain.units import Timeframe, rfc3339
from onetape.marketdata import reading
from onetape.ports import StoredRun

LISTED: Final = 40
FIELDS: Final = (
    "market", "timeframe", "start", "end", "strategy", "cash", "sizing", "size", "fee", "slippage", "stop", "take",
    "short",
)  # fmt: skip


async def content(desk: Desk) -> Any:
    return html.Div(
        [
            html.Section([html.H2("New backtest"), await form(desk)], className="card form"),
            html.Div(
                [
                    html.Section(
                        [
                            html.H2("Stored runs"),
                            dmc.MultiSelect(
                                id="bt-runs", data=await run_choices(desk), size="xs", searchable=True, clearable=True,
                                maxValues=8, placeholder="Choose one to see it, several to compare them",
                                nothingFoundMessage="No runs yet", hidePickedOptions=True,
                            ),
                        ],
                        className="card",
                    ),
                    html.Div(id="bt-result", className="result"),
                ],
                className="results",
            ),
            dcc.Store(id="bt-job"),
            dcc.Store(id="bt-news"),  # set by assets/backtest_job.js when the job changes
        ],
        className="backtest",
    )  # fmt: skip


async def form(desk: Desk) -> Any:
    rows = await desk.coverage()
    if not rows:
        return html.P(
            "No candles are stored yet. Import a file (onetape data import FILE) or let the collector run for a while.",
            className="empty",
        )
    markets, strategies = await market_choices(desk), desk.registry.list()
    best = max(rows, key=lambda row: row.rows)
    return html.Div(
        [
            html.Div(
                [
                    choice("market", "Market", markets, f"{best.exchange}:{best.symbol}"),
                    choice("timeframe", "Timeframe", list(forms.TIMEFRAMES), "1h"),
                    dmc.TextInput(id="bt-start", label="From", placeholder=rfc3339(best.first_ts)[:10], size="xs"),
                    dmc.TextInput(id="bt-end", label="To", placeholder=rfc3339(best.last_ts)[:10], size="xs"),
                ],
                className="fields",
            ),
            html.P(id="bt-coverage", className="quiet small"),
            html.Div(
                [choice("strategy", "Strategy", strategies, forms.first_choice(strategies))],
                className="fields one",
            ),
            html.Div(id="bt-parameters", className="fields"),
            html.H2("Money and assumptions"),
            html.Div(
                [
                    dmc.NumberInput(id="bt-cash", label="Cash", value=10_000, min=0, step=1000, size="xs",
                                    thousandSeparator=","),
                    choice("short", "Short selling", forms.YES_NO, "false"),
                    choice("sizing", "Size of an entry", forms.SIZINGS, "fraction"),
                    forms.amount("bt-size", "Amount", 0.95, step=0.05),
                    forms.amount("bt-fee", "Fee", 0.001, "a rate: 0.001 is 0.1 %"),
                    forms.amount("bt-slippage", "Slippage", 0, "a rate: 0.0005 is 0.05 %"),
                    forms.amount("bt-stop", "Stop-loss", None, "a rate, or empty", 0.005),
                    forms.amount("bt-take", "Take-profit", None, "a rate, or empty", 0.005),
                ],
                className="fields",
            ),
            html.Div(id="bt-problem", role="alert"),
            html.Div(
                [
                    html.Div(dmc.Progress(id="bt-progress", value=0, size="sm"), className="progress"),
                    html.Span(id="bt-stage", className="quiet small"),
                    dmc.Button("Cancel", id="bt-cancel", size="xs", variant="default", style={"display": "none"}),
                    dmc.Button("Run backtest", id="bt-run", size="xs"),
                ],
                className="actions",
            ),
        ]
    )  # fmt: skip


def choice(name: str, label: str, data: list[Any], value: str) -> Any:
    return dmc.Select(id=f"bt-{name}", label=label, data=data, value=value, allowDeselect=False, size="xs")


async def run_choices(desk: Desk) -> list[dict[str, str]]:
    views = (await desk.runs.list(LISTED)).views
    return [
        {"value": view.run_id, "label": f"{report.label(view)} · {rfc3339(view.created_ts)[5:16].replace('T', ' ')}"}
        for view in views
    ]


def wish_of(desk: Desk, given: dict[str, Any], parameters: dict[str, Any]) -> BacktestWish:
    """The question that a filled-in form asks. Raises BadInput."""
    exchange, _, symbol = str(given["market"] or "").partition(":")
    fee = forms.number(given["fee"], 0.0)
    return BacktestWish(
        strategy=given["strategy"],
        parameters=desk.registry.build(given["strategy"], parameters, text=True).parameters(),
        exchange=exchange,
        symbol=symbol,
        timeframe=given["timeframe"],
        start=str(given["start"] or "").strip(),
        end=str(given["end"] or "").strip(),
        cash=forms.number(given["cash"], 0.0),
        fee_maker=fee,
        fee_taker=fee,
        slippage=forms.number(given["slippage"], 0.0),
        sizing=f"{given['sizing']}:{given['size']}",
        allow_short=given["short"] == "true",
        stop=forms.optional(given["stop"]),
        take=forms.optional(given["take"]),
    )


async def candles_of(desk: Desk, run: StoredRun) -> CandleFrame:
    spec, metrics = run.view.spec, run.view.metrics
    series = (spec.exchange, spec.symbol, Timeframe.parse(spec.timeframe))
    return await reading.load(desk.candles, series, spec.start_ts or metrics["start_ts"], metrics["end_ts"])


def register(app: Dash, desk: Desk) -> None:
    _form_callbacks(app, desk)
    _job_callbacks(app, desk)
    _result_callbacks(app, desk)


def _form_callbacks(app: Dash, desk: Desk) -> None:
    @app.callback(Output("bt-parameters", "children"), Input("bt-strategy", "value"))
    async def show_parameters(strategy: str | None) -> Any:
        return forms.parameters("bt", desk.registry.schema(strategy)) if strategy else []

    @app.callback(
        Output("bt-coverage", "children"),
        Output("bt-start", "placeholder"),
        Output("bt-end", "placeholder"),
        Input("bt-market", "value"),
    )
    async def show_coverage(market: str | None) -> Any:
        rows = [row for row in await desk.coverage() if f"{row.exchange}:{row.symbol}" == market]
        if not rows:
            return "", "", ""
        best = max(rows, key=lambda row: row.rows)
        first, last = rfc3339(best.first_ts)[:10], rfc3339(best.last_ts)[:10]
        gaps = f", {best.gaps} gaps" if best.gaps else ""
        return f"Stored: {first} to {last}, {best.rows:,} candles of {best.timeframe}{gaps}.", first, last


def _job_callbacks(app: Dash, desk: Desk) -> None:
    @app.callback(
        output=(Output("bt-job", "data"), Output("bt-problem", "children")),
        inputs={"run": Input("bt-run", "n_clicks")},
        state={
            "fields": {name: State(f"bt-{name}", "value") for name in FIELDS},
            "values": State({"form": "bt", "parameter": ALL}, "value"),
            "ids": State({"form": "bt", "parameter": ALL}, "id"),
        },
        prevent_initial_call=True,
    )
    async def ask(run: int, fields: dict[str, Any], values: list[Any], ids: list[Any]) -> Any:  # noqa: ARG001
        try:
            wish = wish_of(desk, fields, forms.read(ids, values))
            job = await desk.backtest(wish, forms.ASKED_BY)
        except OnetapeError as error:
            return no_update, forms.problem(str(error))
        return job.id, None

    @app.callback(Input("bt-cancel", "n_clicks"), State("bt-job", "data"), prevent_initial_call=True)
    async def cancel(_: int | None, job_id: str) -> None:
        with contextlib.suppress(Conflict):  # it ended just now
            await desk.jobs.cancel(job_id)

    @app.callback(
        Output("bt-progress", "value"),
        Output("bt-stage", "children"),
        Output("bt-run", "disabled"),
        Output("bt-cancel", "style"),
        Input("bt-job", "data"),
        Input("bt-news", "data"),
        prevent_initial_call=True,
    )
    async def look(job_id: str | None, _: Any) -> Any:
        if not job_id:
            return 0, "", False, {"display": "none"}
        job = await desk.jobs.get(job_id)
        if not job.over:
            return max(2, 100 * job.progress.fraction), job.progress.text, True, {}
        if job.error:
            set_props("bt-problem", {"children": forms.problem(job.error)})
        elif job.result:
            set_props("bt-runs", {"data": await run_choices(desk), "value": [job.result]})
        return 100 if job.result else 0, str(job.state), False, {"display": "none"}


def _result_callbacks(app: Dash, desk: Desk) -> None:
    @app.callback(
        Output("bt-runs", "value"),
        Output("bt-strategy", "value"),
        Input("bt-runs", "id"),
        State("url", "search"),
        State("bt-strategy", "value"),
    )
    async def from_address(_: str, search: str | None, strategy: str | None) -> Any:
        """`?run=ID` shows a run (several: compares), `?strategy=NAME` chooses it in the form."""
        asked = parse_qs((search or "").lstrip("?"))
        return asked.get("run", []), next(iter(asked.get("strategy", [])), strategy)

    @app.callback(Output("bt-result", "children"), Input("bt-runs", "value"))
    async def show(run_ids: list[str] | None) -> Any:
        if not run_ids:
            return html.P(
                "Choose data and a strategy, then press Run backtest. The result appears here and is stored, so that "
                "runs can be compared later.",
                className="empty",
            )
        try:
            runs = [await desk.runs.get(run_id) for run_id in run_ids]
            return report.page(runs[0], await candles_of(desk, runs[0])) if len(runs) == 1 else report.comparison(runs)
        except OnetapeError as error:
            return forms.problem(str(error))
