"""Jobs over HTTP and over the stream: every kind alike, in pages, cancelled by id, each change pushed."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from onetape.api.hub import Hub
from onetape.bots.desk import Desk
from onetape.domain.jobs import Job, JobState, Progress

BACKTEST = {"strategy": "sma_cross", "symbol": "BTC-USD", "timeframe": "1m"}
SLOW = {"exchange": "okx", "symbols": ["SLOW-COIN"], "timeframes": ["1m"], "since": "2024-01-01"}


async def test_jobs_of_all_kinds_are_listed_newest_first_and_one_is_shown(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    ran = (await client.post("backtests", json=BACKTEST)).json()["id"]
    slow = (await client.post("downloads", json=SLOW)).json()["id"]
    await desk.jobs.wait(ran)
    listed = (await client.get("jobs")).json()["items"]
    assert [(job["id"], job["kind"]) for job in listed] == [(slow, "download"), (ran, "backtest")]
    done = (await client.get(f"jobs/{ran}")).json()
    assert done == listed[1]
    assert (done["state"], done["fraction"], done["eta"], done["asked_by"]) == ("done", 1.0, None, "api")
    assert (await client.get(f"runs/{done['result']}")).status_code == 200
    assert done["wish"]["strategy"] == "sma_cross"


async def test_jobs_come_in_pages_and_by_kind_and_state(client: httpx.AsyncClient, desk: Desk) -> None:
    ids = [(await client.post("backtests", json=BACKTEST)).json()["id"] for _ in range(3)]
    for job_id in ids:
        await desk.jobs.wait(job_id)
    first = (await client.get("jobs?limit=2")).json()
    rest = (await client.get(f"jobs?limit=2&before={first['next']}")).json()
    assert [job["id"] for job in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    assert (await client.get("jobs?kind=download")).json()["items"] == []
    assert (await client.get("jobs?state=running")).json()["items"] == []
    assert len((await client.get("jobs?kind=backtest&state=done")).json()["items"]) == 3


@pytest.mark.parametrize("query", ["limit=0", "before=x", "state=asleep"])
async def test_a_question_that_makes_no_sense_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"jobs?{query}")).status_code in (400, 422)


async def test_a_running_job_is_cancelled_by_id_once(client: httpx.AsyncClient, desk: Desk) -> None:
    slow = (await client.post("downloads", json=SLOW)).json()["id"]
    async with asyncio.timeout(30):
        while (await client.get(f"jobs/{slow}")).json()["state"] != "running":
            await asyncio.sleep(0.01)
    cancelled = (await client.delete(f"jobs/{slow}")).json()
    assert (cancelled["state"], cancelled["finished"] is None) == ("cancelled", False)
    assert (await client.delete(f"jobs/{slow}")).status_code == 409
    assert (await client.get("jobs/nothing")).status_code == 404
    assert (await client.get(f"backtests/{slow}")).status_code == 404  # it is a download


def running(job_id: str, fraction: float, state: JobState = JobState.RUNNING) -> Job:
    return Job(id=job_id, kind="download", wish={}, state=state, progress=Progress(fraction=fraction), created_ts=1)


def test_only_pages_that_follow_jobs_hear_of_them_and_of_each_the_newest(hub: Hub) -> None:
    deaf, box = hub.open("", bots=False), hub.open("", bots=False, jobs=True)
    for fraction in (0.1, 0.2, 0.3):
        hub.on_job(running("a", fraction))
    hub.on_job(running("b", 0.5))
    assert "jobs" not in deaf.take()
    assert {name: job.fraction for name, job in box.take()["jobs"].items()} == {"a": 0.3, "b": 0.5}
    assert "jobs" not in box.take()


def test_a_page_that_opens_later_sees_what_runs_and_not_what_is_over(hub: Hub) -> None:
    hub.on_job(running("a", 0.5))
    hub.on_job(running("b", 0.5))
    hub.on_job(running("b", 1.0, JobState.DONE))
    assert list(hub.open("", bots=False, jobs=True).take()["jobs"]) == ["a"]


def test_the_stream_pushes_progress_where_it_is_asked_for(app: Any, hub: Hub) -> None:
    hub.on_job(running("a", 0.25))
    path, own = "/api/v1/stream?jobs=true", {"Host": "127.0.0.1"}
    with TestClient(app) as browser, browser.websocket_connect(path, headers=own) as socket:
        told = socket.receive_json()["jobs"]["a"]
    assert (told["kind"], told["state"], told["fraction"]) == ("download", "running", 0.25)
