"""Puts the dashboard onto a FastAPI application: the shell around all pages, and which page an address shows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import dash_mantine_components as dmc
from dash import Dash, Input, Output, dcc, html, set_props
from starlette.types import ASGIApp, Receive, Scope, Send

from onetape.bots.desk import Desk
from onetape.dashboard import backtest, bots, compare, data, history, market, optimise, strategies, walkforward
from onetape.dashboard.widgets import widget
from onetape.domain.errors import OnetapeError
from onetape.observe import log

ACCENT: Final = [
    "#e8f1ff", "#cfe0fb", "#a3c4f5", "#7faaf0", "#6ea8fe", "#5b95ea", "#4a82d6", "#3c6fbc", "#2f5a9b", "#22436f",
]  # fmt: skip
GREYS: Final = [
    "#d5d8dc", "#b3b8bf", "#9aa0a8", "#747b84", "#4a5058", "#33383f", "#272b31", "#1c1f24", "#16181c", "#101114",
]  # fmt: skip
THEME: Final = {
    "primaryColor": "accent",
    "colors": {"accent": ACCENT, "dark": GREYS},
    "fontFamily": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "defaultRadius": "sm",
    "fontSizes": {"xs": "11px", "sm": "13px", "md": "14px"},
}

INDEX: Final = """<!DOCTYPE html>
<html lang="en">
  <head>
    {%metas%}
    <title>{%title%}</title>
    <link rel="icon" type="image/svg+xml" href="/assets/icon.svg">
    {%css%}
  </head>
  <body>
    {%app_entry%}
    <footer>{%config%}{%scripts%}{%renderer%}</footer>
  </body>
</html>"""
OTHERS: Final = ("/api/", "/metrics", "/assets/", "/_")  # the API, our scripts, Dash's own routes


class Page(NamedTuple):
    path: str
    name: str
    content: Callable[[Desk], Awaitable[Any]]
    in_menu: bool = True


PAGES: Final = (
    Page("/", "Market", market.content),
    Page("/bots", "Bots", bots.content),
    Page("/strategies", "Strategies", strategies.content),
    Page("/backtest", "Backtest", backtest.content),
    Page("/optimise", "Optimise", optimise.content),
    Page("/walk-forward", "Walk-forward", walkforward.content),
    Page("/runs", "Runs", history.content),
    Page("/compare", "Compare", compare.content, in_menu=False),
    Page("/data", "Data", data.content),
)


def attach(server: Any, desk: Desk) -> Dash:
    """Adds the dashboard's routes to the FastAPI application `server`, after all routes of its own."""
    app = Dash(
        "onetape",
        server=server,
        assets_folder=str(Path(__file__).with_name("assets")),
        title="onetape",
        update_title="",
        suppress_callback_exceptions=True,
        on_error=tell_fault,
        index_string=INDEX,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
    )
    app.layout = shell()

    @app.callback(Output("page", "children"), Input("url", "pathname"))
    async def show(path: str | None) -> Any:
        page = next((each for each in PAGES if each.path == (path or "/")), None)
        return await page.content(desk) if page else _no_page(path)

    untyped: Any = app
    untyped.clientside_callback(
        """(path) => { document.querySelectorAll(".nav a").forEach(
             (a) => a.classList.toggle("here", a.getAttribute("href") === path)); document.title = "onetape";
           document.querySelector(".nav a.here")?.scrollIntoView({ block: "nearest", inline: "center" });
           return window.dash_clientside.no_update; }""",
        Output("nav", "title"),
        Input("url", "pathname"),
    )
    for room in (market, bots, strategies, backtest, optimise, walkforward, history, compare, data):
        room.register(app, desk)
    untyped._setup_server()  # all callbacks are known: a page that comes back after a restart finds them at once
    server.add_middleware(EveryPage)
    return app


class EveryPage:
    """Every address that is not somebody else's is the one page of Dash, which then looks at the address itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(OTHERS):
            scope = {**scope, "path": "/", "raw_path": b"/"}
        await self.app(scope, receive, send)


def tell_fault(fault: Exception) -> None:
    """A callback failed: into the log with it, and a sentence on the page. The page stays as it was."""
    if isinstance(fault, OnetapeError):
        title, sentence = "That did not work", str(fault)
    else:
        log.error("callback_failed", exc_info=fault)
        title, sentence = "A fault in onetape", "`onetape logs --service web` holds the details."
    note = {"action": "show", "id": f"fault-{id(fault)}", "title": title, "message": sentence, "color": "red"}
    set_props("notifications", {"sendNotifications": [note]})


def shell() -> Any:
    links = [dcc.Link(page.name, href=page.path) for page in PAGES if page.in_menu]
    header = html.Header(
        [
            html.Div("onetape", className="brand"),
            html.Nav(links, className="nav", id="nav"),
            widget("status", "status"),
        ],
        className="top",
    )
    return dmc.MantineProvider(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dmc.NotificationContainer(id="notifications", position="bottom-right", limit=4),
            header,
            html.Main(id="page"),
        ],
        forceColorScheme="dark",
        theme=THEME,
    )


def _no_page(path: str | None) -> Any:
    return html.Div(
        [html.P(f"There is no page {path}."), dcc.Link("Go to the market", href="/")], className="empty big"
    )
