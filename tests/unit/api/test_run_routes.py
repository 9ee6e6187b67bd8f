"""Stored runs over the API: found, beside each other, made again, deleted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from onetape.bots.desk import Desk

WISH = {"strategy": "sma_cross", "symbol": "BTC-USD", "timeframe": "5m", "parameters": {"fast": 5, "slow": 20}}


async def made(client: httpx.AsyncClient, desk: Desk, **parts: Any) -> str:
    job_id = (await client.post("backtests", json=WISH | parts)).json()["id"]
    return (await desk.jobs.wait(job_id)).result


async def three(client: httpx.AsyncClient, desk: Desk) -> list[str]:
    return [await made(client, desk, parameters={"fast": fast, "slow": 20}) for fast in (5, 6, 7)]


async def test_runs_are_found_by_what_is_in_them_page_by_page(client: httpx.AsyncClient, desk: Desk) -> None:
    ids = await three(client, desk)
    first = (await client.get("runs", params={"limit": 2})).json()
    rest = (await client.get("runs", params={"limit": 2, "before": first["next"]})).json()
    assert [run["run_id"] for run in first["items"] + rest["items"]] == ids[::-1]
    assert (first["fitting"], rest["next"]) == (3, None)
    for asked, count in (
        ({"strategy": "sma_cross"}, 3), ({"strategy": "grid"}, 0), ({"symbol": "btc/usd"}, 3), ({"symbol": "BTC"}, 0),
        ({"text": "fast=6"}, 1), ({"timeframe": "1h"}, 0), ({"since": "2024-01-01"}, 3), ({"until": "2024-01-01"}, 0),
    ):  # fmt: skip
        assert (await client.get("runs", params=asked)).json()["fitting"] == count, asked


async def test_runs_are_sorted_by_a_figure(client: httpx.AsyncClient, desk: Desk) -> None:
    await three(client, desk)
    found = [run["metrics"]["total_return"] for run in (await client.get("runs?sort=total_return")).json()["items"]]
    assert found == sorted(found, reverse=True)
    falls = [run["metrics"]["max_drawdown"] for run in (await client.get("runs?sort=max_drawdown")).json()["items"]]
    assert falls == sorted(falls)


async def test_a_search_that_makes_no_sense_is_refused(client: httpx.AsyncClient) -> None:
    for asked, field in (({"sort": "luck"}, "sort"), ({"since": "soon"}, "since"), ({"until": "soon"}, "until")):
        answer = await client.get("runs", params=asked)
        assert (answer.status_code, answer.json()["field"]) == (422, field), asked


async def test_a_run_tells_its_tags_and_its_report(client: httpx.AsyncClient, desk: Desk) -> None:
    run = (await client.get(f"runs/{await made(client, desk)}")).json()
    assert run["kind"] == "backtest"
    assert {trade["tag"] for trade in run["trades"]} == {"cross"}
    assert run["report"]["by_exit"][0]["trades"] == run["metrics"]["trades"]
    assert run["report"]["warnings"]
    assert run["metrics"]["luck"]["trials"] == 1
    assert "luck" not in (await client.get("runs")).json()["items"][0]["metrics"]


async def test_two_runs_are_laid_beside_each_other(client: httpx.AsyncClient, desk: Desk) -> None:
    other = {"parameters": {"fast": 6, "slow": 20}, "cash": 5000, "start": "2024-01-01T01:00:00Z"}
    one, two = await made(client, desk), await made(client, desk, **other)
    found = (await client.get(f"runs/{one}/diff", params={"with": two})).json()
    assert (found["a"], found["b"], found["same"]) == (one, two, False)
    assert found["parameters"] == [{"name": "fast", "a": 5, "b": 6}]
    assert {"name": "cash", "a": 10_000.0, "b": 5_000.0} in found["question"]
    assert found["first_trade"]["number"] == 1
    assert found["first_trade"]["a"]["entry"].startswith("2024-01-01T")
    assert {"name": "start", "a": None, "b": "2024-01-01T01:00:00Z"} in found["question"]
    assert (await client.get(f"runs/{one}/diff", params={"with": one})).json()["same"]
    assert (await client.get(f"runs/{one}/diff", params={"with": "none"})).status_code == 404
    assert (await client.get(f"runs/{one}/diff")).status_code == 422


@pytest.mark.parametrize("strategy", ["sma_cross", "grid"])
async def test_a_run_is_made_again_as_a_job_that_says_whether_the_bits_are_the_same(
    strategy: str, client: httpx.AsyncClient, desk: Desk
) -> None:
    parameters = WISH["parameters"] if strategy == "sma_cross" else {"length": 20, "spacing": 0.001}
    run_id = await made(client, desk, strategy=strategy, parameters=parameters)
    answer = await client.post(f"runs/{run_id}/rerun")
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json()['id']}"
    await desk.jobs.wait(answer.json()["id"])
    job = (await client.get(f"jobs/{answer.json()['id']}")).json()
    assert (job["kind"], job["state"], job["error"]) == ("rerun", "done", "")
    assert job["detail"]["same"] is True
    assert "the same bits" in job["result"]
    assert (await client.get("runs")).json()["fitting"] == 1


async def test_a_rerun_of_what_is_not_there_is_refused_at_once(client: httpx.AsyncClient) -> None:
    assert (await client.post("runs/nothing/rerun")).status_code == 404
    assert (await client.get("jobs")).json()["items"] == []


async def test_a_deleted_run_is_gone(client: httpx.AsyncClient, desk: Desk) -> None:
    run_id = await made(client, desk)
    assert (await client.delete(f"runs/{run_id}")).status_code == 204
    assert (await client.delete(f"runs/{run_id}")).status_code == 404
    assert (await client.get("runs")).json() == {"items": [], "next": None, "fitting": 0}
