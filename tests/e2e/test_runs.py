"""What a person does with stored runs, in a real browser: search, lay beside each other, make again, delete."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
FASTS = (7, 8, 9)


@pytest.fixture(scope="session")
def runs(demo: str) -> list[str]:
    """The ids of three runs of sma_cross."""

    def ask(path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{demo}/api/v1/{path}", data, timeout=10) as answer:
            return json.load(answer)

    wish = {"strategy": "sma_cross", "symbol": "BTC-USD", "exchange": "bitfinex", "timeframe": "1h"}
    jobs = [ask("backtests", wish | {"parameters": {"fast": fast, "slow": 33}})["id"] for fast in FASTS]
    until = time.monotonic() + 120
    while not all(ask(f"jobs/{job}")["finished"] for job in jobs):
        assert time.monotonic() < until
        time.sleep(0.5)
    found = [ask(f"jobs/{job}")["result"] for job in jobs]
    assert all(found)
    return found


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
    expect(page.locator("#run-jobs [data-job]")).to_have_attribute("data-state", "done", timeout=60_000)
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
