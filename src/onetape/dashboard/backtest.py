"""The Backtest page: data, strategy and assumptions on the left; a run, or several compared, on the right."""

from __future__ import annotations

import contextlib
from typing import Any, Final
from urllib.parse import parse_qs

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, dcc, html, no_update, set_props

from onetape.backtest.wish import BacktestWish
from onetape.bots.desk import Desk
from onetape.dashboard import asking, compare, forms, report
from onetape.dashboard.report_candles import candles_of
from onetape.domain.errors import Conflict, OnetapeError

FILLED: Final = ("strategy", "market", "timeframe", "start", "end", "cash", "fees", "fee", "slippage")


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
                                id="bt-runs", data=await compare.choices(desk), size="xs", searchable=True,
                                clearable=True,
                                placeholder="Choose one to see it, several to compare them",
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
        return html.P(asking.NOTHING, className="empty")
    return html.Div(
        [
            *await asking.data(desk, "bt", rows),
            html.Div(id="bt-parameters", className="fields"),
            *asking.money("bt"),
            html.Div(id="bt-problem", role="alert"),
            asking.actions("bt", "Run backtest"),
        ]
    )


def wish_of(desk: Desk, given: dict[str, Any], parameters: dict[str, Any]) -> BacktestWish:
    """The question that a filled-in form asks. Raises BadInput."""
    whole = desk.registry.build(given["strategy"], parameters, text=True).parameters()
    return BacktestWish(**asking.asked(given), parameters=whole)


def address(search: str | None) -> dict[str, str]:
    """What stands behind the question mark, the first of each name."""
    return {name: values[0] for name, values in parse_qs((search or "").lstrip("?")).items()}


def register(app: Dash, desk: Desk) -> None:
    asking.register(app, desk, "bt")
    _form_callbacks(app, desk)
    _job_callbacks(app, desk)
    _result_callbacks(app, desk)


def _form_callbacks(app: Dash, desk: Desk) -> None:
    @app.callback(Output("bt-parameters", "children"), Input("bt-strategy", "value"), State("url", "search"))
    async def show_parameters(strategy: str | None, search: str | None) -> Any:
        """`?strategy=NAME&p.fast=5` fills them in."""
        if not strategy:
            return []
        asked = address(search)
        values = {name[2:]: value for name, value in asked.items() if name.startswith("p.")}
        schema = desk.registry.schema(strategy)
        return forms.parameters("bt", schema, values if asked.get("strategy") == strategy else None)


def _job_callbacks(app: Dash, desk: Desk) -> None:
    @app.callback(
        output=(Output("bt-job", "data"), Output("bt-problem", "children")),
        inputs={"run": Input("bt-run", "n_clicks")},
        state={
            "fields": asking.states("bt"),
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
            set_props("bt-runs", {"data": await compare.choices(desk), "value": [job.result]})
        return 100 if job.result else 0, str(job.state), False, {"display": "none"}


def _result_callbacks(app: Dash, desk: Desk) -> None:
    @app.callback(
        Output("bt-runs", "value"),
        Output("bt-runs", "data"),
        {name: Output(f"bt-{name}", "value") for name in FILLED},
        Input("bt-runs", "id"),
        State("url", "search"),
    )
    async def from_address(_: str, search: str | None) -> Any:
        """`?run=ID` shows a run (several: compares), `?strategy=NAME&market=...` fills the form in."""
        asked = address(search)
        runs = parse_qs((search or "").lstrip("?")).get("run", [])
        return runs, await compare.choices(desk, runs), {name: asked.get(name, no_update) for name in FILLED}

    @app.callback(Output("bt-result", "children"), Input("bt-runs", "value"))
    async def show(run_ids: list[str] | None) -> Any:
        if not run_ids:
            return html.P(
                "Choose data and a strategy, then press Run backtest. The result appears here and is stored, so that "
                "runs can be compared later.",
                className="empty",
            )
        try:
            if len(run_ids) > 1:
                return await compare.result(desk, run_ids)
            run = await desk.runs.get(run_ids[0])
            return report.page(run, await candles_of(desk.candles, run.view))
        except OnetapeError as error:
            return forms.problem(str(error))
