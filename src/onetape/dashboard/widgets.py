"""Places on a page that the scripts in `assets` fill and keep up to date. Knows Dash only."""

from __future__ import annotations

from typing import Any

from dash import html


def widget(name: str, css: str = "", **data: str) -> Any:
    """A box with `data-widget=name` that has the widget's name as id too; `data` becomes its data-... attributes."""
    attributes: Any = {"data-widget": name} | {f"data-{key}": value for key, value in data.items()}
    return html.Div(id=attributes.pop("data-id", name), className=css, **attributes)
