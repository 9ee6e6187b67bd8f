"""What the pages Optimise and Walk-forward share: a form that asks for a job, and the job that is looked at. The job is
in the address, so that a reload or a restart finds it again."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from onetape.backtest.figures import figure
from onetape.bots.desk import Desk
from onetape.dashboard import asking, forms, search_blocks, search_form
from onetape.dashboard.widgets import widget
from onetape.domain.errors import Conflict, NotFound, OnetapeError
from onetape.domain.jobs import Job, JobState
from onetape.domain.units import SECOND, rfc3339
from onetape.ports import OnlyJobs

LISTED: Final = 30
WAITING: Final = "waiting"  # what a job says until its worker does
HIDDEN: Final = {"display": "none"}


class Kind(NamedTuple):
    """What differs: the prefix of the ids, the kind of job, what the page calls it; `fields` are those of the form
    beside a search's, `ask` submits what a filled-in form says."""

    prefix: str
    job: str
    one: str
    many: str
    button: str
    fields: tuple[str, ...]
    ask: Callable[[Desk, dict[str, Any], dict[str, Any]], Awaitable[Job]]


async def layout(desk: Desk, kind: Kind, more: list[Any], results: list[Any]) -> Any:
    """Form on the left (`more` stands below what is tried), job and results on the right."""
    prefix = kind.prefix
    listed = html.Section(
        [
            html.H2(kind.many),
            dmc.Select(
                id=f"{prefix}-job", data=await choices(desk, kind.job), size="xs", searchable=True,
                placeholder="Choose one to see it", nothingFoundMessage="None yet",
            ),
            html.P(id=f"{prefix}-told", className="said"),
        ],
        className="card",
    )  # fmt: skip
    return html.Div(
        [
            html.Section([html.H2(f"New {kind.one}"), await form(desk, kind, more)], className="card form"),
            html.Div([listed, *results], className="results"),
            dcc.Store(id=f"{prefix}-news"),  # set by assets/search_job.js when the job changes
            widget("search-news", page=prefix, kind=kind.job),
        ],
        className="backtest",
    )


async def form(desk: Desk, kind: Kind, more: list[Any]) -> Any:
    rows = await desk.coverage()
    if not rows:
        return html.P(asking.NOTHING, className="empty")
    return html.Div(
        [
            *await asking.data(desk, kind.prefix, rows),
            *search_form.fields(kind.prefix),
            *more,
            *asking.money(kind.prefix),
            html.Div(id=f"{kind.prefix}-problem", role="alert"),
            asking.actions(kind.prefix, kind.button),
        ]
    )


async def choices(desk: Desk, kind: str) -> list[dict[str, str]]:
    jobs, _ = await desk.jobs.page(OnlyJobs(kind=kind, limit=LISTED))
    return [{"value": job.id, "label": label(job)} for job in jobs]


def label(job: Job) -> str:
    wish = job.wish["wish"]
    when = rfc3339(job.created_ts)[5:16].replace("T", " ")
    spaces = ", ".join(f"{name} {text}" for name, text in wish["space"].items())
    return f"{wish['strategy']} · {wish['symbol']} {wish['timeframe']} · {spaces} · {when}"


async def running(desk: Desk, kind: str) -> str | None:
    """The newest that waits or runs."""
    jobs, _ = await desk.jobs.page(OnlyJobs(kind=kind, limit=LISTED))
    return next((job.id for job in jobs if not job.over), None)


def head(job: Job, now: int) -> str:
    """How far it is, how long it takes yet, the best so far."""
    told, counts = job.progress, job.progress.counts
    done = "starting" if job.state is JobState.RUNNING and told.text == WAITING else told.text
    if counts and (job.over or "window" not in counts):
        done = f"{counts['done']:,} of {counts['total']:,} trials"
        if "window" in counts:
            done = f"window {counts['window']:,} of {counts['windows']:,}"
    failed = f", {counts['failed']:,} of them failed" if counts.get("failed") else ""
    parts = [f"{str(job.state).capitalize()}: {done}{failed}"]
    if not job.over and told.eta_ts > now:
        parts.append(f"{left((told.eta_ts - now) / SECOND)} left")
    best = (told.detail or {}).get("best")
    if best and job.state is not JobState.DONE:
        name = job.wish["wish"]["objective"][0]
        score = figure(name, best["values"][0])
        parts.append(f"best so far {name} {score} ({search_blocks.given(best['parameters'])})")
    return "; ".join(parts) + "."


def left(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"


def register(app: Dash, desk: Desk, kind: Kind) -> None:
    asking.register(app, desk, kind.prefix)
    search_form.register(app, desk, kind.prefix)
    _asking(app, desk, kind)
    _watching(app, desk, kind)


def _asking(app: Dash, desk: Desk, kind: Kind) -> None:
    prefix = kind.prefix

    @app.callback(
        Output(f"{prefix}-job", "value"),
        Output(f"{prefix}-strategy", "value"),
        Input(f"{prefix}-job", "id"),
        State("url", "search"),
        State(f"{prefix}-strategy", "value"),
    )
    async def from_address(_: str, search: str | None, strategy: str | None) -> Any:
        """`?job=ID` shows a job, `?strategy=NAME` chooses it in the form. Without a job: the one that runs."""
        asked = parse_qs((search or "").lstrip("?"))
        job = next(iter(asked.get("job", [])), None) or await running(desk, kind.job)
        return job, next(iter(asked.get("strategy", [])), strategy)

    @app.callback(
        output=(Output(f"{prefix}-job", "value", allow_duplicate=True), Output(f"{prefix}-job", "data")),
        inputs={"run": Input(f"{prefix}-run", "n_clicks")},
        state={
            "fields": asking.states(prefix) | {name: State(f"{prefix}-{name}", "value") for name in kind.fields},
            "given": search_form.states(prefix),
        },
        running=[(Output(f"{prefix}-run", "loading"), True, False)],  # the gate may take a moment
        prevent_initial_call=True,
    )
    async def ask(run: int, fields: dict[str, Any], given: dict[str, Any]) -> Any:  # noqa: ARG001
        search_form.untell(prefix, kind.fields)
        try:
            job = await kind.ask(desk, fields, given)
        except OnetapeError as error:
            search_form.tell(prefix, error, given["ids"])
            return no_update, no_update
        return job.id, await choices(desk, kind.job)

    @app.callback(Input(f"{prefix}-cancel", "n_clicks"), State(f"{prefix}-job", "value"), prevent_initial_call=True)
    async def cancel(_: int | None, job_id: str) -> None:
        with contextlib.suppress(Conflict):  # it ended just now
            await desk.jobs.cancel(job_id)

    untyped: Any = app
    untyped.clientside_callback(
        ClientsideFunction("onetape", "jobInAddress"),
        Output(f"{prefix}-told", "title"),
        Input(f"{prefix}-job", "value"),
        prevent_initial_call=True,
    )


def _watching(app: Dash, desk: Desk, kind: Kind) -> None:
    prefix = kind.prefix

    @app.callback(
        Output(f"{prefix}-progress", "value"),
        Output(f"{prefix}-stage", "children"),
        Output(f"{prefix}-cancel", "style"),
        Output(f"{prefix}-told", "children"),
        Output(f"{prefix}-problem", "children"),
        Input(f"{prefix}-job", "value"),
        Input(f"{prefix}-news", "data"),
    )
    async def look(job_id: str | None, _: Any) -> Any:
        if not job_id:
            return 0, "", HIDDEN, "", None
        try:
            job = await desk.jobs.get(job_id)
        except NotFound as error:
            return 0, "", HIDDEN, "", forms.problem(str(error))
        problem = forms.problem(job.error) if job.error else None
        done, said = 100 * job.progress.fraction, head(job, desk.jobs.now())
        if job.over:
            return done, str(job.state), HIDDEN, said, problem
        return max(2, done), f"{done:.0f} %", {}, said, problem
