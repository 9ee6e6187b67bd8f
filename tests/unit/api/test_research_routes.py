"""Strategies, the gate and backtests over the API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from onetape.bots.desk import Desk

WISH = {"strategy": "sma_cross", "symbol": "BTC-USD", "timeframe": "5m", "parameters": {"fast": 5, "slow": 20}}


async def test_strategies_carry_their_schema(client: httpx.AsyncClient) -> None:
    items = {each["name"]: each for each in (await client.get("strategies")).json()["items"]}
    assert items["sma_cross"]["schema"]["properties"]["fast"]["type"] == "integer"
    assert items["sma_cross"]["gate"] is None


async def test_strategies_tell_what_they_answer(client: httpx.AsyncClient) -> None:
    kinds = {each["name"]: each["kind"] for each in (await client.get("strategies")).json()["items"]}
    assert (kinds["sma_cross"], kinds["grid"], kinds["ridge_returns"]) == ("signals", "quoting", "learning")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("grid", {"length": 20, "spacing": 0.001}), ("ridge_returns", {"lags": 2, "ahead": 1, "window": 50, "every": 20})],
)
async def test_other_kinds_are_answered_as_jobs_too(
    name: str, parameters: dict[str, Any], client: httpx.AsyncClient, desk: Desk
) -> None:
    wish = {**WISH, "strategy": name, "parameters": parameters}
    job_id = (await client.post("backtests", json=wish)).json()["id"]
    await desk.jobs.wait(job_id)
    result = (await client.get(f"backtests/{job_id}/result")).json()
    assert (result["strategy"], result["timeframe"]) == (name, "5m")
    assert result["parameters"] | parameters == result["parameters"]
    assert ("fits" in result["manifest"]) == (name == "ridge_returns")


async def test_what_is_wrong_with_a_quoting_wish_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.post("backtests", json={**WISH, "strategy": "grid", "parameters": {"levels": 20}})
    assert answer.status_code == 422
    assert answer.json()["field"] == "$.parameters.levels"


async def test_the_gate_answers_and_is_remembered(client: httpx.AsyncClient) -> None:
    report = (await client.post("strategies/sma_cross/verify", json={"symbol": "BTC-USD"})).json()
    assert report["causal"]["ok"]
    assert report["finite_memory"]["ok"]
    assert (await client.get("strategies/sma_cross")).json()["gate"] == report


async def test_a_backtest_is_a_job_with_a_result(client: httpx.AsyncClient, desk: Desk) -> None:
    answer = await client.post("backtests", json=WISH)
    assert answer.status_code == 202
    job_id = answer.json()["id"]
    await desk.jobs.wait(job_id)
    job = (await client.get(f"backtests/{job_id}")).json()
    assert (job["state"], job["progress"], job["error"]) == ("done", 1.0, "")
    result = (await client.get(f"backtests/{job_id}/result")).json()
    assert result["run_id"] == job["run_id"]
    assert result["metrics"]["trades"] == len([trade for trade in result["trades"] if not trade["open"]])
    assert result["metrics"]["start"].startswith("2024-01-01T")
    assert float(result["equity"][-1]["equity"]) == round(result["metrics"]["final_equity"], 8)
    assert [each["run_id"] for each in (await client.get("runs")).json()["items"]] == [job["run_id"]]


async def test_backtests_are_counted_and_say_how_likely_they_are_luck(client: httpx.AsyncClient, desk: Desk) -> None:
    found = []
    for fast in (5, 6):
        wish = {**WISH, "parameters": {"fast": fast, "slow": 20}}
        job_id = (await client.post("backtests", json=wish)).json()["id"]
        await desk.jobs.wait(job_id)
        found.append((await client.get(f"backtests/{job_id}/result")).json()["metrics"]["luck"])
    assert [luck["trials"] for luck in found] == [1, 2]
    assert found[0]["reasons"]["blocks"] == "1 days are too few to redraw; 30 are the least."


async def test_a_backtest_that_cannot_be_answered_fails_with_a_sentence(client: httpx.AsyncClient, desk: Desk) -> None:
    job_id = (await client.post("backtests", json={**WISH, "timeframe": "4h"})).json()["id"]
    await desk.jobs.wait(job_id)
    job = (await client.get(f"backtests/{job_id}")).json()
    assert job["state"] == "failed"
    assert "too short" in job["error"]
    assert (await client.get(f"backtests/{job_id}/result")).status_code == 409
    assert (await client.get("runs")).json()["items"] == []


async def test_bad_questions_are_refused_at_once(client: httpx.AsyncClient) -> None:
    for change, field, status in (
        ({"symbol": "NO-SUCH"}, "$.symbol", 404),
        ({"timeframe": "x"}, "$.timeframe", 422),
        ({"cash": 0}, "$.cash", 422),
        ({"sizing": "half"}, "$.sizing", 422),
        ({"start": "20240102", "end": "20240101"}, "$.end", 422),
        ({"parameters": {"fast": "many"}}, "$.parameters.fast", 422),
        ({"colour": "red"}, "$", 422),
    ):
        answer = await client.post("backtests", json={**WISH, **change})
        assert (answer.status_code, answer.json()["field"]) == (status, field), change
    assert (await client.get("backtests")).json()["items"] == []


async def test_cancelling_a_finished_job_is_a_conflict(client: httpx.AsyncClient, desk: Desk) -> None:
    job_id = (await client.post("backtests", json=WISH)).json()["id"]
    await desk.jobs.wait(job_id)
    assert (await client.delete(f"backtests/{job_id}")).status_code == 409
    assert (await client.delete("backtests/nonsense")).status_code == 404
