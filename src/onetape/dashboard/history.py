"""The Runs page: all stored runs, found, sorted, beside each other, made again, deleted. Scripts draw it
(`assets/run_history.js`, `assets/run_diff.js`); what they show comes from the API."""

from __future__ import annotations

from typing import Any

from dash import Dash, html

from onetape.bots.desk import Desk
from onetape.dashboard.widgets import widget


async def content(desk: Desk) -> Any:
    names = " ".join([*desk.registry.list(), "fleet"])
    return html.Div(
        [
            html.Section(widget("run-history", strategies=names), className="card"),
            widget("run-jobs"),
            widget("run-diff"),
        ],
        className="column",
    )


def register(app: Dash, desk: Desk) -> None:
    """Nothing to answer: the page asks the API."""
