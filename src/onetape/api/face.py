"""The FastAPI application: routes, errors, limits on who may ask, and the OpenAPI page from local files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Response
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.staticfiles import StaticFiles

from onetape.api import audit, bots, data, jobs, market, metrics, research, runs, searches, state, stream
from onetape.api.answers import COMPONENTS
from onetape.api.hub import Hub
from onetape.api.origin import OwnPagesOnly
from onetape.api.problems import install, problem
from onetape.api.timing import PREFIX, Timed, Timings
from onetape.bots.desk import Desk

STATIC: Final = "/api/static"
SAYS: Final = (
    "Lists are `{items, next}`; times are RFC 3339 UTC; ledger amounts are decimal strings, market prices numbers; "
    "errors are problem+json with the field named. Live data: the WebSocket `/api/v1/stream?symbol=okx:BTC-USDT`."
)


def build(
    desk: Desk, hub: Hub, expected: Sequence[str] = (), *, loopback: bool = True, lifespan: Any = None
) -> FastAPI:
    """`expected` names the services that must run before the platform is ready."""
    app = FastAPI(
        title="onetape",
        description=SAYS,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=lifespan,
    )
    app.state.desk, app.state.hub, app.state.expected = desk, hub, tuple(expected)
    app.state.timings = Timings()
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    app.add_middleware(OwnPagesOnly, loopback=loopback)
    app.add_middleware(Timed, timings=app.state.timings)
    install(app)
    v1 = APIRouter()
    for room in (state, market, data, audit, bots, research, runs, searches, jobs, stream):
        v1.include_router(room.router)
    app.include_router(v1, prefix=PREFIX)
    app.include_router(metrics.router)
    _docs(app)

    @app.api_route("/api/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    async def no_such_endpoint(rest: str) -> Response:
        return problem(404, f"/api/{rest} is not an endpoint. /api/docs lists all of them.")

    return app


def _docs(app: FastAPI) -> None:
    folder = resources.files("fastapi_offline").joinpath("static")
    app.mount(STATIC, StaticFiles(directory=str(folder)), name="api-static")

    @app.get("/api/docs", include_in_schema=False)
    async def docs() -> Response:
        return get_swagger_ui_html(
            openapi_url="/api/openapi.json",
            title="onetape API",
            swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{STATIC}/favicon.png",
        )

    made = app.openapi

    def with_our_structs() -> dict[str, Any]:
        document = made()
        document.setdefault("components", {}).setdefault("schemas", {}).update(COMPONENTS)
        return document

    app.openapi = with_our_structs  # type: ignore[method-assign]
