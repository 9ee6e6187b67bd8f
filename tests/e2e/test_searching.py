"""Searches in a real browser: the heat map fills while it runs, a killed worker costs nothing, bad input is said beside
its field."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
PATIENCE = 300_000  # ms: what computes waits for everybody else on the machine
FILLED = """() => (document.querySelector('#op-heat .js-plotly-plot')?.data?.[0]?.z || []).flat()
  .filter((score) => score !== null).length"""
SLOW = {"lags": "2:9", "ahead": "2:9", "penalty": "1", "edge": "0.003", "every": "2"}  # 64 trials of seconds each


def box(page: Page, name: str) -> Any:
    """The field of what is tried of a parameter: Dash writes such an id as JSON with sorted keys."""
    return page.locator(f"""input[id*='"space":"{name}"']""")


def fill(page: Page, **spaces: str) -> None:
    for name, text in spaces.items():
        expect(box(page, name)).to_be_visible()
        box(page, name).fill(text)


def every_combination(page: Page) -> None:
    page.locator("#op-method").click()
    page.get_by_role("option", name="every combination", exact=True).click()


def worker() -> list[int]:
    """The processes of this demo that compute: its supervisor is our child."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = stat.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"onetape.app.work" in words and ours(int(stat.parent.name)):
            found.append(int(stat.parent.name))
    return found


def ours(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


def test_the_heat_map_fills_and_a_killed_worker_costs_nothing(page: Page, api: Any) -> None:
    page.goto("/optimise?strategy=ridge_returns")
    fill(page, **SLOW, window="300")
    every_combination(page)
    page.locator("#op-run").click()
    expect(page).to_have_url(re.compile(r"job=\w+"))
    job = page.url.partition("job=")[2]
    page.wait_for_function(f"({FILLED})() > 0", timeout=PATIENCE)
    first = page.evaluate(FILLED)
    page.wait_for_function(f"({FILLED})() > {first}", timeout=PATIENCE)
    before = api(f"optimizations/{job}")
    assert before["state"] == "running", "the search was over before its worker could be killed"
    assert 0 < before["found"]["scored"] < 64
    for pid in worker():
        os.kill(pid, signal.SIGKILL)
    page.reload()  # the address has the search
    page.wait_for_function(f"({FILLED})() >= {first}", timeout=PATIENCE)
    expect(page.locator("#op-told")).to_contain_text("Done: 64 of 64 trials", timeout=PATIENCE)
    assert page.evaluate(FILLED) == 64
    after = api(f"optimizations/{job}")
    assert (after["state"], after["found"]["complete"]) == ("done", True)
    assert api(f"jobs/{job}")["state"] == "done"
    expect(page.locator("#op-recommended")).to_contain_text("Three of four trials")
    page.get_by_role("link", name="Open as backtest").click()
    expect(page.locator("#run-equity .main-svg").first).to_be_visible(timeout=PATIENCE)


def test_a_search_is_cancelled_and_what_is_done_stays(page: Page, api: Any) -> None:
    page.goto("/optimise?strategy=ridge_returns")
    fill(page, **SLOW, window="310")
    every_combination(page)
    page.locator("#op-run").click()
    page.wait_for_function(f"({FILLED})() > 0", timeout=PATIENCE)
    page.locator("#op-cancel").click()
    expect(page.locator("#op-told")).to_contain_text("Cancelled: ")
    expect(page.locator("#op-cancel")).to_be_hidden()
    found = api(f"optimizations/{page.url.partition('job=')[2]}")["found"]
    assert 0 < found["scored"] < 64
    expect(page.locator("#op-table tbody tr")).to_have_count(found["scored"])


def test_what_cannot_be_searched_is_said_beside_its_field(page: Page, api: Any) -> None:
    jobs = len(api("optimizations")["items"])
    page.goto("/optimise?strategy=sma_cross")
    fill(page, fast="50:5")
    field = page.locator(".mantine-TextInput-root", has=box(page, "fast"))
    expect(field).to_contain_text("Not rising. Write low:high or low:high:step")
    fill(page, fast="5:50:5")
    expect(field).not_to_contain_text("Not rising")
    expect(page.locator("#op-count")).to_contain_text("combinations")
    page.locator("#op-constraint").fill("fast < colour")
    expect(page.locator(".mantine-TextInput-root", has=page.locator("#op-constraint"))).to_contain_text("no parameter")
    page.locator("#op-start").fill("2030-01-01")
    page.locator("#op-constraint").fill("")
    page.locator("#op-run").click()
    expect(page.locator(".mantine-TextInput-root", has=page.locator("#op-start"))).to_contain_text(
        "is stored from then"
    )
    assert len(api("optimizations")["items"]) == jobs


def test_a_trial_is_opened_as_a_backtest_with_its_parameters(page: Page) -> None:
    page.goto("/optimise?strategy=sma_cross")
    fill(page, fast="3:7:2", slow="12:20:4")
    page.locator("#op-run").click()
    expect(page.locator("#op-told")).to_contain_text("Done: 9 of 9 trials", timeout=PATIENCE)
    page.locator("#op-table tbody a").first.click()
    chosen = page.locator("""input[id*='"parameter":"fast"']""")
    expect(chosen).to_have_value(re.compile("^[357]$"))
    expect(page.locator("#bt-strategy")).to_have_value("sma_cross")
    expect(page.locator("#bt-end")).to_have_value(re.compile("^2019-"))


def test_a_walk_shows_its_windows_and_in_the_end_the_whole(page: Page, api: Any) -> None:
    page.goto("/walk-forward?strategy=sma_cross")
    fill(page, fast="3:7:2", slow="12:20:4")
    page.locator("#wf-train").fill("soon")
    page.locator("#wf-run").click()
    field = page.locator(".mantine-TextInput-root", has=page.locator("#wf-train"))
    expect(field).to_contain_text("Not a length of time")
    page.locator("#wf-train").fill("20d")
    page.locator("#wf-test").fill("10d")
    page.locator("#wf-run").click()
    expect(page.locator("#wf-table tbody tr").first).to_be_visible(timeout=PATIENCE)
    expect(field).not_to_contain_text("Not a length of time")
    expect(page.locator("#wf-told")).to_contain_text("Done: window 4 of 4", timeout=PATIENCE)
    expect(page.locator("#wf-table tbody tr")).to_have_count(4)
    expect(page.locator("#run-equity .main-svg").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator("#wf-whole .merits")).to_contain_text("Sharpe")
    found = api(f"walkforwards/{page.url.partition('job=')[2]}")
    assert (len(found["done"]), found["state"]) == (4, "done")
    page.reload()
    expect(page.locator("#wf-table tbody tr")).to_have_count(4)
