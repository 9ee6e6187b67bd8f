"""The Compare page: up to six stored runs beside each other, by the days that all of them have."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qs, quote

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html

from onetape.backtest import stored
from onetape.backtest.compare import given, market
from onetape.bots.desk import Desk
from onetape.dashboard import compare_html, figures, forms, report
from onetape.dashboard.report_blocks import table
from onetape.domain.comparison import Comparison
from onetape.domain.errors import NotFound, OnetapeError
from onetape.domain.units import rfc3339
from onetape.ports import RunView, StoredRun

LISTED: Final = 40
NONE_YET: Final = "Choose two to six runs. The page Runs finds them by strategy, symbol, parameters and date."


async def content(desk: Desk) -> Any:
    choose = dmc.MultiSelect(
        id="cmp-runs", data=await choices(desk), size="xs", searchable=True, clearable=True, hidePickedOptions=True,
        placeholder="Choose two to six", nothingFoundMessage="No runs yet",
    )  # fmt: skip
    return html.Div(
        [
            html.Section([html.H2("Compare stored runs"), choose], className="card"),
            html.Div(id="cmp-result", className="result"),
        ],
        className="results",
    )


async def choices(desk: Desk, also: Sequence[str] = ()) -> list[dict[str, str]]:
    """The newest runs for a list, and those of `also` that are there."""
    views = list((await desk.runs.list(LISTED)).views)
    for run_id in also:
        if run_id not in [view.run_id for view in views]:
            with contextlib.suppress(NotFound):  # what is shown says so
                views.append((await desk.runs.get(run_id)).view)
    found = {view.run_id: label(view) for view in views}
    return [
        {"value": run_id, "label": name}
        for run_id, name in (found | {one: "not stored" for one in also if one not in found}).items()
    ]


def label(view: RunView) -> str:
    return f"{report.label(view)} · {rfc3339(view.created_ts)[5:16].replace('T', ' ')}"


async def result(desk: Desk, run_ids: Sequence[str]) -> Any:
    """What is shown for these runs. Raises BadInput for fewer than two or more than six, NotFound."""
    runs = [await desk.runs.get(run_id) for run_id in stored.checked(run_ids)]
    names = stored.names_of([run.view for run in runs])
    return page(runs, names, await asyncio.to_thread(stored.compare, runs, names))


def page(runs: Sequence[StoredRun], names: Sequence[str], found: Comparison) -> Any:
    notes = [html.P(text, className="warn") for text in found.notes]
    return [
        html.Section([html.H2("To be known"), *notes], className="card diff") if notes else None,
        html.Section([html.H2("Equity compared"), chart(runs, names)], className="card"),
        html.Section(html.Div(merits(runs, names), className="scroll"), className="card"),
        *(days(found) if found.pairs else []),
    ]


def chart(runs: Sequence[StoredRun], names: Sequence[str]) -> Any:
    """All from the moment on that the last of them begins, if they have any time in common."""
    start_ts = stored.common_start(runs)
    rows = [run.ts >= start_ts if start_ts is not None else slice(None) for run in runs]
    curves = [(name, run.ts[mine], run.equity[mine]) for name, run, mine in zip(names, runs, rows, strict=True)]
    return dcc.Graph(id="compare-equity", figure=figures.compared(curves), config=report.GRAPH, style={"height": 380})


def merits(runs: Sequence[StoredRun], names: Sequence[str]) -> Any:
    views = [run.view for run in runs]
    links = [dcc.Link(name, href=f"/backtest?run={quote(v.run_id)}") for name, v in zip(names, views, strict=True)]
    head = html.Tr([html.Th(""), *[html.Th(link, className="num") for link in links]])
    texts = (
        ("Parameters", [given(view.spec.parameters) for view in views]),
        ("Market", [f"{market(view.spec.symbol)} {view.spec.timeframe}" for view in views]),
        ("Period", [f"{stored.day(v.metrics['start_ts'])} to {stored.day(v.metrics['end_ts'] - 1)}" for v in views]),
    )
    rows = [html.Tr([html.Td(name), *[html.Td(cell, className="num wrap") for cell in cells]]) for name, cells in texts]
    for merit in report.COMPARED:
        cells = [report.told(merit, view.metrics) for view in views]
        rows.append(html.Tr([html.Td(merit.label), *[html.Td(text, className=f"num {css}") for text, css in cells]]))
    return html.Table([html.Thead(head), html.Tbody(rows)], className="grid")


def days(found: Comparison) -> list[Any]:
    """Correlation, differences, mixes."""
    said = [html.P(text) for text in compare_html.verdicts(found)]
    return [
        card(compare_html.correlation_title(found), *compare_html.correlation_rows(found)),
        card("Differences", *compare_html.difference_rows(found), *said),
        card("Mixes", *compare_html.mix_rows(found), html.P(compare_html.MIX_NOTE, className="quiet")),
    ]


def card(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], *more: Any) -> Any:
    return html.Section(
        [html.H2(title), html.Div(table(header, rows), className="scroll"), *more], className="card diff"
    )


def register(app: Dash, desk: Desk) -> None:
    @app.callback(
        Output("cmp-runs", "value"), Output("cmp-runs", "data"), Input("cmp-runs", "id"), State("url", "search")
    )
    async def from_address(_: str, search: str | None) -> Any:
        """`?runs=a,b,c`"""
        asked = ",".join(parse_qs((search or "").lstrip("?")).get("runs", []))
        run_ids = [run_id for run_id in asked.split(",") if run_id]
        return run_ids, await choices(desk, run_ids)

    @app.callback(Output("cmp-result", "children"), Input("cmp-runs", "value"))
    async def show(run_ids: list[str] | None) -> Any:
        if len(run_ids or []) < 2:
            return html.P(NONE_YET, className="empty")
        try:
            return await result(desk, run_ids or [])
        except OnetapeError as error:
            return forms.problem(str(error))
