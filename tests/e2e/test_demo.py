"""What a newcomer does with the demo, in a real browser: watch a price, make a bot, see it trade, stop it, backtest."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
PAGES = {
    "/": "#chart canvas",
    "/bots": "#bot-detail canvas",
    "/strategies": ".strategies table",
    "/backtest": "#bt-run",
    "/optimise": "#op-run",
    "/walk-forward": "#wf-run",
    "/runs": "#run-history tr[data-run]",
    "/compare": "#cmp-result .empty",
    "/data": "#coverage .strip",
}


def test_the_price_moves_by_itself(page: Page) -> None:
    page.goto("/")
    price = page.locator("#last-price")
    expect(price).to_have_text(re.compile(r"\d"))
    before = price.inner_text()
    expect(price).not_to_have_text(before)
    expect(page.locator("#book .level")).to_have_count(24)
    expect(page.locator("#prints .print").first).to_be_visible()
    expect(page.locator("#chart canvas").first).to_be_visible()
    expect(page.locator(".status .state")).to_have_text("live")


def test_the_chart_changes_its_timeframe(page: Page) -> None:
    page.goto("/")
    legend = page.locator("#chart-legend")
    expect(legend).to_contain_text("O ")
    with page.expect_response(lambda answer: "timeframe=15m" in answer.url) as answered:
        page.get_by_text("15m", exact=True).click()
    assert answered.value.ok
    expect(legend).to_have_text(re.compile(r"\d\d:(00|15|30|45) "))


def test_a_bot_is_made_trades_and_is_stopped(page: Page, api: Any) -> None:
    page.goto("/bots")
    page.locator("#bot-new").click()
    page.locator("#bot-name").fill("Not A Name")
    page.locator("#bot-create").click()
    expect(page.locator("#bot-problem")).to_contain_text("not a bot name")
    page.locator("#bot-name").fill("newcomer")
    choose(page, "bot-market", "demo:BTC-USD")
    choose(page, "bot-strategy", "sma_cross")
    expect(parameter(page, "exit")).to_be_visible()  # the fields of this strategy have come
    parameter(page, "fast").fill("2")
    parameter(page, "slow").fill("4")
    page.locator("#bot-create-start").click()
    row = page.locator("tr[data-row=newcomer]")
    expect(row.locator(".pill")).to_have_text("running")
    row.locator("td.name").click()
    expect(page.locator("#bot-detail")).to_contain_text("newcomer")
    fills = page.locator("#bot-detail .rows tbody tr")
    expect(fills.first).to_be_visible(timeout=60_000)
    assert api("fills?bot=newcomer")["items"]
    row.get_by_role("button", name="stop").click()
    page.locator("dialog button.danger").click()
    expect(row.locator(".pill")).to_have_text("stopped")
    row.get_by_role("button", name="delete").click()
    page.locator("dialog button.danger").click()
    expect(row).to_have_count(0)


def test_a_backtest_runs_and_shows_its_charts(page: Page) -> None:
    page.goto("/backtest?strategy=sma_cross")
    expect(parameter(page, "slow")).to_be_visible()
    page.locator("#bt-run").click()
    expect(page.locator("#run-equity .main-svg").first).to_be_visible(timeout=60_000)
    expect(page.locator("#run-chart[data-drawn]")).to_be_visible()
    expect(page.locator(".merits")).to_contain_text("Sharpe")
    expect(page.locator(".result")).to_contain_text("sma_cross")


def test_runs_are_compared(page: Page, api: Any) -> None:
    runs = [run["run_id"] for run in api("runs?limit=3")["items"]]
    page.goto("/backtest?" + "&".join(f"run={run}" for run in runs))
    expect(page.locator("#compare-equity .main-svg").first).to_be_visible()
    expect(page.locator(".result thead a")).to_have_count(3)


def test_the_gate_is_run_from_the_page(page: Page) -> None:
    page.goto("/strategies")
    card = page.locator("#strategy-ema_cross")
    card.get_by_role("button", name="Run the gate").click()
    expect(card.locator(".verdict .pill.running")).to_have_count(2, timeout=60_000)


@pytest.mark.parametrize("path", list(PAGES))
def test_a_phone_needs_no_sideways_scroll(phone: Page, path: str) -> None:
    phone.goto(path)
    expect(phone.locator(PAGES[path]).first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_api_page_is_local(page: Page) -> None:
    page.goto("/api/docs")
    expect(page.locator(".opblock").first).to_be_visible()


def test_an_address_without_a_page_says_so(page: Page) -> None:
    page.goto("/nowhere")
    expect(page.locator("main")).to_contain_text("no page /nowhere")


def choose(page: Page, field: str, option: str) -> None:
    page.locator(f"#{field}").click()
    page.get_by_role("option", name=option, exact=True).click()


def parameter(page: Page, name: str) -> Any:
    """The input of a strategy's parameter: Dash writes such an id as JSON with sorted keys."""
    return page.locator(f"""input[id*='"parameter":"{name}"']""")
