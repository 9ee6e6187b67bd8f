"""Who may talk to us: an ASGI layer that refuses what a foreign web page sends to this machine. Knows only ASGI.

A browser names the page that asks in `Origin`. WebSockets and requests that change something must come from our own
pages (or from programs, which send none); and while we listen on this machine only, `Host` must name this machine, so
that a foreign name pointed at 127.0.0.1 opens nothing.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from onetape.api.problems import problem

READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class OwnPagesOnly:
    """`loopback`: we are bound to this machine alone."""

    def __init__(self, app: ASGIApp, loopback: bool = False) -> None:
        self.app, self.loopback = app, loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and (why := self.refusal(scope)):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 4403, "reason": why})  # before accept: HTTP 403
                return
            await problem(403, why)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def refusal(self, scope: Scope) -> str:
        """Why not, or ""."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host, origin = headers.get("host", ""), headers.get("origin", "")
        if self.loopback and urlsplit(f"//{host}").hostname not in LOOPBACK:
            return f"The Host header names {host!r}. This server answers on 127.0.0.1 and localhost only."
        changes = scope["type"] == "websocket" or scope["method"] not in READING
        if changes and origin and urlsplit(origin).netloc != host:
            return f"Requests from pages of {origin} are refused. Open the dashboard at this server's own address."
        return ""
