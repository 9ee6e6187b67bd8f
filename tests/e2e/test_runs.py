"""What a person does with stored runs, in a real browser: search, lay beside each other, make again, delete."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
FASTS = (7, 8, 9)
WAIT = 600  # seconds: jobs stand back for everybody on a busy machine


@pytest.fixture(scope="session")
def runs(demo: str) -> list[str]:
    """The ids of three runs of sma_cross."""

    ask = asking(demo)
    wish = {"strategy": "sma_cross", "symbol": "BTC-USD", "exchange": "bitfinex", "timeframe": "1h"}
    jobs = [ask("backtests", wish | {"parameters": {"fast": fast, "slow": 33}})["id"] for fast in FASTS]
    return [ended(ask, job) for job in jobs]


@pytest.fixture(scope="session")
def fleet(demo: str) -> str:
    """The id of a run of two bots together."""
    ask = asking(demo)
    names = ("two-fast", "two-slow")
    for name, fast in zip(names, (5, 20), strict=True):
        bot = {"name": name, "exchange": "bitfinex", "symbol": "BTC-USD", "timeframe": "1h", "strategy": "sma_cross"}
        ask("bots", bot | {"parameters": {"fast": fast, "slow": 60}})
    run_id = ended(ask, ask("fleets", {"bots": names, "max_positions": 1})["id"])
    for name in names:
        ask(f"bots/{name}", method="DELETE")
    return run_id


def asking(demo: str) -> Any:
    def ask(path: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(
            urllib.request.Request(f"{demo}/api/v1/{path}", data, method=method), timeout=10
        ) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    return ask


def ended(ask: Any, job_id: str) -> str:
    """What came out of a job."""
    until = time.monotonic() + WAIT
    while not (job := ask(f"jobs/{job_id}"))["finished"]:
        assert time.monotonic() < until
        time.sleep(0.5)
    assert job["result"], job["error"]
    return str(job["result"])


def row(page: Page, run_id: str) -> Any:
    return page.locator(f"tr[data-run='{run_id}']")


def test_runs_are_searched_and_sorted(page: Page, runs: list[str]) -> None:
    page.goto("/runs")
    expect(row(page, runs[0])).to_be_visible()
    page.get_by_label("words").fill("slow=33 fast=8")
    expect(page.locator("tr[data-run]")).to_have_count(1)
    expect(row(page, runs[1])).to_contain_text("fast=8")
    page.get_by_label("words").fill("slow=33")
    expect(page.locator("tr[data-run]")).to_have_count(3)
    page.get_by_role("button", name="Return").click()
    expect(page.locator("th[aria-sort]")).to_contain_text("Return")
    assert page.url.endswith("/runs?text=slow%3D33&sort=total_return")
    returns = page.locator("tr[data-run] td:nth-child(6)")
    expect(returns).to_have_count(3)
    shown = [float(text.removesuffix("%").replace(",", "")) for text in returns.all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    page.get_by_label("words").fill("nothing-like-it")
    expect(page.locator("#run-history .empty")).to_contain_text("No stored run fits")


def test_two_runs_are_laid_beside_each_other(page: Page, runs: list[str]) -> None:
    page.goto("/runs?text=slow%3D33")
    expect(page.get_by_role("button", name="Diff")).to_be_disabled()
    for run_id in runs[:2]:
        row(page, run_id).get_by_role("checkbox").check()
    page.get_by_role("button", name="Diff").click()
    diff = page.locator("#run-diff")
    expect(diff.locator("tr", has_text="fast")).to_contain_text("8")
    expect(diff).to_contain_text("total return")
    expect(diff).to_contain_text("First trade that differs")


def test_a_run_is_made_again_to_the_last_bit_and_opened(page: Page, runs: list[str]) -> None:
    page.goto("/runs?text=slow%3D33")
    row(page, runs[2]).get_by_role("checkbox").check()
    page.get_by_role("button", name="Rerun").click()
    expect(page.locator("#run-jobs [data-job]")).to_have_attribute("data-state", "done", timeout=300_000)
    expect(page.locator("#run-jobs")).to_contain_text("has the same bits")
    row(page, runs[2]).get_by_role("link").click()
    expect(page.locator(".run-head")).to_contain_text("fast 9")


def test_a_deleted_run_is_gone_after_it_was_confirmed(page: Page, runs: list[str], api: Any) -> None:
    before = api("runs")["fitting"]
    victim = api("runs?text=donchian")["items"][0]["run_id"]
    del runs
    page.goto("/runs?text=donchian")
    row(page, victim).get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Keep it").click()
    expect(row(page, victim)).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.locator("dialog button.danger").click()
    expect(row(page, victim)).to_have_count(0)
    assert api("runs")["fitting"] == before - 1


def test_three_runs_are_compared_and_a_seventh_is_refused_with_a_sentence(page: Page, runs: list[str]) -> None:
    page.goto("/runs?text=slow%3D33")
    for run_id in runs:
        row(page, run_id).get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#compare-equity .main-svg").first).to_be_visible()
    expect(page.locator("#compare-equity .legendtext")).to_have_text([f"sma_cross fast {fast}" for fast in FASTS])
    result = page.locator("#cmp-result")
    expect(result).to_contain_text("Correlation of daily returns, 60 common days")
    expect(result).to_contain_text("less sma_cross fast 8")
    expect(result).to_contain_text("of the redrawn histories")
    expect(result).to_contain_text("inverse volatility")
    page.goto("/compare?runs=" + ",".join([*runs, "a", "b", "c", "d"]))
    expect(result).to_contain_text("7 runs. Two to 6 can be read beside each other.")


def test_a_run_of_several_bots_opens_with_a_line_and_a_chart_for_each(page: Page, fleet: str) -> None:
    page.goto(f"/backtest?run={fleet}")
    result = page.locator("#bt-result")
    expect(result.locator("h1")).to_have_text("fleet (bots two-fast + two-slow, max positions 1)")
    expect(result).to_contain_text("By bot")
    expect(page.locator("#run-equity .main-svg").first).to_be_visible()
    chart = page.locator("#run-chart")
    expect(chart).to_have_attribute("data-drawn", re.compile(r"[1-9]\d*"))
    page.get_by_label("whose chart").select_option("two-slow")
    expect(chart.locator("canvas").first).to_be_visible()


@pytest.mark.parametrize("kind", ["run", "fleet", "compare"])
def test_what_is_told_of_runs_fits_a_phone(phone: Page, runs: list[str], fleet: str, kind: str) -> None:
    address = {
        "run": f"/backtest?run={runs[0]}",
        "fleet": f"/backtest?run={fleet}",
        "compare": f"/compare?runs={','.join(runs)}",
    }[kind]
    phone.goto(address)
    expect(phone.locator(".main-svg").first).to_be_visible()
    if kind != "compare":
        expect(phone.locator("#run-chart[data-drawn]")).to_be_visible()
    width, room = phone.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width <= room == 390
