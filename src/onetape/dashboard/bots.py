"""The Bots page: the live table, one bot in detail (both drawn by scripts), and the form that makes a new bot."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import ALL, Dash, Input, Output, State, ctx, html, no_update, set_props

from onetape.bots.desk import Desk
from onetape.dashboard import forms
from onetape.dashboard.widgets import widget
from onetape.domain.bots import BotSpec, BotStatus, LimitsSpec
from onetape.domain.errors import OnetapeError


async def content(desk: Desk) -> Any:
    head = html.Div(
        [html.H2("Bots"), dmc.Button("New bot", id="bot-new", size="xs", variant="filled")], className="card-head"
    )
    return html.Div(
        [
            html.Section([head, widget("bots", "scroll")], className="card"),
            widget("bot-detail", "card"),
            dmc.Modal(
                await form(desk),
                id="bot-modal",
                title="New paper bot",
                size="lg",
                opened=False,
                overlayProps={"backgroundOpacity": 0.6},
                transitionProps={"duration": 0},
            ),
        ],
        className="bots",
    )


async def form(desk: Desk) -> Any:
    markets = await market_choices(desk)
    if not markets:
        return html.P(
            "No candles are stored yet, so there is nothing to trade. Let the collector run for a moment, or import "
            "some: onetape data import FILE.",
            className="empty",
        )
    return html.Div(
        [
            what_it_trades(markets, desk.registry.list()),
            html.H2("Parameters"),
            html.Div(id="bot-parameters", className="fields"),
            html.H2("Size, exits and limits"),
            what_it_risks(),
            html.Div(id="bot-problem", role="alert"),
            html.Div(
                [
                    dmc.Button("Create", id="bot-create", size="xs", variant="default"),
                    dmc.Button("Create and start", id="bot-create-start", size="xs"),
                ],
                className="actions",
            ),
        ]
    )


def what_it_trades(markets: list[str], strategies: list[str]) -> Any:
    return html.Div(
        [
            dmc.TextInput(
                id="bot-name", label="Name", placeholder="trend-1", size="xs", description="a-z, 0-9, - and _"
            ),
            dmc.NumberInput(
                id="bot-capital",
                label="Capital",
                value=10_000,
                min=0,
                step=1000,
                size="xs",
                description="play money, in quote currency",
                thousandSeparator=",",
            ),
            dmc.Select(id="bot-market", label="Market", data=markets, value=markets[0], allowDeselect=False, size="xs"),
            dmc.Select(
                id="bot-timeframe",
                label="Timeframe",
                data=list(forms.TIMEFRAMES),
                value="1m",
                allowDeselect=False,
                size="xs",
            ),
            dmc.Select(
                id="bot-strategy",
                label="Strategy",
                data=strategies,
                allowDeselect=False,
                size="xs",
                value=forms.first_choice(strategies),
            ),
        ],
        className="fields",
    )


def what_it_risks() -> Any:
    return html.Div(
        [
            dmc.Select(
                id="bot-sizing",
                label="Size of an entry",
                data=forms.SIZINGS,
                value="fraction",
                allowDeselect=False,
                size="xs",
            ),
            forms.amount("bot-size", "Amount", 0.95, step=0.05),
            forms.amount("bot-stop", "Stop-loss", None, "a rate: 0.02 is 2 %; empty = none", 0.005),
            forms.amount("bot-take", "Take-profit", None, "a rate: 0.04 is 4 %; empty = none", 0.005),
            forms.amount("bot-drawdown", "Halt at drawdown", None, "a rate; empty = never", 0.05),
            forms.amount("bot-fee", "Taker fee", 0.001, "0.001 is 0.1 %"),
            dmc.Select(
                id="bot-short",
                label="Short selling",
                data=forms.YES_NO,
                value="false",
                allowDeselect=False,
                size="xs",
            ),
        ],
        className="fields",
    )


async def market_choices(desk: Desk) -> list[str]:
    """`okx:BTC-USDT` for every symbol of which candles are stored, those of exchanges that are listened to first."""
    listened = {found.exchange for found in await desk.candles.instruments()}
    rows = {(row.exchange not in listened, f"{row.exchange}:{row.symbol}") for row in await desk.coverage()}
    return [market for _, market in sorted(rows)]


def register(app: Dash, desk: Desk) -> None:
    @app.callback(Output("bot-modal", "opened"), Input("bot-new", "n_clicks"), prevent_initial_call=True)
    async def open_form(_: int) -> bool:
        return True

    @app.callback(Output("bot-parameters", "children"), Input("bot-strategy", "value"))
    async def show_parameters(strategy: str | None) -> Any:
        return forms.parameters("bot", desk.registry.schema(strategy)) if strategy else []

    @app.callback(
        output=Output("bot-problem", "children"),
        inputs={"create": Input("bot-create", "n_clicks"), "start": Input("bot-create-start", "n_clicks")},
        state={
            "fields": {name: State(f"bot-{name}", "value") for name in FIELDS},
            "values": State({"form": "bot", "parameter": ALL}, "value"),
            "ids": State({"form": "bot", "parameter": ALL}, "id"),
        },
        prevent_initial_call=True,
        running=[(Output(button, "disabled"), True, False) for button in ("bot-create", "bot-create-start")],
    )
    async def make(create: Any, start: Any, fields: dict[str, Any], values: list[Any], ids: list[Any]) -> Any:  # noqa: ARG001
        starts = ctx.triggered_id == "bot-create-start"
        try:
            view = await desk.create(spec_of(desk, fields, forms.read(ids, values)))
            if starts:
                view = await desk.wish(view.spec.name, BotStatus.RUNNING)
        except OnetapeError as error:
            return forms.problem(str(error))
        name = view.spec.name
        set_props("bot-modal", {"opened": False})
        says = "It waits for the next candle." if starts else "Start it in the table."
        note = {
            "action": "show",
            "id": f"made-{name}",
            "title": f"Bot {name} created",
            "message": says,
            "color": "accent",
        }
        set_props("notifications", {"sendNotifications": [note]})
        return no_update


FIELDS = (
    "name",
    "capital",
    "market",
    "timeframe",
    "strategy",
    "sizing",
    "size",
    "stop",
    "take",
    "drawdown",
    "fee",
    "short",
)


def spec_of(desk: Desk, given: dict[str, Any], parameters: dict[str, Any]) -> BotSpec:
    """The spec that a filled-in form means. Raises BadInput."""
    exchange, _, symbol = str(given["market"] or "").partition(":")
    strategy = desk.registry.build(given["strategy"], parameters, text=True)
    return BotSpec(
        name=str(given["name"] or "").strip(),
        exchange=exchange,
        symbol=symbol,
        timeframe=given["timeframe"],
        strategy=given["strategy"],
        parameters=strategy.parameters(),
        capital=forms.number(given["capital"], 0.0),
        sizing=f"{given['sizing']}:{given['size']}",
        fee_taker=forms.number(given["fee"], 0.001),
        limits=LimitsSpec(
            stop=forms.optional(given["stop"]),
            take=forms.optional(given["take"]),
            allow_short=given["short"] == "true",
            max_drawdown=forms.optional(given["drawdown"]),
        ),
    ).check()
