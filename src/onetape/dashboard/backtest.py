"""In the making."""

from __future__ import annotations

from typing import Any

from dash import Dash, html

from onetape.bots.desk import Desk


async def content(desk: Desk) -> Any:  # noqa: ARG001
    return html.Div()


def register(app: Dash, desk: Desk) -> None:  # noqa: ARG001
    pass
