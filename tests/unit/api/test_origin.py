"""A foreign web page can neither change anything nor listen; programs, which name no origin, can."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

OWN = {"Origin": "http://127.0.0.1", "Host": "127.0.0.1"}
FOREIGN = {"Origin": "http://evil.example", "Host": "127.0.0.1"}


async def test_a_foreign_page_may_not_post(client: httpx.AsyncClient) -> None:
    assert (await client.post("bots/x/start", headers=FOREIGN)).status_code == 403
    assert (await client.delete("bots/x", headers=FOREIGN)).status_code == 403
    assert (await client.post("bots/x/start", headers=OWN)).status_code == 404
    assert (await client.post("bots/x/start")).status_code == 404


async def test_a_foreign_name_for_this_machine_opens_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("bots", headers={"Host": "evil.example"})).status_code == 403
    for host in ("localhost:8050", "127.0.0.1:8050", "[::1]:8050"):
        assert (await client.get("bots", headers={"Host": host})).status_code == 200


def test_a_foreign_page_may_not_listen(app: Any) -> None:
    with TestClient(app, base_url="http://127.0.0.1") as browser:
        with pytest.raises(WebSocketDisconnect), browser.websocket_connect("/api/v1/stream", headers=FOREIGN):
            pass
        with browser.websocket_connect("/api/v1/stream?bots=true", headers=OWN) as socket:
            assert socket.receive_json()["seq"] == 1
