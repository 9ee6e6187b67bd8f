"""Several at once over the API: strategies compared, stored runs side by side, bots together."""

from __future__ import annotations

import dataclasses
from typing import Any

import httpx
import numpy as np
import pytest

from onetape.bots.desk import Desk
from onetape.domain.bots import BotSpec
from onetape.domain.frame import CandleFrame
from onetape.domain.units import DAY, parse_time

DATA = {"symbol": "ETH-USD", "timeframe": "1h"}
TWO = [{"strategy": "sma_cross", "parameters": {"fast": fast, "slow": 20}} for fast in (3, 8)]


@pytest.fixture
async def days(desk: Desk) -> CandleFrame:
    """Eighty days of hours of ETH-USD in the store."""
    n = 80 * 24
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0.0002, 0.006, n))), 2)
    opens = np.concatenate((close[:1], close[:-1]))
    columns: dict[str, object] = {
        "ts": parse_time("2024-01-01") + np.arange(n) * (DAY // 24), "open": opens, "high": np.maximum(opens, close),
        "low": np.minimum(opens, close), "close": close, "volume": np.ones(n),
    }  # fmt: skip
    frame = CandleFrame.of("okx", "ETH-USD", "1h", columns)
    await desk.candles.append(frame)
    return frame


async def made(client: httpx.AsyncClient, desk: Desk, **parts: Any) -> str:
    answer = await client.post("backtests", json={"strategy": "sma_cross"} | DATA | parts)
    return (await desk.jobs.wait(answer.json()["id"])).result


async def test_strategies_are_compared_anew_as_a_job(client: httpx.AsyncClient, desk: Desk, days: CandleFrame) -> None:
    del days
    asked = await client.post("comparisons", json=DATA | {"strategies": TWO})
    assert asked.status_code == 202
    waiting = (await client.get(f"comparisons/{asked.json()['id']}")).json()
    assert waiting["runs"] is None
    await desk.jobs.wait(asked.json()["id"])
    found = (await client.get(f"comparisons/{asked.json()['id']}")).json()
    assert (found["job"]["state"], found["job"]["error"]) == ("done", "")
    told = found["comparison"]
    assert sorted(told["names"]) == ["sma_cross:fast=3", "sma_cross:fast=8"]
    assert told["days"] == 80
    assert len(told["pairs"]) == 1
    runs = [(await client.get(f"runs/{run_id}")).json() for run_id in found["runs"]]
    assert [run["parameters"]["fast"] for run in runs] == [int(name[-1]) for name in told["names"]]
    assert runs[0]["metrics"]["total_return"] >= runs[1]["metrics"]["total_return"]
    assert [run["metrics"]["luck"]["trials"] for run in runs] == [2, 2]  # who compares two has tried two
    beside = (await client.get("compare", params={"runs": found["runs"]})).json()["comparison"]
    assert beside["correlation"] == told["correlation"]
    assert [pair["sharpe"] for pair in beside["pairs"]] == [pair["sharpe"] for pair in told["pairs"]]
    assert [job["id"] for job in (await client.get("comparisons")).json()["items"]] == [asked.json()["id"]]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"strategies": TWO[:1]}, "$.strategies"),
        ({"strategies": TWO * 4}, "$.strategies"),
        ({"strategies": [TWO[0], TWO[0]]}, "$.strategies"),
        ({"strategies": [TWO[0], {"strategy": "sma_cross", "parameters": {"fast": "many"}}]}, "$.parameters.fast"),
        ({"symbol": "NO-SUCH"}, "$.symbol"),
        ({"cash": 0}, "$.cash"),
    ],
)
async def test_a_comparison_that_makes_no_sense_is_refused_whole(
    client: httpx.AsyncClient, days: CandleFrame, change: dict[str, Any], field: str
) -> None:
    del days
    answer = await client.post("comparisons", json=DATA | {"strategies": TWO} | change)
    assert answer.status_code in (404, 422)
    assert answer.json()["field"] == field
    assert (await client.get("jobs")).json()["items"] == []


async def test_stored_runs_are_said_to_be_unlike(client: httpx.AsyncClient, desk: Desk, days: CandleFrame) -> None:
    await desk.candles.append(dataclasses.replace(days, symbol="XRP-USD"))
    one = await made(client, desk, end="2024-02-01")
    later = await made(client, desk, start="2024-02-05")
    longer = await made(client, desk)
    dear = await made(client, desk, fee_taker=0.002)
    other = await made(client, desk, symbol="XRP-USD")

    assert "no time in common" in await compared_notes(client, one, later)
    assert "ends on 2024-01-31" in await compared_notes(client, one, later)
    assert "different periods" in await compared_notes(client, one, longer)
    assert "not charged alike: fees 0.08 and 0.1 %" in await compared_notes(client, longer, dear)
    assert "different markets: okx ETH-USD, okx XRP-USD" in await compared_notes(client, longer, other)


async def test_seven_runs_are_too_many_and_one_is_too_few(client: httpx.AsyncClient) -> None:
    for ids in (["a"], list("abcdefg"), ["a", "a"]):
        answer = await client.get("compare", params={"runs": ids})
        assert (answer.status_code, answer.json()["field"]) == (422, "runs")
    assert "7 runs" in (await client.get("compare", params={"runs": list("abcdefg")})).json()["detail"]


async def test_runs_on_other_candles_are_told_of(client: httpx.AsyncClient, desk: Desk, days: CandleFrame) -> None:
    one, slow = await made(client, desk), await made(client, desk, timeframe="4h")
    assert "do not rest on the same candles" in (await compared_notes(client, one, slow))
    del days


async def compared_notes(client: httpx.AsyncClient, *ids: str) -> str:
    answer = await client.get("compare", params={"runs": ",".join(ids)})
    assert answer.status_code == 200, answer.text
    return " ".join(answer.json()["comparison"]["notes"])


def bot(name: str, symbol: str = "ETH-USD", **parts: Any) -> BotSpec:
    given = {"strategy": "sma_cross", "parameters": {"fast": 3, "slow": 20}, "timeframe": "1h"} | parts
    return BotSpec(name=name, exchange="okx", symbol=symbol, **given)


async def test_bots_run_together_as_they_are_configured(
    client: httpx.AsyncClient, desk: Desk, days: CandleFrame
) -> None:
    del days
    await desk.bots.put(bot("one"))
    await desk.bots.put(bot("two", parameters={"fast": 8, "slow": 20}, capital=5_000.0))
    asked = await client.post("fleets", json={"max_positions": 1})
    assert asked.status_code == 202
    job = await desk.jobs.wait(asked.json()["id"])
    assert job.error == ""
    run = (await client.get(f"runs/{job.result}")).json()
    assert (run["kind"], run["symbol"]) == ("fleet", "ETH-USD")
    assert run["parameters"] == {"bots": ["one", "two"], "max_positions": 1.0}
    assert run["metrics"]["initial_cash"] == 15_000.0
    assert {book["name"] for book in run["report"]["books"]} == {trade["book"] for trade in run["trades"]}
    again = await client.post(f"runs/{job.result}/rerun")
    assert (await desk.jobs.wait(again.json()["id"])).progress.detail["same"] is True
    [listed] = (await client.get("runs", params={"strategy": "fleet"})).json()["items"]
    assert listed["run_id"] == job.result


async def test_a_fleet_that_makes_no_sense_is_refused_whole(
    client: httpx.AsyncClient, desk: Desk, days: CandleFrame
) -> None:
    del days
    assert (await client.post("fleets", json={})).status_code == 404  # there are no bots
    await desk.bots.put(bot("one"))
    await desk.bots.put(bot("lost", symbol="NO-SUCH"))
    for wish, status in (
        ({"bots": ["nobody"]}, 404), ({"bots": ["one", "one"]}, 422), ({"bots": ["lost"]}, 404),
        ({"bots": ["one"], "max_drawdown": 2}, 422), ({"bots": ["one"], "one_account": -1}, 422),
        ({"bots": ["one"], "start": "2024-02-01", "end": "2024-01-01"}, 422),
    ):  # fmt: skip
        assert (await client.post("fleets", json=wish)).status_code == status, wish
    assert (await client.get("jobs")).json()["items"] == []
