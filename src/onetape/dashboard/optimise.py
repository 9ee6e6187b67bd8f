"""The Optimise page: what is tried on the left; on the right a search, while it fills its heat map and after."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final
from urllib.parse import parse_qs

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from onetape.backtest.figures import figure
from onetape.backtest.search.views import map_of
from onetape.backtest.search.wish import OptimizeWish
from onetape.bots import searching
from onetape.bots.desk import Desk
from onetape.bots.searching import OPTIMIZE
from onetape.dashboard import asking, forms, search_blocks, search_form
from onetape.dashboard.report_blocks import GRAPH
from onetape.dashboard.search_charts import heat_chart
from onetape.dashboard.widgets import widget
from onetape.domain.errors import Conflict, NotFound, OnetapeError
from onetape.domain.jobs import Job, JobState
from onetape.domain.searches import SearchResult
from onetape.domain.units import SECOND, rfc3339
from onetape.ports import OnlyJobs

LISTED: Final = 30
HEAT: Final = 380  # pixels
NOTHING: Final = (
    "Choose a strategy and what is tried of each parameter, then press Search. The heat map fills while it runs. "
    "It goes on when this page is closed, and after a restart. Every trial counts in the ledger of trials."
)


async def content(desk: Desk) -> Any:
    return html.Div(
        [
            html.Section([html.H2("New search"), await form(desk)], className="card form"),
            html.Div(
                [
                    html.Section(
                        [
                            html.H2("Searches"),
                            dmc.Select(
                                id="op-job", data=await choices(desk, OPTIMIZE), size="xs", searchable=True,
                                placeholder="Choose one to see it", nothingFoundMessage="No searches yet",
                            ),
                            html.P(id="op-told", className="said"),
                        ],
                        className="card",
                    ),
                    html.Div(html.P(NOTHING, className="empty"), id="op-first", className="result"),
                    heat_card(),
                    html.Div(id="op-result", className="result"),
                ],
                className="results",
            ),
            dcc.Store(id="op-news"),  # set by assets/search_job.js when the job changes
            widget("search-news", page="op", kind=OPTIMIZE),
        ],
        className="backtest",
    )  # fmt: skip


def heat_card() -> Any:
    """Stays where it is while its chart changes, so that the chosen axes do."""
    axes = [dmc.Select(id=f"op-{axis}", label=label, size="xs", data=[], w=130, allowDeselect=False)
            for axis, label in (("x", "Across"), ("y", "Up"))]  # fmt: skip
    graph = dcc.Graph(id="op-heat", config=GRAPH, style={"height": HEAT})
    return html.Section(
        [html.Div([html.H2("Heat map", id="op-heat-title"), html.Div(axes, className="axes", id="op-axes")],
                  className="card-head"), graph],
        className="card", id="op-heat-card", style={"display": "none"},
    )  # fmt: skip


async def form(desk: Desk) -> Any:
    rows = await desk.coverage()
    if not rows:
        return html.P(asking.NOTHING, className="empty")
    return html.Div(
        [
            *await asking.data(desk, "op", rows),
            *search_form.fields("op"),
            *asking.money("op"),
            html.Div(id="op-problem", role="alert"),
            asking.actions("op", "Search"),
        ]
    )


async def choices(desk: Desk, kind: str) -> list[dict[str, str]]:
    jobs, _ = await desk.jobs.page(OnlyJobs(kind=kind, limit=LISTED))
    return [{"value": job.id, "label": label(job)} for job in jobs]


def label(job: Job) -> str:
    wish = job.wish["wish"]
    when = rfc3339(job.created_ts)[5:16].replace("T", " ")
    spaces = ", ".join(f"{name} {text}" for name, text in wish["space"].items())
    state = "" if job.state is JobState.DONE else f" · {job.state}"
    return f"{wish['strategy']} · {wish['symbol']} {wish['timeframe']} · {spaces}{state} · {when}"


def head(job: Job, now: int) -> str:
    """How far it is, how long it takes yet, the best so far."""
    told, counts = job.progress, job.progress.counts
    done = f"{counts['done']:,} of {counts['total']:,} trials" if counts else told.text
    failed = f", {counts['failed']:,} of them failed" if counts.get("failed") else ""
    parts = [f"{str(job.state).capitalize()}: {done}{failed}"]
    if not job.over and told.eta_ts > now:
        parts.append(f"{left((told.eta_ts - now) / SECOND)} left")
    best = (told.detail or {}).get("best")
    if best and not (job.over and job.result):
        name = job.wish["wish"]["objective"][0]
        score = figure(name, best["values"][0])
        parts.append(f"best so far {name} {score} ({search_blocks.given(best['parameters'])})")
    return "; ".join(parts) + "."


def left(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"


def register(app: Dash, desk: Desk) -> None:
    asking.register(app, desk, "op")
    search_form.register(app, desk, "op")
    _job_callbacks(app, desk)
    _result_callbacks(app, desk)


def _job_callbacks(app: Dash, desk: Desk) -> None:
    @app.callback(
        Output("op-job", "value"),
        Output("op-strategy", "value"),
        Input("op-job", "id"),
        State("url", "search"),
        State("op-strategy", "value"),
    )
    async def from_address(_: str, search: str | None, strategy: str | None) -> Any:
        """`?job=ID` shows a search, `?strategy=NAME` chooses it in the form. Without a job: the one that runs."""
        asked = parse_qs((search or "").lstrip("?"))
        return next(iter(asked.get("job", [])), await running(desk, OPTIMIZE)), next(
            iter(asked.get("strategy", [])), strategy
        )

    @app.callback(
        output=(Output("op-job", "value", allow_duplicate=True), Output("op-job", "data")),
        inputs={"run": Input("op-run", "n_clicks")},
        state={"fields": asking.states("op"), "given": search_form.states("op")},
        prevent_initial_call=True,
    )
    async def ask(run: int, fields: dict[str, Any], given: dict[str, Any]) -> Any:  # noqa: ARG001
        try:
            wish = OptimizeWish(**asking.asked(fields), **search_form.asked(desk, fields["strategy"], given))
            job = await searching.optimize(desk, wish, forms.ASKED_BY)
        except OnetapeError as error:
            search_form.tell("op", error, given["ids"])
            return no_update, no_update
        return job.id, await choices(desk, OPTIMIZE)

    untyped: Any = app
    untyped.clientside_callback(
        ClientsideFunction("onetape", "jobInAddress"), Output("op-told", "title"), Input("op-job", "value"),
        prevent_initial_call=True,
    )  # fmt: skip

    @app.callback(Input("op-cancel", "n_clicks"), State("op-job", "value"), prevent_initial_call=True)
    async def cancel(_: int | None, job_id: str) -> None:
        with contextlib.suppress(Conflict):  # it ended just now
            await desk.jobs.cancel(job_id)

    @app.callback(
        Output("op-progress", "value"),
        Output("op-stage", "children"),
        Output("op-cancel", "style"),
        Output("op-told", "children"),
        Output("op-problem", "children"),
        Input("op-job", "value"),
        Input("op-news", "data"),
    )
    async def look(job_id: str | None, _: Any) -> Any:
        hidden = {"display": "none"}
        if not job_id:
            return 0, "", hidden, "", None
        try:
            job = await desk.jobs.get(job_id)
        except NotFound as error:
            return 0, "", hidden, "", forms.problem(str(error))
        problem = forms.problem(job.error) if job.error else None
        done = 100 * job.progress.fraction
        if job.over:
            return done, str(job.state), hidden, head(job, desk.jobs.now()), problem
        return max(2, done), job.progress.text, {}, head(job, desk.jobs.now()), problem


async def running(desk: Desk, kind: str) -> str | None:
    """The newest that waits or runs."""
    jobs, _ = await desk.jobs.page(OnlyJobs(kind=kind, limit=LISTED))
    return next((job.id for job in jobs if not job.over), None)


def _result_callbacks(app: Dash, desk: Desk) -> None:
    @app.callback(
        Output("op-first", "children"),
        Output("op-result", "children"),
        Output("op-x", "data"),
        Output("op-y", "data"),
        Output("op-heat", "figure"),
        Output("op-heat-card", "style"),
        Output("op-axes", "style"),
        Output("op-heat-title", "children"),
        Input("op-job", "value"),
        Input("op-news", "data"),
        Input("op-x", "value"),
        Input("op-y", "value"),
    )
    async def show(job_id: str | None, _: Any, x: str | None, y: str | None) -> Any:
        hidden = {"display": "none"}
        found = await result_of(desk, job_id)
        if found is None:
            first = html.P(NOTHING, className="empty") if not job_id else None
            return first, None, [], [], {}, hidden, hidden, ""
        result, run_id = found
        cards = (
            search_blocks.slices_card(result), search_blocks.front_card(result), search_blocks.rings_card(result),
            search_blocks.luck_card(result), search_blocks.trials_card(result),
        )  # fmt: skip
        first = search_blocks.recommended_card(result, run_id) if result.complete else None
        names = list(result.spaces)
        if result.heat is None:
            return first, list(filter(None, cards)), names, names, {}, hidden, hidden, ""
        figure = await asyncio.to_thread(heat, desk, result, x, y)
        title = f"Mean {result.wish.objectives[0]}" + (" over all other parameters" if len(names) > 2 else "")
        return first, list(filter(None, cards)), names, names, figure, {}, {} if len(names) > 2 else hidden, title


async def result_of(desk: Desk, job_id: str | None) -> tuple[SearchResult, str] | None:
    """What a job has found so far, and the id of the run that it stored."""
    try:
        job = await desk.jobs.get(job_id or "")
    except NotFound:
        return None
    result = await searching.seen(desk, job.wish["search"])
    return None if result is None else (result, job.result)


def heat(desk: Desk, result: SearchResult, x: str | None, y: str | None) -> Any:
    """Of the axes that were chosen, or of the two parameters that matter most."""
    found = result.heat
    if x and y and x != y and {x, y} <= result.spaces.keys():
        found = map_of(desk.registry.get(result.wish.spec.strategy), result, x, y)
    assert found is not None
    chosen = None if result.recommended is None else result.trial(result.recommended)
    return heat_chart(found, result.wish.objectives[0], chosen, HEAT)
