"""The Strategies page: what there is, its parameters, what the gate says, and the signals its bots gave."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import dash_mantine_components as dmc
from dash import MATCH, Dash, Input, Output, State, dcc, html

from onetape.bots.desk import Desk
from onetape.dashboard import forms
from onetape.dashboard.widgets import widget
from onetape.domain.bots import BotStatus, BotView
from onetape.domain.errors import OnetapeError
from onetape.strategies.gate import GateReport, Verdict


async def content(desk: Desk) -> Any:
    bots: dict[str, list[BotView]] = {}
    for view in await desk.bots.list():
        bots.setdefault(view.spec.strategy, []).append(view)
    registry = desk.registry
    wrong = [
        html.Section([html.H2("Not loaded"), *[html.P(str(error)) for error in registry.errors]], className="card")
    ]
    cards = [card(desk, tag, bots.get(tag, [])) for tag in registry.list()]
    return html.Div([*(wrong if registry.errors else []), *cards], className="strategies")


def card(desk: Desk, tag: str, bots: list[BotView]) -> Any:
    entry, report = desk.registry.entry(tag), desk.gate(tag)
    head = html.Div(
        [
            html.Div([html.H1(tag), html.Span("built in" if entry.built_in else entry.file.name, className="pill")],
                     className="name"),
            html.Div(
                [
                    dcc.Link("Backtest", href=f"/backtest?strategy={quote(tag)}", className="link"),
                    dmc.Button("Run the gate", id={"strategy": tag, "part": "gate"}, size="xs", variant="default"),
                ],
                className="buttons",
            ),
        ],
        className="card-head",
    )  # fmt: skip
    signals = widget("strategy-signals", id=f"signals-{tag}", bots=" ".join(view.spec.name for view in bots))
    return html.Section(
        [
            head,
            html.P(entry.says.replace("`", ""), className="says"),
            html.Div(
                [
                    html.Div([html.H2("Parameters"), parameters_table(desk.registry.schema(tag))]),
                    html.Div(
                        [html.H2("Gate"), html.Div(verdicts(report, bots), id={"strategy": tag, "part": "verdict"})]
                    ),
                    html.Div([html.H2("Last signals of its bots"), signals]),
                ],
                className="thirds",
            ),
        ],
        className="card",
        id=f"strategy-{tag}",
    )


def parameters_table(schema: dict[str, Any]) -> Any:
    properties = schema.get("properties", {})
    if not properties:
        return html.P("None.", className="quiet")
    rows = []
    for name, spec in properties.items():
        known = forms.resolved(schema, spec)
        rows.append(
            html.Tr(
                [
                    html.Td(name),
                    html.Td(default(known), className="num"),
                    html.Td(forms.described(known), className="quiet wrap"),
                ]
            )
        )
    head = html.Tr([html.Th("Name"), html.Th("Default", className="num"), html.Th("Meaning")])
    return html.Table([html.Thead(head), html.Tbody(rows)], className="grid")


def default(spec: dict[str, Any]) -> str:
    value = spec.get("default", "")
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)


def verdicts(report: GateReport | None, bots: list[BotView] | None = None) -> Any:
    """`bots` speak where nothing is remembered: one that trades has passed the gate with its own parameters."""
    passed = [view.spec.name for view in bots or () if view.status in (BotStatus.RUNNING, BotStatus.PAUSED)]
    if report is None and passed:
        says = html.Div([html.Span(f"Passed by {' and '.join(passed)}"), html.Span("holds", className="pill running")])
        own = "With the bot's own parameters. Run the gate to see it for the defaults."
        return html.Div([says, html.P(own, className="quiet small")], className="verdict")
    if report is None:
        return html.P(
            "Not run yet. The gate proves that the strategy does not look ahead and that its warm-up is long enough; "
            "no bot starts without it.",
            className="quiet",
        )
    return [
        verdict("Does not look ahead", report.causal),
        verdict("Warm-up is long enough", report.finite_memory),
        html.P(
            f"On {report.candles:,} candles of {report.symbol} {report.timeframe}, warm-up {report.warmup}.",
            className="quiet small",
        ),
    ]


def verdict(what: str, found: Verdict) -> Any:
    state = "holds" if found.ok else "does not hold"
    return html.Div(
        [
            html.Div([html.Span(what), html.Span(state, className=f"pill {'running' if found.ok else 'halted'}")]),
            html.P(found.evidence, className="quiet small"),
        ],
        className="verdict",
    )


def register(app: Dash, desk: Desk) -> None:
    @app.callback(
        Output({"strategy": MATCH, "part": "verdict"}, "children"),
        Input({"strategy": MATCH, "part": "gate"}, "n_clicks"),
        State({"strategy": MATCH, "part": "gate"}, "id"),
        prevent_initial_call=True,
        running=[(Output({"strategy": MATCH, "part": "gate"}, "loading"), True, False)],
    )
    async def run_gate(_: int | None, button: dict[str, str]) -> Any:
        try:
            return verdicts(await desk.verify(button["strategy"], {}, await desk.any_series()))
        except OnetapeError as error:
            return forms.problem(str(error))
