"""What every question to the past asks for: data, money and assumptions. The fields of a form, and what they come to.

Ids are `PREFIX-NAME`: `bt-market` on the Backtest page, `op-market` on the Optimise page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, html

from onetape.bots.desk import Desk
from onetape.dashboard import assumptions, forms
from onetape.dashboard.bots import market_choices
from onetape.domain.units import rfc3339
from onetape.ports import Coverage

FIELDS: Final = (
    "market", "timeframe", "start", "end", "strategy", "cash", "sizing", "size", "stop", "take", "short",
    *assumptions.FIELDS,
)  # fmt: skip
NOTHING: Final = (
    "No candles are stored yet. Import a file (onetape data import FILE) or let the collector run for a while."
)


def states(prefix: str) -> dict[str, Any]:
    """The fields' values, for the `state` of a callback."""
    return {name: State(f"{prefix}-{name}", "value") for name in FIELDS}


async def data(desk: Desk, prefix: str, rows: Sequence[Coverage]) -> list[Any]:
    """Market, timeframe, dates and strategy. `rows` are not empty."""
    best, strategies = max(rows, key=lambda row: row.rows), desk.registry.list()
    first, last = rfc3339(best.first_ts)[:10], rfc3339(best.last_ts)[:10]
    return [
        html.Div(
            [
                choice(prefix, "market", "Market", await market_choices(desk), f"{best.exchange}:{best.symbol}"),
                choice(prefix, "timeframe", "Timeframe", list(forms.TIMEFRAMES), "1h"),
                dmc.TextInput(id=f"{prefix}-start", label="From", placeholder=first, size="xs"),
                dmc.TextInput(id=f"{prefix}-end", label="To", placeholder=last, size="xs"),
            ],
            className="fields",
        ),
        html.P(id=f"{prefix}-coverage", className="quiet small"),
        html.Div(
            [choice(prefix, "strategy", "Strategy", strategies, forms.first_choice(strategies))],
            className="fields one",
        ),
    ]


def money(prefix: str) -> list[Any]:
    return [
        html.H2("Money"),
        html.Div(
            [
                dmc.NumberInput(
                    id=f"{prefix}-cash", label="Cash", value=10_000, min=0, step=1000, size="xs", thousandSeparator=","
                ),
                choice(prefix, "short", "Short selling", forms.YES_NO, "false"),
                choice(prefix, "sizing", "Size of an entry", forms.SIZINGS, "fraction"),
                forms.amount(f"{prefix}-size", "Amount", 0.95, step=0.05),
                forms.amount(f"{prefix}-stop", "Stop-loss", None, "a rate, or empty", 0.005),
                forms.amount(f"{prefix}-take", "Take-profit", None, "a rate, or empty", 0.005),
            ],
            className="fields",
        ),
        *assumptions.fields(prefix),
    ]


def actions(prefix: str, label: str) -> Any:
    """Progress, the button that cancels and the one that begins."""
    return html.Div(
        [
            html.Div(dmc.Progress(id=f"{prefix}-progress", value=0, size="sm"), className="progress"),
            html.Span(id=f"{prefix}-stage", className="quiet small"),
            dmc.Button("Cancel", id=f"{prefix}-cancel", size="xs", variant="default", style={"display": "none"}),
            dmc.Button(label, id=f"{prefix}-run", size="xs"),
        ],
        className="actions",
    )


def choice(prefix: str, name: str, label: str, data: list[Any], value: str) -> Any:
    return dmc.Select(id=f"{prefix}-{name}", label=label, data=data, value=value, allowDeselect=False, size="xs")


def asked(given: dict[str, Any]) -> dict[str, Any]:
    """The fields of a BacktestWish that a filled-in form gives, but for the parameters."""
    exchange, _, symbol = str(given["market"] or "").partition(":")
    return {
        "strategy": given["strategy"],
        "exchange": exchange,
        "symbol": symbol,
        "timeframe": given["timeframe"],
        "start": str(given["start"] or "").strip(),
        "end": str(given["end"] or "").strip(),
        "cash": forms.number(given["cash"], 0.0),
        "sizing": f"{given['sizing']}:{given['size']}",
        "allow_short": given["short"] == "true",
        "stop": forms.optional(given["stop"]),
        "take": forms.optional(given["take"]),
        **assumptions.asked(given),
    }


def register(app: Dash, desk: Desk, prefix: str) -> None:
    """Says what is stored of the market that is chosen."""

    @app.callback(
        Output(f"{prefix}-coverage", "children"),
        Output(f"{prefix}-start", "placeholder"),
        Output(f"{prefix}-end", "placeholder"),
        Input(f"{prefix}-market", "value"),
    )
    async def show_coverage(market: str | None) -> Any:
        rows = [row for row in await desk.coverage() if f"{row.exchange}:{row.symbol}" == market]
        if not rows:
            return "", "", ""
        best = max(rows, key=lambda row: row.rows)
        first, last = rfc3339(best.first_ts)[:10], rfc3339(best.last_ts)[:10]
        gaps = f", {best.gaps} gaps" if best.gaps else ""
        return f"Stored: {first} to {last}, {best.rows:,} candles of {best.timeframe}{gaps}.", first, last
