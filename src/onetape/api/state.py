"""How the platform is: health, readiness, version. Knows the hub and the desk."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from fastapi import APIRouter, Request, Response

from onetape.api import wire
from onetape.api.answers import answer, desk, shows
from onetape.api.hub import Hub
from onetape.domain.errors import OnetapeError
from onetape.domain.units import SECOND, Micros, rfc3339

router = APIRouter(tags=["state"])
SILENT: Final[Micros] = 15 * SECOND  # without a heartbeat after which a service counts as silent


class Health(msgspec.Struct, frozen=True):
    status: str  # ok, degraded
    time: str
    services: dict[str, wire.ServiceOut]


class Ready(msgspec.Struct, frozen=True):
    ready: bool
    missing: list[str]


class Version(msgspec.Struct, frozen=True):
    version: str
    python: str


def services(hub: Hub, expected: Sequence[str]) -> dict[str, wire.ServiceOut]:
    """Every service that is expected or was heard; one that is silent for too long says so. We who answer run."""
    now = hub.clock.now()
    found = {name: wire.ServiceOut(name=name, state="starting", restarts=0) for name in expected}
    for name, beat in hub.services.items():
        silent = beat.state.state == "running" and now - beat.heard_ts > SILENT
        found[name] = wire.service(beat.state, "silent" if silent else "", beat.heard_ts)
    us = found.get("web", wire.ServiceOut(name="web", state="running", restarts=0))
    return found | {"web": msgspec.structs.replace(us, state="running")}


@router.get("/health", responses=shows(Health), summary="State and restarts of each service; always 200")
async def health(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    found = services(hub, request.app.state.expected)
    status = "ok" if all(each.state == "running" for each in found.values()) else "degraded"
    return answer(Health(status, rfc3339(hub.clock.now()), found))


@router.get("/ready", responses=shows(Ready) | shows(Ready, 503), summary="503 until everything serves")
async def ready(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    found = services(hub, request.app.state.expected)
    missing = [f"{name} is {each.state}" for name, each in found.items() if each.state != "running"]
    if not hub.synced:
        missing.append("the bus is not connected")
    try:
        await desk(request).bots.list()
    except OnetapeError as error:
        missing.append(f"the database does not answer: {error}")
    return answer(Ready(not missing, missing), 503 if missing else 200)


@router.get("/version", responses=shows(Version))
async def version() -> Response:
    found: Any = Version(importlib.metadata.version("onetape"), platform.python_version())
    return answer(found)
