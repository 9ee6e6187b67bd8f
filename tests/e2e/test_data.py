"""The Data page in a real browser: streams as they are told, coverage and gaps, a download, files taken and refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from playwright.sync_api import Browser, Page, expect

from onetape.bus import codec
from onetape.domain import topics
from onetape.domain.market import Streams, StreamState

pytestmark = pytest.mark.browser
ROWS = "".join(f"{1_600_000_020 + 60 * m},5,6,4,5,1\n" for m in (0, 1, 2, 5, 6))
FILE = ("time,open,high,low,close,volume\n" + ROWS).encode()


@pytest.fixture
def tell(demo: str, demo_folder: Path) -> Callable[[str], None]:
    """Says over the bus, as a collector does, how two streams of an exchange `elsewhere` are."""

    def told(state: str) -> None:
        live = StreamState(
            exchange="elsewhere", symbol="AAA-USDT", channel="trades", state="live", sockets=2, age_ms=40.0,
            per_second=12.0, delay_p50_ms=7.0, delay_p99_ms=31.0, messages=1200, dropped=600,
        )  # fmt: skip
        other = StreamState(exchange="elsewhere", symbol="BBB-USDT", channel="book", state=state, reason="told so")
        streams = Streams("elsewhere", time.time_ns() // 1000, (live, other), clock_offset_ms=-3.0)
        with redis.Redis.from_url((demo_folder / "data" / "valkey" / "url").read_text().strip()) as client:
            client.publish(topics.streams("elsewhere"), codec.encode(streams))

    return told


def test_streams_are_shown_and_follow_what_is_told(page: Page, tell: Callable[[str], None]) -> None:
    tell("silent")
    page.goto("/data")
    rows = page.locator("#streams tr", has_text="USDT")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("BBB-USDT")  # what is not well stands above
    expect(rows.nth(0).locator(".stream-state")).to_have_text("silent")
    expect(rows.nth(1)).to_contain_text("31")
    expect(page.locator("#streams .venue", has_text="elsewhere")).to_contain_text("clock 3 ms behind")
    tell("live")
    expect(page.locator("#streams tr", has_text="BBB-USDT").locator(".stream-state")).to_have_text("live")
    page.locator("#data-word").fill("aaa")
    expect(rows).to_have_count(1)


def test_coverage_has_a_strip_for_each_series_with_its_gaps(page: Page) -> None:
    page.goto("/data")
    sample = page.locator('[data-series="bitfinex:BTC-USD:1m"]')
    expect(sample).to_contain_text("397 gaps")
    expect(sample.locator("rect.stored")).to_have_count(1)
    expect(sample.locator("rect.missing").first).to_be_attached()
    before = sample.locator(".cover-ends span").first.inner_text()
    page.get_by_text("7 d", exact=True).click()
    expect(sample.locator(".cover-ends span").first).to_have_text("2019-07-07 00:00")
    assert before == "2019-05-15 00:00"


def test_gaps_say_their_cause_and_come_in_pages(page: Page) -> None:
    page.goto("/data")
    rows = page.locator("#gaps tbody tr")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("missing in file btcusd_bitfinex")
    page.locator("#gaps [data-more]").click()
    expect(rows).to_have_count(100)


def test_whether_candles_are_right_is_answered_with_both_numbers_of_each_difference(page: Page, api: Any) -> None:
    until = time.monotonic() + 60
    while not any(row["compared"] for row in api("audit")["items"]):  # the demo records trades and judges by itself
        assert time.monotonic() < until, "no candle was compared"
        time.sleep(0.5)
    page.goto("/data")
    judged = {f"{row['exchange']}:{row['symbol']}:{row['timeframe']}": row for row in api("audit")["items"]}
    for series, row in judged.items():
        expect(page.locator(f'#audit [data-audit="{series}"] .num').first).not_to_have_text("0")
        assert row["compared"] == row["equal"] + sum(row["differences"].values())
    expect(page.locator("#audit p").first).to_contain_text("candles")
    differences = api("audit/differences?limit=5")["items"]
    expect(page.locator('#audit [data-list="differences"] tbody tr')).to_have_count(len(differences))


def test_room_and_retention_are_told(page: Page) -> None:
    page.goto("/data")
    expect(page.locator("#disk tr", has_text="candles").first).to_contain_text("MB")
    expect(page.locator("#disk")).to_contain_text("free")
    expect(page.locator("#disk tr", has_text="raw all")).to_contain_text("forever")


def test_a_download_shows_its_progress_and_its_end(page: Page, api: Any) -> None:
    page.goto("/data")
    page.locator("#data-download").click()
    expect(page.locator("#data-problem")).to_contain_text("$.since is '': not a time")
    page.locator("#data-since").fill("2019-05-20")
    page.locator("#data-until").fill("2019-05-21")
    page.locator("#data-download").click()
    job = page.locator("#downloads .job").first
    expect(job).to_have_attribute("data-state", "done")
    expect(job).to_contain_text("1,440 new")
    expect(page.locator("#data-problem")).to_be_empty()
    assert api("downloads")["items"][0]["series"][0]["stored"] == 1440


def test_a_file_is_imported_and_its_series_appears(page: Page) -> None:
    page.goto("/data")
    give(page, "okx_LTC-USDT_1m.csv", FILE)
    job = page.locator("#imports .job").first
    expect(job).to_have_attribute("data-state", "done")
    expect(job).to_contain_text("5 rows read, 5 new, 1 gap noted, 2 candles missing")
    expect(page.locator('[data-series="okx:LTC-USDT:1m"]')).to_contain_text("1 gap")


def test_a_file_that_is_wrong_is_refused_with_the_line(browser: Browser, demo: str) -> None:
    context = browser.new_context(base_url=demo)  # unwatched: the browser itself notes the 422 on its console
    page = context.new_page()
    page.goto("/data")
    give(page, "okx_XRP-USDT_1m.csv", FILE.replace(b",5,1\n", b",five,1\n", 1))
    job = page.locator("#imports .job").first
    expect(job).to_have_attribute("data-state", "refused")
    expect(job).to_contain_text("line 2, column 5 (close) is 'five'")
    expect(page.locator("#coverage")).not_to_contain_text("XRP-USDT")
    context.close()


def test_a_phone_shows_all_of_it_without_sideways_scroll(phone: Page, tell: Callable[[str], None]) -> None:
    tell("broken")
    phone.goto("/data")
    for part in ("#streams tbody tr", ".cover .strip", "#gaps tbody tr", "#data-download", "#imports .drop"):
        expect(phone.locator(part).first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    answer = phone.locator("#audit p").first.bounding_box()
    assert answer
    assert answer["x"] + answer["width"] <= 390
    repair = phone.locator("#gaps tbody tr").first.locator("td").last.bounding_box()
    assert repair
    assert repair["x"] + repair["width"] <= 390


def give(page: Page, name: str, content: bytes) -> None:
    expect(page.locator("#imports .drop")).to_be_visible()
    page.locator("#imports input[type=file]").set_input_files(
        [{"name": name, "mimeType": "text/csv", "buffer": content}]
    )
