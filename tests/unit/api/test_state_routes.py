"""Health is always 200 and says how each service is; ready is 503 until everything serves; the docs are local."""

from __future__ import annotations

from typing import Any

import httpx

from onetape.api.hub import Hub
from onetape.clock import SimulatedClock
from onetape.domain.services import ServiceState


async def test_ready_is_503_until_every_service_was_heard(client: httpx.AsyncClient, hub: Hub) -> None:
    answer = await client.get("ready")
    assert answer.status_code == 503
    assert answer.json()["missing"] == [
        "collector is starting",
        "trader is starting",
        "the bus is not connected",
    ]
    hub.synced = True
    for name in ("collector", "trader"):
        hub.on_service(ServiceState(name=name, state="running"))
    answer = await client.get("ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "missing": []})


async def test_health_names_restarts_and_silence(client: httpx.AsyncClient, hub: Hub) -> None:
    hub.on_service(ServiceState(name="collector", state="running", restarts=2, error="killed"))
    health = (await client.get("health")).json()
    assert (health["status"], health["services"]["collector"]["restarts"]) == ("degraded", 2)
    clock = hub.clock
    assert isinstance(clock, SimulatedClock)
    clock.advance(clock.now() + 60_000_000)
    answer = await client.get("health")
    assert answer.status_code == 200
    assert answer.json()["services"]["collector"]["state"] == "silent"


async def test_the_docs_page_loads_nothing_from_elsewhere(app: Any) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as browser:
        page = (await browser.get("/api/docs")).text
        assert "https://" not in page
        assert "http://" not in page
        for path in ("/api/static/swagger-ui-bundle.js", "/api/static/swagger-ui.css", "/api/static/favicon.png"):
            assert path in page
            assert (await browser.get(path)).status_code == 200
        document = (await browser.get("/api/openapi.json")).json()
        assert "/api/v1/bots/{name}/start" in document["paths"]
        for schema in ("BotSpec", "BotOut", "BacktestWish"):
            assert schema in document["components"]["schemas"]


async def test_a_fault_of_ours_is_a_problem_without_a_trace(client: httpx.AsyncClient, hub: Hub) -> None:
    hub.services = None  # type: ignore[assignment]
    answer = await client.get("health")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
