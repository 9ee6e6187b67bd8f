"""The Optimise page: what is tried on the left; on the right a search, while it fills its heat map and after."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html

from onetape.backtest.search.views import map_of
from onetape.backtest.search.wish import OptimizeWish
from onetape.bots import searching
from onetape.bots.desk import Desk
from onetape.dashboard import asking, forms, search_blocks, search_form, search_jobs
from onetape.dashboard.report_blocks import GRAPH
from onetape.dashboard.search_charts import heat_chart
from onetape.dashboard.search_jobs import HIDDEN, Kind
from onetape.domain.errors import NotFound
from onetape.domain.jobs import Job
from onetape.domain.searches import SearchResult

HEAT: Final = 380  # pixels
NOTHING: Final = (
    "Choose a strategy and what is tried of each parameter, then press Search. The heat map fills while it runs. "
    "It goes on when this page is closed, and after a restart. Every trial counts in the ledger of trials."
)


async def ask(desk: Desk, fields: dict[str, Any], given: dict[str, Any]) -> Job:
    wish = OptimizeWish(**asking.asked(fields), **search_form.asked(desk, fields["strategy"], given))
    return await searching.optimize(desk, wish, forms.ASKED_BY)


KIND: Final = Kind("op", searching.OPTIMIZE, "search", "Searches", "Search", (), ask)


async def content(desk: Desk) -> Any:
    first = html.Div(html.P(NOTHING, className="empty"), id="op-first", className="result")
    return await search_jobs.layout(
        desk, KIND, [], [first, heat_card(), html.Div(id="op-result", className="result")]
    )  # fmt: skip


def heat_card() -> Any:
    """Stays where it is while its chart changes, so that the chosen axes do."""
    axes = [dmc.Select(id=f"op-{axis}", label=label, size="xs", data=[], w=130, allowDeselect=False)
            for axis, label in (("x", "Across"), ("y", "Up"))]  # fmt: skip
    graph = dcc.Graph(id="op-heat", config=GRAPH, style={"height": HEAT})
    return html.Section(
        [html.Div([html.H2("Heat map", id="op-heat-title"), html.Div(axes, className="axes", id="op-axes")],
                  className="card-head"), graph],
        className="card", id="op-heat-card", style=HIDDEN,
    )  # fmt: skip


def register(app: Dash, desk: Desk) -> None:
    search_jobs.register(app, desk, KIND)

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
        found = await result_of(desk, job_id)
        if found is None:
            first = html.P(NOTHING, className="empty") if not job_id else None
            return first, None, [], [], {}, HIDDEN, HIDDEN, ""
        result, run_id = found
        first = search_blocks.recommended_card(result, run_id) if result.complete else None
        names, body = list(result.spaces), cards(result)
        if result.heat is None:
            return first, body, names, names, {}, HIDDEN, HIDDEN, ""
        drawn = await asyncio.to_thread(heat, desk, result, x, y)
        title = f"Mean {result.wish.objectives[0]}" + (" over all other parameters" if len(names) > 2 else "")
        return first, body, names, names, drawn, {}, {} if len(names) > 2 else HIDDEN, title


def cards(result: SearchResult) -> list[Any]:
    made = (
        search_blocks.slices_card(result), search_blocks.front_card(result), search_blocks.rings_card(result),
        search_blocks.luck_card(result), search_blocks.trials_card(result),
    )  # fmt: skip
    return [card for card in made if card is not None]


async def result_of(desk: Desk, job_id: str | None) -> tuple[SearchResult, str] | None:
    """What a job has found so far, and the id of the run that it stored."""
    try:
        job = await desk.jobs.get(job_id or "")
    except NotFound:
        return None
    if job.kind != KIND.job:
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
