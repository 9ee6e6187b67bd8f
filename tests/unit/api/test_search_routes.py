"""Searches for parameters over the API: refused with the path of what is wrong, watched while they run, read after."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import httpx
import pytest

from onetape.backtest.search.ground import Ground
from onetape.bots import searching
from onetape.bots.desk import Desk
from onetape.domain.trials import DataKey, Seal, Settled, Trial
from onetape.domain.units import HOUR, SECOND, parse_time

START = parse_time("2024-01-01")
WISH: dict[str, Any] = {
    "strategy": "sma_cross", "symbol": "BTC-USD", "timeframe": "5m", "space": {"fast": "2:10:2", "slow": "15:30:5"},
    "objective": ["total_return"],
}  # fmt: skip


async def searched(client: httpx.AsyncClient, desk: Desk, **more: Any) -> dict[str, Any]:
    answer = await client.post("optimizations", json={**WISH, **more})
    assert answer.status_code == 202, answer.text
    await desk.jobs.wait(answer.json()["id"])
    found: dict[str, Any] = (await client.get(answer.headers["Location"].removeprefix("/api/v1/"))).json()
    return found


async def test_a_search_recommends_a_trial_says_why_and_stores_its_run(client: httpx.AsyncClient, desk: Desk) -> None:
    one = await searched(client, desk)
    assert (one["state"], one["error"], one["progress"], one["done"], one["total"]) == ("done", "", 1.0, 20, 20)
    found = one["found"]
    assert (found["complete"], found["scored"], found["failed"]) == (True, 20, 0)
    assert found["heat"]["xs"] == [2, 4, 6, 8, 10]
    assert found["heat"]["ys"] == [15, 20, 25, 30]
    assert all(score is not None for row in found["heat"]["scores"] for score in row)
    assert set(found["importance"]) == {"fast", "slow"} == {each["parameter"] for each in found["slices"]}
    assert "Three of four trials beside it" in found["why"]
    run = (await client.get(f"runs/{one['run_id']}")).json()
    assert {name: run["parameters"][name] for name in ("fast", "slow")} == found["recommended"]["parameters"]
    assert run["metrics"]["total_return"] == found["recommended"]["values"]["total_return"]


async def test_the_table_has_all_trials_the_best_first_page_by_page(client: httpx.AsyncClient, desk: Desk) -> None:
    one = await searched(client, desk)
    rows: list[dict[str, Any]] = []
    following: str | None = "0"
    while following is not None:
        page = (await client.get(f"optimizations/{one['id']}/trials?limit=8&before={following}")).json()
        rows, following = rows + page["items"], page["next"]
    assert rows[0] == one["found"]["recommended"]
    assert sorted(row["number"] for row in rows) == list(range(20))
    robust = [row["robust"] for row in rows if row["robust"] is not None]
    assert robust == sorted(robust, reverse=True)


async def test_the_axes_of_the_heat_map_are_chosen(client: httpx.AsyncClient, desk: Desk) -> None:
    one = await searched(client, desk, space={"fast": "2:4:1", "slow": "15:25:5", "exit": "none,cross"})
    heat = (await client.get(f"optimizations/{one['id']}/heat?x=exit&y=slow")).json()
    assert (heat["x"], heat["xs"], heat["ys"]) == ("exit", ["none", "cross"], [15, 20, 25])
    for query, field in (("x=exit&y=colour", "y"), ("x=fast&y=fast", "y"), ("x=size&y=fast", "x")):
        answer = await client.get(f"optimizations/{one['id']}/heat?{query}")
        assert (answer.status_code, answer.json()["field"]) == (422, field)


@pytest.mark.parametrize(
    ("change", "field", "status"),
    [
        ({"space": {"fast": "10:5"}}, "$.space.fast", 422),
        ({"space": {"fast": "x:y"}}, "$.space.fast", 422),
        ({"space": {"colour": "1:2"}}, "$.space.colour", 404),
        ({"space": {"fast": "0:5"}}, "$.space.fast", 422),
        ({"space": {"fast": "5:9"}, "parameters": {"fast": 5}}, "$.space.fast", 422),
        ({"space": {"fast": 5}}, "$.space[...]", 422),
        ({"strategy": "nothing"}, "$.strategy", 404),
        ({"parameters": {"slow": "many"}, "space": {}}, "$.parameters.slow", 422),
        ({"objective": ["beauty"]}, "$.objective", 422),
        ({"objective": ["mine.py:score"]}, "$.objective", 422),
        ({"objective": []}, "$.objective", 422),
        ({"constraint": ["fast <"]}, "$.constraint", 422),
        ({"constraint": ["fast < colour"]}, "$.constraint", 422),
        ({"method": "luck"}, "$.method", 422),
        ({"trials": 3}, "$.trials", 422),
        ({"trials": -1}, "$.trials", 422),
        ({"symbol": "NO-SUCH"}, "$.symbol", 404),
        ({"timeframe": "x"}, "$.timeframe", 422),
        ({"start": "2025-01-01"}, "$.start", 404),
        ({"detail": "books"}, "$.detail", 422),
        ({"strategy": "rotation", "space": {}}, "$.strategy", 422),
    ],
)  # fmt: skip
async def test_what_cannot_be_searched_is_named_by_its_path_and_nothing_waits(
    client: httpx.AsyncClient, change: dict[str, Any], field: str, status: int
) -> None:
    answer = await client.post("optimizations", json={**WISH, **change})
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    assert "--space" not in answer.json()["detail"]
    assert (await client.get("optimizations")).json()["items"] == []


async def test_a_sealed_part_is_refused_and_a_search_ends_before_it(client: httpx.AsyncClient, desk: Desk) -> None:
    seal = Seal(exchange="okx", symbol="BTC-USD", from_ts=START + 18 * HOUR, made_ts=START, who="me")
    await desk.ledger.seal(seal)
    answer = await client.post("optimizations", json={**WISH, "start": "2024-01-01T19:00:00Z"})
    assert (answer.status_code, answer.json()["field"]) == (409, "$.start")
    one = await searched(client, desk)
    assert one["end"] == "2024-01-01T18:00:00Z"
    run = (await client.get(f"runs/{one['run_id']}")).json()
    assert run["metrics"]["end"] <= "2024-01-01T18:00:00Z"


async def test_while_it_runs_it_shows_what_there_is_and_once_cancelled_keeps_it(
    client: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    score, goes_on = Ground.score, threading.Event()

    def slowly(self: Ground, asked: Any) -> Any:
        if asked.number >= 12:
            goes_on.wait(20)
        return score(self, asked)

    monkeypatch.setattr(Ground, "score", slowly)
    monkeypatch.setattr("onetape.backtest.search.sweep.SETTLE_EVERY", 0.0)
    monkeypatch.setattr("onetape.backtest.search.sweep.LARGEST", 1)
    job_id = (await client.post("optimizations", json=WISH)).json()["id"]
    try:
        async with asyncio.timeout(20):
            while (one := (await client.get(f"optimizations/{job_id}")).json())["done"] < 12:
                await asyncio.sleep(0.02)
        assert (one["state"], one["stage"], one["total"]) == ("running", "12 of 20 trials", 20)
        await asyncio.sleep(0.1)
        found = (await client.get(f"optimizations/{job_id}")).json()["found"]
        cells = [score for row in found["heat"]["scores"] for score in row]
        assert (found["complete"], found["recommended"], found["scored"]) == (False, None, 12)
        assert len([score for score in cells if score is not None]) == 12
        assert one["best"]["number"] == found["peak"]["number"]
        cancelled = (await client.delete(f"optimizations/{job_id}")).json()
    finally:
        goes_on.set()
    assert cancelled["state"] == "cancelled"
    assert (await client.delete(f"optimizations/{job_id}")).status_code == 409
    assert len((await client.get(f"optimizations/{job_id}/trials")).json()["items"]) == 12
    assert (await client.get(f"optimizations/{job_id}/heat?x=fast&y=slow")).json() == found["heat"]


async def test_before_a_trial_has_a_score_there_is_nothing_to_draw(client: httpx.AsyncClient, desk: Desk) -> None:
    job = await desk.jobs.submit("optimize", {"search": "ab", "wish": WISH | {"objective": []}}, "api")
    done = await desk.jobs.wait(job.id)
    assert "$.objective" in done.error
    assert (await client.get(f"optimizations/{job.id}/trials")).status_code == 409
    assert (await client.get("optimizations/nothing")).status_code == 404


WALK = {**WISH, "space": {"fast": "2:4:2", "slow": "10:16:6"}, "train": "8h", "test": "4h"}


async def test_a_walk_tells_its_windows_and_the_curve_that_was_traded_unseen(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    answer = await client.post("walkforwards", json=WALK)
    assert answer.status_code == 202, answer.text
    await desk.jobs.wait(answer.json()["id"])
    one = (await client.get(answer.headers["Location"].removeprefix("/api/v1/"))).json()
    assert (one["state"], one["error"], one["progress"], one["window"], one["windows"]) == ("done", "", 1.0, 4, 4)
    windows = one["done"]
    assert [window["test"] for window in windows] == [
        [
            f"2024-01-01T{8 + 4 * i:02}:00:00Z",
            "2024-01-02T00:00:00Z" if i == 3 else f"2024-01-01T{12 + 4 * i:02}:00:00Z",
        ]
        for i in range(4)
    ]
    assert windows[1]["train"] == ["2024-01-01T04:00:00Z", "2024-01-01T12:00:00Z"]
    assert all(window["trials"] == 4 and window["parameters"]["fast"] in (2, 4) for window in windows)
    promised, traded = (sum(window[name] for window in windows) for name in ("searched", "traded"))
    assert one["kept"] == pytest.approx(traded / promised)
    run = (await client.get(f"runs/{one['run_id']}")).json()
    assert run["equity"] == one["equity"] != []
    assert [each["id"] for each in (await client.get("walkforwards")).json()["items"]] == [one["id"]]
    assert (await client.get(f"optimizations/{one['id']}")).status_code == 404
    await client.delete(f"runs/{one['run_id']}")
    assert (await client.get(f"walkforwards/{one['id']}")).json()["equity"] == []


@pytest.mark.parametrize(
    ("change", "field", "status"),
    [
        ({"train": "long"}, "$.train", 422),
        ({"train": "0"}, "$.train", 422),
        ({"train": "400d"}, "$.train", 422),
        ({"test": "1 day"}, "$.test", 422),
        ({"purge": "9h"}, "$.purge", 422),
        ({"embargo": "x"}, "$.embargo", 422),
        ({"space": {"fast": "9:1"}}, "$.space.fast", 422),
        ({"symbol": "NO-SUCH"}, "$.symbol", 404),
    ],
)
async def test_a_walk_that_cannot_be_is_refused_at_once(
    client: httpx.AsyncClient, change: dict[str, Any], field: str, status: int
) -> None:
    answer = await client.post("walkforwards", json={**WALK, **change})
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
    assert (await client.get("walkforwards")).json()["items"] == []


async def test_a_cancelled_walk_keeps_the_windows_that_are_done(
    client: httpx.AsyncClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    score, goes_on, scored = Ground.score, threading.Event(), [0]

    def slowly(self: Ground, asked: Any) -> Any:
        scored[0] += 1
        if scored[0] > 10:  # in the third window
            goes_on.wait(20)
        return score(self, asked)

    monkeypatch.setattr(Ground, "score", slowly)
    job_id = (await client.post("walkforwards", json=WALK)).json()["id"]
    try:
        async with asyncio.timeout(20):
            while len((one := (await client.get(f"walkforwards/{job_id}")).json())["done"]) < 2:
                await asyncio.sleep(0.02)
        assert (one["state"], one["run_id"], one["equity"]) == ("running", None, [])
        assert (await client.delete(f"walkforwards/{job_id}")).json()["state"] == "cancelled"
    finally:
        goes_on.set()
    assert len((await client.get(f"walkforwards/{job_id}")).json()["done"]) == 2


async def test_a_search_that_is_looked_at_again_and_again_is_read_from_where_it_was_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, since = desk.ledger.of_search, list[int]()

    async def counted(search_id: str, since_ts: int = 0) -> Any:
        since.append(since_ts)
        return await read(search_id, since_ts)

    monkeypatch.setattr(desk.ledger, "of_search", counted)
    for number, settled_ts in enumerate((100 * SECOND, 102 * SECOND, 120 * SECOND)):
        name = f"aa-{number:06d}"
        data = DataKey("okx", "BTC-USD", 0, 9)
        trial = Trial(
            id=name, kind="optimise", family="x", fingerprint="", data=data, timeframe="1h", who="", started_ts=1
        )
        await desk.ledger.reserve([trial])
        scores = {"parameters": {"fast": number}, "values": [1.0], "error": ""}
        await desk.ledger.settle([Settled(id=name, state="done", ended_ts=settled_ts, scores=scores)])
        assert [one.number for one in await searching.trials_of(desk, "aa")] == list(range(number + 1))
    assert since == [0, 95 * SECOND, 97 * SECOND]
    for other in range(searching.FOLLOWED):
        await searching.trials_of(desk, f"b{other}")
    assert "aa" not in desk.followed
