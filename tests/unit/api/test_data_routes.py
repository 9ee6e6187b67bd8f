"""The data routes: streams as told, gaps in pages, coverage maps, downloads as jobs, files taken or refused whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from onetape.api import metrics
from onetape.api.data import SILENT
from onetape.api.hub import Hub, Told
from onetape.bots.desk import Desk
from onetape.clock import SimulatedClock
from onetape.domain.errors import Transient
from onetape.domain.market import NONE_THERE, Gap, Streams, StreamState
from onetape.domain.services import Recording, Took
from onetape.domain.units import MINUTE, SECOND, parse_time
from onetape.ports import Coverage, GapView

START = parse_time("2024-01-01")
WISH = {"exchange": "okx", "symbols": ["BTC-USD", "ETH-USD"], "timeframes": ["1m"], "since": "2024-01-01"}
FILE = "time,open,high,low,close,volume\n" + "".join(f"{1_600_000_020 + 60 * m},5,6,4,5,1\n" for m in (0, 1, 2, 5, 6))


def told(ts: int = START) -> Streams:
    live = StreamState(
        exchange="okx", symbol="BTC-USD", channel="trades", state="live", sockets=2, age_ms=120.0, event_ts=START,
        per_second=12.5, delay_p50_ms=8.0, delay_p99_ms=31.0, messages=900, dropped=450, gaps=1,
    )  # fmt: skip
    down = StreamState(exchange="okx", symbol="ETH-USD", channel="book", state="down", reason="connection refused")
    return Streams("okx", ts, (live, down), clock_offset_ms=-3.5)


def gap(number: int, channel: str = "candles:1m", **more: Any) -> GapView:
    start = START + number * 10 * MINUTE
    given: dict[str, Any] = {
        "symbol": "BTC-USD",
        "start_ts": start,
        "end_ts": start + MINUTE,
        "cause": "connection lost",
    }
    return GapView(id=number, exchange="okx", channel=channel, **{**given, **more})


# --- streams


async def test_streams_are_as_the_collector_told_them(client: httpx.AsyncClient, hub: Hub) -> None:
    assert (await client.get("streams")).json() == {"items": [], "next": None}
    hub.on_streams(told())
    live, down = (await client.get("streams")).json()["items"]
    assert (live["symbol"], live["state"], live["sockets"], live["age_ms"]) == ("BTC-USD", "live", 2, 120.0)
    assert (live["delay_p50_ms"], live["delay_p99_ms"], live["dropped"]) == (8.0, 31.0, 450)
    assert (down["state"], down["reason"], down["age_ms"], down["last"]) == ("down", "connection refused", None, None)
    only = (await client.get("streams?symbol=ETH-USD")).json()["items"]
    assert [each["symbol"] for each in only] == ["ETH-USD"]
    assert (await client.get("streams?exchange=kraken")).json()["items"] == []


async def test_nobody_knows_how_streams_are_when_their_collector_is_silent(client: httpx.AsyncClient, hub: Hub) -> None:
    hub.on_streams(told())
    hub.clock = SimulatedClock(START + 34 * SECOND)
    live, _ = (await client.get("streams")).json()["items"]
    assert (live["state"], live["age_ms"]) == ("unknown", 34_120.0)
    assert live["reason"] == "its collector has told nothing for 34 s"


def test_only_pages_about_data_hear_of_streams_and_gaps(hub: Hub) -> None:
    market, data = hub.open("okx:BTC-USD", bots=True), hub.open("", bots=False, data=True)
    hub.on_streams(told())
    hub.on_gap(Gap("okx", "BTC-USD", "trades", START, START + SECOND, "the socket closed"))
    assert not {"streams", "gaps"} & market.take().keys()
    taken = data.take()
    assert [each.state for each in taken["streams"]["okx"].streams] == ["live", "down"]
    assert [each.cause for each in taken["gaps"]] == ["the socket closed"]
    assert hub.open("", bots=False, data=True).take()["streams"]["okx"].clock_offset_ms == -3.5


# --- gaps and coverage


async def test_gaps_come_latest_first_in_pages_and_by_state(client: httpx.AsyncClient, desk: Desk) -> None:
    queries: Any = desk.queries
    queries.holed = [gap(1, closed_how="backfilled from candles", closed_ts=START), gap(2), gap(3, symbol="ETH-USD")]
    page = (await client.get("gaps?limit=2")).json()
    assert [each["id"] for each in page["items"]] == [3, 2]
    rest = (await client.get(f"gaps?limit=2&before={page['next']}")).json()
    assert (rest["items"][0]["closed_how"], rest["items"][0]["closed"]) == (
        "backfilled from candles",
        "2024-01-01T00:00:00Z",
    )
    assert rest["next"] is None
    assert [each["id"] for each in (await client.get("gaps?state=open&symbol=BTC-USD")).json()["items"]] == [2]
    assert (await client.get("gaps?state=lost")).json()["field"] == "state"


async def test_the_map_has_the_holes_of_each_series_near_ones_as_one(client: httpx.AsyncClient, desk: Desk) -> None:
    queries: Any = desk.queries
    near = {"start_ts": START + 51 * MINUTE, "end_ts": START + 52 * MINUTE}
    absent = {"closed_how": NONE_THERE, "start_ts": START + 100 * MINUTE, "end_ts": START + 130 * MINUTE}
    queries.holed = [
        gap(5),
        gap(6, **near),
        gap(7, **absent),
        gap(8, start_ts=START + 2000 * MINUTE, end_ts=START + 3000 * MINUTE),
    ]
    (row,) = (await client.get("coverage/map")).json()["items"]
    assert (row["symbol"], row["timeframe"], row["candles"], row["end"]) == (
        "BTC-USD",
        "1m",
        1440,
        "2024-01-02T00:00:00Z",
    )
    assert row["holes"] == [
        {"start": "2024-01-01T00:50:00Z", "end": "2024-01-01T00:52:00Z", "absent": False},
        {"start": "2024-01-01T01:40:00Z", "end": "2024-01-01T02:10:00Z", "absent": True},
    ]
    assert (await client.get("coverage/map?start=2024-01-02&end=2024-01-01")).json()["field"] == "end"


# --- room


async def test_the_disk_is_told_by_table_with_its_forecast_and_what_is_kept(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    found = (await client.get("disk")).json()
    assert (found["free"], found["per_day"], found["full"]) == (400, 10.0, "2024-02-10T00:00:00Z")
    assert found["tables"] == [
        {"table": "raw_market_data", "bytes": 50, "partitions": 2},
        {"table": "orders", "bytes": 25, "partitions": 0},
    ]
    forever = {"name": "*", "database": "forever", "archive": "forever"}
    assert found["retention"] == [{"kind": "raw", **forever}, {"kind": "candles", **forever}]
    (desk.config / "markets.json").write_text('{"markets": [], "keep": {"raw": {"trades": {"database": "30d"}}}}')
    kept = (await client.get("disk")).json()["retention"]
    assert kept[0] == {"kind": "raw", "name": "trades", "database": "30d", "archive": "forever"}
    (desk.config / "markets.json").write_text('{"markets": [], "keep": {"raw": {"trades": {"database": "30y"}}}}')
    assert (await client.get("disk")).json()["field"] == "$.keep.raw.trades.database"


async def test_raw_coverage_has_a_row_for_each_channel(client: httpx.AsyncClient) -> None:
    (row,) = (await client.get("coverage/raw?symbol=BTC-USD")).json()["items"]
    assert (row["channel"], row["messages"], row["gaps"]) == ("trades", 77, 1)


# --- downloads


async def test_a_download_is_a_job_that_ends_with_its_counts(client: httpx.AsyncClient, desk: Desk) -> None:
    answer = await client.post("downloads", json=WISH)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/downloads/{job['id']}"
    await desk.jobs.wait(job["id"])
    done = (await client.get(f"downloads/{job['id']}")).json()
    assert (done["state"], done["progress"], done["rows"]) == ("done", 1.0, 1440)  # BTC-USD was stored already
    assert [(each["symbol"], each["rows"], each["missing"]) for each in done["series"]] == [
        ("BTC-USD", 0, 0),
        ("ETH-USD", 1440, 0),
    ]
    assert [each["id"] for each in (await client.get("downloads")).json()["items"]] == [job["id"]]


async def test_a_download_can_be_cancelled(client: httpx.AsyncClient, desk: Desk) -> None:
    job = (await client.post("downloads", json=WISH | {"symbols": ["SLOW-COIN"]})).json()
    await asyncio.sleep(0)
    cancelled = await client.delete(f"downloads/{job['id']}")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    again = await client.delete(f"downloads/{job['id']}")
    assert (again.status_code, again.json()["detail"][:3]) == (409, "id ")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"exchange": "nowhere"}, "$.exchange"),
        ({"since": "soon"}, "$.since"),
        ({"timeframes": ["1x"]}, "$.timeframes"),
        ({"symbols": []}, "$.symbols"),
        ({"sinse": "2024"}, "$"),
    ],
)
async def test_a_wish_without_sense_names_its_field(client: httpx.AsyncClient, change: Any, field: str) -> None:
    answer = await client.post("downloads", json=WISH | change)
    assert (answer.status_code, answer.json()["field"]) == (404 if "exchange" in change else 422, field)


async def test_an_unknown_download_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("downloads/nothing")).status_code == 404


# --- imports


async def test_a_file_is_taken_with_what_its_name_says(client: httpx.AsyncClient, desk: Desk) -> None:
    answer = await client.post("imports?name=okx_LTC-USDT_1m.csv", content=FILE)
    done = answer.json()
    assert (answer.status_code, done["file"]) == (200, "okx_LTC-USDT_1m.csv")
    assert (done["exchange"], done["symbol"], done["timeframe"]) == ("okx", "LTC-USDT", "1m")
    assert (done["rows_new"], done["gaps"], done["missing"]) == (5, 1, 2)
    assert [row.symbol for row in await desk.coverage()] == ["BTC-USD", "LTC-USDT"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("okx_LTC-USDT.csv", "", "the file is 'okx_LTC-USDT.csv': empty: it has 0 bytes."),
        ("okx_LTC-USDT.csv", "<!DOCTYPE html>", "the file is 'okx_LTC-USDT.csv': a web page."),
        ("okx_LTC-USDT.csv", FILE.replace("5,6,4,5,1\n", "5,6,4,five,1\n", 1), "line 2, column 5 (close) is 'five'"),
        ("candles.csv", FILE, "--symbol is '': not given"),
        ("..", FILE, "name is '..': not the name of a file"),
    ],
)
async def test_a_file_that_cannot_be_taken_is_refused_whole(
    client: httpx.AsyncClient, desk: Desk, name: str, content: str, says: str
) -> None:
    answer = await client.post("imports", params={"name": name}, content=content)
    assert answer.status_code in (404, 422)
    assert answer.json()["detail"].startswith(says)
    assert [row.symbol for row in await desk.coverage()] == ["BTC-USD"]


async def test_a_name_with_folders_is_only_a_name(client: httpx.AsyncClient, tmp_path: Path) -> None:
    answer = await client.post("imports", params={"name": "../../etc/okx_LTC-USDT.csv"}, content=FILE)
    assert answer.json()["file"] == "okx_LTC-USDT.csv"


# --- metrics


async def test_metrics_speak_the_format_and_have_every_family(client: httpx.AsyncClient, hub: Hub, desk: Desk) -> None:
    hub.on_streams(told())
    took = {"frame_committed": Took(900, 1.5, 20.0, 31.0)}
    hub.on_recording(Recording(exchange="okx", ts=START, counts={"frames": 900}, waiting={"frames": 4}, stages=took))
    await client.get("coverage")
    await client.get("bots/nobody")
    answer = await client.get("http://127.0.0.1/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    stream = 'exchange="okx",symbol="BTC-USD",channel="trades"'
    assert samples[f"onetape_stream_up{{{stream}}}"] == "1"
    assert samples[f"onetape_stream_age_seconds{{{stream}}}"] == "0.12"
    assert samples[f'onetape_stream_delay_seconds{{{stream},quantile="0.99"}}'] == "0.031"
    assert samples[f"onetape_stream_duplicates_dropped_total{{{stream}}}"] == "450"
    assert samples['onetape_venue_clock_offset_seconds{exchange="okx"}'] == "-0.0035"
    assert samples['onetape_candles{exchange="okx",symbol="BTC-USD",timeframe="1m"}'] == "1440"
    assert samples['onetape_queue_length{exchange="okx",queue="frames"}'] == "4"
    assert samples['onetape_recorded_total{exchange="okx",kind="frames"}'] == "900"
    assert samples['onetape_commit_seconds{exchange="okx",stage="frame_committed",quantile="0.99"}'] == "0.02"
    assert samples['onetape_table_bytes{table="raw_market_data"}'] == "50"
    assert samples['onetape_disk_bytes{part="free"}'] == "400"
    assert samples["onetape_disk_growth_bytes_per_day"] == "10"
    answered = "onetape_http_request_duration_seconds"
    assert samples[f'{answered}_count{{method="GET",route="/api/v1/coverage",status="200"}}'] == "1"
    assert samples[f'{answered}_bucket{{method="GET",route="/api/v1/bots/{{name}}",status="404",le="+Inf"}}'] == "1"
    typed = {line.split()[2]: line.split()[3] for line in lines if line.startswith("# TYPE")}
    for name in samples:
        base = name.partition("{")[0]
        family = base if base in typed else base.rsplit("_", 1)[0]
        assert typed[family] == (
            "histogram" if family == answered else "counter" if base.endswith("_total") else "gauge"
        )


async def metrics_of(client: httpx.AsyncClient) -> dict[str, str]:
    answer = await client.get("http://127.0.0.1/metrics")
    assert answer.status_code == 200
    return dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))


async def test_a_stream_of_a_dead_collector_is_not_up(client: httpx.AsyncClient, hub: Hub) -> None:
    hub.on_streams(told())
    hub.streams["okx"] = Told(hub.streams["okx"].streams, hub.clock.now() - SILENT - 1)
    stream = 'exchange="okx",symbol="BTC-USD",channel="trades"'
    samples = await metrics_of(client)
    assert samples[f"onetape_stream_up{{{stream}}}"] == "0"
    assert samples[f'onetape_stream_state{{{stream},state="unknown"}}'] == "1"


@pytest.mark.parametrize("hangs", [False, True])
async def test_metrics_are_told_while_the_database_is_away(
    client: httpx.AsyncClient, hub: Hub, desk: Desk, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    async def away(*_: object) -> list[Coverage]:
        await asyncio.sleep(60 if hangs else 0)
        raise Transient("PostgreSQL did not answer.")

    hub.on_streams(told())
    monkeypatch.setattr(metrics, "PATIENCE", 0.05)
    monkeypatch.setattr(desk.candles, "coverage", away)
    samples = await metrics_of(client)
    assert samples["onetape_database_up"] == "0"
    assert samples['onetape_stream_up{exchange="okx",symbol="BTC-USD",channel="trades"}'] == "1"
    assert not any(name.startswith("onetape_candles") for name in samples)


async def test_words_that_are_no_methods_make_no_series_of_their_own(client: httpx.AsyncClient) -> None:
    for word in ("BREW", "WHEN"):
        await client.request(word, "coverage")
    text = (await client.get("http://127.0.0.1/metrics")).text
    assert 'method="other"' in text
    assert not {"BREW", "WHEN"} & set(text.split(chr(34)))


async def test_openapi_knows_the_data_routes(client: httpx.AsyncClient) -> None:
    document = (await client.get("http://127.0.0.1/api/openapi.json")).json()
    for path in ("streams", "coverage", "coverage/map", "gaps", "downloads", "downloads/{job_id}", "imports"):
        assert f"/api/v1/{path}" in document["paths"]
    text = msgspec.json.encode(document).decode()
    for reference in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert reference in document["components"]["schemas"]
