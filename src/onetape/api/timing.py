"""How long answers take, by route: an ASGI layer around everything that answers. Knows only ASGI and the format."""

from __future__ import annotations

import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onetape.api.exposition import Buckets, Family, Sample

PREFIX: Final = "/api/v1"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class Timings:
    """A histogram for each method, route and status."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], Buckets] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        self._found.setdefault((method, route, str(status)), Buckets(BOUNDS)).add(seconds)

    def family(self) -> Family:
        samples: list[Sample] = []
        for (method, route, status), buckets in sorted(self._found.items()):
            samples += buckets.samples({"method": method, "route": route, "status": status})
        return Family(
            "onetape_http_request_duration_seconds", "histogram", "Until an answer was sent, by route.", samples
        )


class Timed:
    """Measures requests. The route is its pattern, never the address: that would be a series for each bot and typo."""

    def __init__(self, app: ASGIApp, timings: Timings) -> None:
        self.app, self.timings = app, timings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"  # anybody can send any word
            self.timings.add(method, route_of(scope), status, time.perf_counter() - began)


def route_of(scope: Scope) -> str:
    """`/api/v1/bots/{name}`; what is no route of the API is `page` (the dashboard) or `other`."""
    route: str = getattr(scope.get("route"), "path", "")  # of an included router: without its prefix
    path: str = scope["path"]
    if path == "/metrics":
        return path
    if not path.startswith("/api/"):
        return "page"
    if not route or route.startswith("/api/"):
        return "other"
    return f"{PREFIX}{route}"
