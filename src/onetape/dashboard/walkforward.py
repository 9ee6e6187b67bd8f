"""The Walk-forward page: how it walks on the left; on the right its windows as they are done, in the end the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html, no_update

from onetape.backtest.walkjob import WalkForwardWish
from onetape.backtest.walkwords import TEXTS, columns, rows, said
from onetape.bots import searching
from onetape.bots.desk import Desk
from onetape.dashboard import asking, forms, report, search_form, search_jobs
from onetape.dashboard.report_blocks import GRAPH
from onetape.dashboard.report_candles import candles_of
from onetape.dashboard.search_charts import walk_chart
from onetape.dashboard.search_jobs import Kind
from onetape.domain.errors import NotFound, OnetapeError
from onetape.domain.jobs import Job
from onetape.domain.units import DAY
from onetape.domain.walkforward import WalkView
from onetape.ports import Coverage

NOTHING: Final = (
    "In each window the parameters are searched on the past, and the recommended ones trade what comes after it, which "
    "the search has not seen. What was traded unseen is one curve. Every trial counts in the ledger of trials."
)
LENGTHS: Final = (
    ("train", "Searched", "of the past: 180d, 12h"), ("test", "Traded", "after it, and the step"),
    ("purge", "Purge", "cut off what is searched"), ("embargo", "Embargo", "left out between them"),
)  # fmt: skip
RETURN: Final = 8  # the column of walkwords.columns
FIELDS: Final = ("train", "test", "purge", "embargo", "anchored")


async def ask(desk: Desk, fields: dict[str, Any], given: dict[str, Any]) -> Job:
    how: dict[str, Any] = {name: str(fields[name] or "0").strip() for name in FIELDS[:4]}
    wish = WalkForwardWish(
        **asking.asked(fields),
        **search_form.asked(desk, fields["strategy"], given),
        **how,
        anchored=fields["anchored"] == "true",
    )
    return await searching.walk(desk, wish, forms.ASKED_BY)


KIND: Final = Kind("wf", searching.WALK, "walk", "Walks", "Walk", FIELDS, ask)


async def content(desk: Desk) -> Any:
    usual = lengths_for(await desk.coverage())
    lengths = [
        dmc.TextInput(id=f"wf-{name}", label=label, value=usual.get(name, "0"), description=says, size="xs")
        for name, label, says in LENGTHS
    ]
    begins = [{"value": "false", "label": "rolls on"}, {"value": "true", "label": "stays where it was"}]
    anchored = asking.choice("wf", "anchored", "The begin of what is searched", begins, "false")
    more = [
        html.H2("Windows"),
        html.Div(lengths, className="fields"),
        html.Div(anchored, className="fields one"),
    ]
    results = [html.Div(html.P(NOTHING, className="empty"), id="wf-windows", className="result"),
               html.Div(id="wf-whole", className="result")]  # fmt: skip
    return await search_jobs.layout(desk, KIND, more, results)


def lengths_for(rows: Sequence[Coverage]) -> dict[str, str]:
    """Half a year and a month, or what leaves some windows in fewer candles."""
    best = max(rows, key=lambda row: row.rows, default=None)
    days = 0 if best is None else (best.last_ts - best.first_ts) // DAY
    return {"train": f"{min(180, max(1, days // 3))}d", "test": f"{min(30, max(1, days // 12))}d"}


def register(app: Dash, desk: Desk) -> None:
    search_jobs.register(app, desk, KIND)

    @app.callback(Output("wf-windows", "children"), Input("wf-job", "value"), Input("wf-news", "data"))
    async def show_windows(job_id: str | None, _: Any) -> Any:
        """While it walks: each window as soon as it is done."""
        job = await known(desk, job_id)
        if job is None:
            return html.P(NOTHING, className="empty")
        view = await searching.walk_seen(desk, job.wish["walk"])
        return windows_cards(view) if view else None

    @app.callback(
        Output("wf-whole", "children"),
        Input("wf-job", "value"),
        Input("wf-news", "data"),
        State("wf-whole", "children"),
    )
    async def show_whole(job_id: str | None, _: Any, there: Any) -> Any:
        """Once, at the end: the report of the whole as of any run."""
        job = await known(desk, job_id)
        if job is None or not job.result:
            return None if there else no_update
        try:
            run = await desk.runs.get(job.result)
            return report.page(run, await candles_of(desk.candles, run.view))
        except OnetapeError as error:
            return forms.problem(str(error))


async def known(desk: Desk, job_id: str | None) -> Job | None:
    try:
        job = await desk.jobs.get(job_id or "")
    except NotFound:
        return None
    return job if job.kind == KIND.job else None


def windows_cards(view: WalkView) -> list[Any]:
    told = html.P(" ".join(said(view)), className="says")
    chart = walk_chart(view)
    graph = dcc.Graph(figure=chart, config=GRAPH, style={"height": chart.layout.height})
    texts = [html.Th(name, className="" if i < TEXTS else "num") for i, name in enumerate(columns(view))]
    lines = [
        html.Tr(
            [html.Td(text, className=f"{'' if i < TEXTS else 'num'} {tone(text, i)}") for i, text in enumerate(row)]
        )
        for row in rows(view)
    ]
    body = html.Table([html.Thead(html.Tr(texts)), html.Tbody(lines)], className="grid tight", id="wf-table")
    count = f"Windows ({len(view.windows)} of {view.planned})"
    return [
        html.Section([html.H2("What the searches promised, and what was left of it"), told, graph], className="card"),
        html.Section([html.H2(count), html.Div(body, className="scroll")], className="card"),
    ]


def tone(text: str, column: int) -> str:
    """Green and red for what a window made."""
    if column != RETURN:
        return ""
    return "down" if text.startswith("-") else "up" if text.strip("0.,% ") else ""
