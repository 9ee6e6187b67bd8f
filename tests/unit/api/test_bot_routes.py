"""Bots over the API: made whole or not at all, money as decimal strings, lists in pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from onetape.bots import files
from onetape.bots.desk import Desk
from onetape.domain.orders import Fill, Role, Side

BOT = {
    "name": "wave",
    "exchange": "okx",
    "symbol": "BTC-USD",
    "timeframe": "1m",
    "strategy": "sma_cross",
    "parameters": {"fast": 5, "slow": 20},
}


async def test_a_bot_is_created_stopped_and_says_all_that_scripts_rely_on(client: httpx.AsyncClient) -> None:
    answer = await client.post("bots", json=BOT)
    assert answer.status_code == 201
    bot = answer.json()
    assert (bot["status"], bot["mode"], bot["capital"], bot["equity"], bot["position"]) == (
        "stopped", "paper", "10000.00", "10000.00", "0",
    )  # fmt: skip
    assert bot["parameters"]["fast"] == 5
    assert bot["limits"]["max_exposure"] == 1.0
    assert (await client.get("bots/wave")).json() == bot
    assert (await client.get("bots")).json() == {"items": [bot], "next": None}


@pytest.mark.parametrize(("name", "kind"), [("grid", "quoting"), ("ridge_returns", "learning")])
async def test_a_bot_with_a_strategy_that_no_bot_can_run_is_refused(
    name: str, kind: str, client: httpx.AsyncClient
) -> None:
    answer = await client.post("bots", json={**BOT, "strategy": name, "parameters": {}})
    assert answer.status_code == 422
    assert f"a {kind} strategy, which no bot can run" in answer.json()["detail"]
    assert (await client.get("bots")).json()["items"] == []


async def test_start_pause_and_stop_are_wishes(client: httpx.AsyncClient) -> None:
    await client.post("bots", json=BOT)
    for verb, status in (("start", "running"), ("pause", "paused"), ("stop", "stopped")):
        assert (await client.post(f"bots/wave/{verb}")).json()["wanted"] == status


async def test_a_bot_that_runs_is_not_deleted(client: httpx.AsyncClient) -> None:
    await client.post("bots", json=BOT)
    await client.post("bots/wave/start")
    assert (await client.delete("bots/wave")).status_code == 409
    await client.post("bots/wave/stop")
    assert (await client.delete("bots/wave")).status_code == 204
    assert (await client.get("bots/wave")).status_code == 404


async def test_a_bot_is_given_another_spec_and_its_file_says_the_same(client: httpx.AsyncClient, desk: Desk) -> None:
    await client.post("bots", json=BOT)
    answer = await client.put("bots/wave", json={**BOT, "timeframe": "5m", "parameters": {"fast": 7, "slow": 30}})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["timeframe"], changed["parameters"]["fast"], changed["status"]) == ("5m", 7, "stopped")
    specs, errors = files.read_all(desk.config)
    assert (specs["wave"], errors) == ((await desk.bots.get("wave")).spec, [])


async def test_a_bad_change_leaves_the_bot_as_it_was(client: httpx.AsyncClient) -> None:
    before = (await client.post("bots", json=BOT)).json()
    for body, field in (({**BOT, "name": "tide"}, "$.name"), ({**BOT, "parameters": {"fast": 0}}, "$.parameters.fast")):
        answer = await client.put("bots/wave", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert (await client.put("bots/tide", json={**BOT, "name": "tide"})).status_code == 404
    assert (await client.get("bots")).json()["items"] == [before]


async def test_an_amount_may_be_sent_as_it_is_answered(client: httpx.AsyncClient) -> None:
    answer = await client.post("bots", json={**BOT, "capital": "2500.50"})
    assert (answer.status_code, answer.json()["capital"]) == (201, "2500.50")


async def test_bad_bodies_name_the_field_and_leave_no_trace(client: httpx.AsyncClient) -> None:
    cases: tuple[tuple[Any, str, int], ...] = (
        ({**BOT, "name": "Not A Name"}, "$.name", 422),
        ({**BOT, "capital": -5}, "$.capital", 422),
        ({**BOT, "capital": "much"}, "$.capital", 422),
        ({**BOT, "timeframe": "1x"}, "$.timeframe", 422),
        ({**BOT, "limits": {"stop": 7}}, "$.limits.stop", 422),
        ({**BOT, "parameters": {"fast": 0}}, "$.parameters.fast", 422),
        ({**BOT, "parameters": {"quick": 3}}, "$.parameters.quick", 422),
        ({**BOT, "strategy": "no_such"}, "strategy", 404),
        ({**BOT, "symbol": "NO-SUCH"}, "symbol", 404),
        ({name: value for name, value in BOT.items() if name != "symbol"}, "$", 422),
    )
    for body, field, status in cases:
        answer = await client.post("bots", json=body)
        assert (answer.status_code, answer.json()["field"]) == (status, field), body
    assert (await client.post("bots", content=b"{nonsense")).status_code == 422
    assert (await client.get("bots")).json()["items"] == []


async def test_a_name_is_given_once(client: httpx.AsyncClient) -> None:
    await client.post("bots", json=BOT)
    answer = await client.post("bots", json=BOT)
    assert (answer.status_code, answer.json()["field"]) == (409, "$.name")


async def test_the_eleventh_bot_is_refused(client: httpx.AsyncClient) -> None:
    for i in range(10):
        assert (await client.post("bots", json={**BOT, "name": f"bot-{i}"})).status_code == 201
    assert (await client.post("bots", json={**BOT, "name": "bot-10"})).status_code == 409


async def test_fills_come_newest_first_in_pages(client: httpx.AsyncClient, desk: Desk) -> None:
    rows = [
        Fill(
            id=str(i), bot="wave", order_id=f"wave-{i}", exchange="okx", symbol="BTC-USD", ts=1_700_000_000_000_000 + i,
            side=Side.BUY, qty=0.1, price=100.5, fee=0.01, role=Role.ENTRY,
        )
        for i in range(3)
    ]  # fmt: skip
    desk.queries.rows["fills"] = rows  # type: ignore[attr-defined]
    first = (await client.get("fills?bot=wave&limit=2")).json()
    second = (await client.get("fills", params={"bot": "wave", "limit": 2, "before": first["next"]})).json()
    assert [row["id"] for row in first["items"] + second["items"]] == ["2", "1", "0"]
    assert second["next"] is None
    assert first["items"][0] | {"role": ""} == {
        "id": "2",
        "bot": "wave",
        "order_id": "wave-2",
        "exchange": "okx",
        "symbol": "BTC-USD",
        "timestamp": "2023-11-14T22:13:20.000002Z",
        "side": "buy",
        "price": "100.50",
        "quantity": "0.1",
        "fee": "0.01",
        "role": "",
        "maker": False,
        "realised": "0.00",
    }
