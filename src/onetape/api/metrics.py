"""`/metrics`: streams, what is stored, services and answers, in Prometheus' naming. Knows the hub and the desk."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Iterable
from importlib.metadata import version
from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response

from onetape.api.answers import desk
from onetape.api.data import SILENT
from onetape.api.exposition import TYPE, Family, Labels, Sample, text
from onetape.api.hub import Hub, Told
from onetape.api.timing import Timings
from onetape.api.wire_data import tables
from onetape.bots.desk import Desk
from onetape.domain.errors import Transient
from onetape.domain.market import StreamState
from onetape.domain.units import SECOND
from onetape.observe import log
from onetape.ports import Catalogue, Coverage

router = APIRouter(tags=["state"])
PATIENCE: Final = 5.0  # seconds that the database may take; Prometheus waits for ten

# name, kind, what it says, the field of a stream, what one unit of it is in units of the metric; below 0 = not known
STREAM: Final = (
    ("connections", "gauge", "Sockets that carry the stream now.", "sockets", 1.0),
    ("messages_per_second", "gauge", "Messages a second, of late.", "per_second", 1.0),
    ("messages_total", "counter", "Messages since the collector started.", "messages", 1.0),
    ("duplicates_dropped_total", "counter", "Messages that the second connection brought again.", "dropped", 1.0),
    ("gaps_total", "counter", "Holes noted since the collector started.", "gaps", 1.0),
)
QUANTILES: Final = (("0.5", "delay_p50_ms"), ("0.99", "delay_p99_ms"))


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Text for Prometheus; see docs/metrics-endpoint.md."""
    hub: Hub = request.app.state.hub
    timings: Timings = request.app.state.timings
    found = [
        *of_streams(hub),
        *of_recordings(hub),
        *of_services(hub),
        *await of_database(desk(request)),
        *await of_jobs(desk(request)),
        timings.family(),
        Family("onetape_build_info", "gauge", "The version that runs.", [Sample(_build(), 1.0)]),
    ]
    return Response(text(found), media_type=TYPE)


async def of_database(found: Desk) -> list[Family]:
    """What is stored. While the database is away that is left out and the rest is told: then it is wanted most."""
    stored: list[Family] = []
    try:
        async with asyncio.timeout(PATIENCE):
            stored = [*of_candles(await found.coverage()), *await of_disk(found.catalogue)]
    except (Transient, TimeoutError) as problem:
        log.info("metrics_without_database", problem=str(problem))
    return [
        Family("onetape_database_up", "gauge", "1 while the database answers.", [Sample({}, float(bool(stored)))]),
        *stored,
    ]


def _build() -> Labels:
    return {"version": version("onetape"), "python": platform.python_version()}


def _series(one: StreamState) -> dict[str, str]:
    return {"exchange": one.exchange, "symbol": one.symbol, "channel": one.channel}


def of_streams(hub: Hub) -> Iterable[Family]:
    told = [hub.streams[name] for name in sorted(hub.streams)]
    now = hub.clock.now()
    rows = [one if now - each.heard_ts <= SILENT else msgspec.structs.replace(one, state="unknown", sockets=0)
            for each in told for one in each.streams.items]  # fmt: skip
    yield Family("onetape_stream_up", "gauge", "1 while the stream is live.",
                 [Sample(_series(one), float(one.state == "live")) for one in rows])  # fmt: skip
    yield Family("onetape_stream_state", "gauge", "1 for the state that the stream is in.",
                 [Sample({**_series(one), "state": one.state}, 1.0) for one in rows])  # fmt: skip
    yield Family("onetape_stream_age_seconds", "gauge", "Since the last message.", list(_ages(told, now)))
    yield Family("onetape_stream_delay_seconds", "gauge", "From the venue's time to the receipt, by quantile.",
                 [Sample({**_series(one), "quantile": share}, getattr(one, field) / 1e3)
                  for one in rows for share, field in QUANTILES if getattr(one, field) >= 0])  # fmt: skip
    for name, kind, says, field, unit in STREAM:
        samples = [Sample(_series(one), getattr(one, field) * unit) for one in rows]
        yield Family(f"onetape_stream_{name}", kind, says, samples)
    venues = [({"exchange": each.streams.exchange}, each) for each in told]
    yield Family("onetape_venue_reachable", "gauge", "0 while the venue cannot be reached.",
                 [Sample(labels, float(not each.streams.trouble)) for labels, each in venues])  # fmt: skip
    yield Family("onetape_venue_clock_offset_seconds", "gauge", "The venue's clock minus ours.",
                 [Sample(labels, each.streams.clock_offset_ms / 1e3) for labels, each in venues])  # fmt: skip
    yield Family("onetape_collector_silence_seconds", "gauge", "Since the collector told how its streams are.",
                 [Sample(labels, max(0, now - each.heard_ts) / SECOND) for labels, each in venues])  # fmt: skip


def _ages(told: list[Told], now: int) -> Iterable[Sample]:
    for each in told:
        since = max(0, now - each.heard_ts) / SECOND
        yield from (Sample(_series(one), one.age_ms / 1e3 + since) for one in each.streams.items if one.age_ms >= 0)


def of_recordings(hub: Hub) -> Iterable[Family]:
    told = [hub.recordings[name] for name in sorted(hub.recordings)]
    yield Family("onetape_recorded_total", "counter", "What the collector stored since it started, by kind.",
                 [Sample({"exchange": each.exchange, "kind": kind}, float(count))
                  for each in told for kind, count in sorted(each.counts.items())])  # fmt: skip
    yield Family("onetape_queue_length", "gauge", "What waits in the collector to be committed.",
                 [Sample({"exchange": each.exchange, "queue": queue}, float(waiting))
                  for each in told for queue, waiting in sorted(each.waiting.items())])  # fmt: skip
    stages = [(each.exchange, stage, took) for each in told for stage, took in sorted(each.stages.items())]
    yield Family("onetape_commit_seconds", "gauge", "From the receipt to the commit or the hint, by quantile.",
                 [Sample({"exchange": exchange, "stage": stage, "quantile": share}, ms / 1e3)
                  for exchange, stage, took in stages for share, ms in (("0.5", took.p50_ms), ("0.99", took.p99_ms))],
                 )  # fmt: skip
    yield Family("onetape_commits_total", "counter", "What went that way since the collector started.",
                 [Sample({"exchange": exchange, "stage": stage}, float(took.count))
                  for exchange, stage, took in stages])  # fmt: skip


def of_services(hub: Hub) -> Iterable[Family]:
    rows = [(name, hub.services[name].state) for name in sorted(hub.services)]
    yield Family("onetape_service_up", "gauge", "1 while the service runs.",
                 [Sample({"service": name}, float(state.state == "running")) for name, state in rows])  # fmt: skip
    yield Family("onetape_service_restarts_total", "counter", "Restarts since the platform was started.",
                 [Sample({"service": name}, float(state.restarts)) for name, state in rows])  # fmt: skip
    yield Family("onetape_pages_open", "gauge", "Pages that listen to the stream.", [Sample({}, len(hub.mailboxes))])
    yield Family("onetape_bus_resyncs_total", "counter", "Times that the bus came back.", [Sample({}, hub.resyncs)])


def of_candles(rows: list[Coverage]) -> Iterable[Family]:
    named = [({"exchange": row.exchange, "symbol": row.symbol, "timeframe": row.timeframe}, row) for row in rows]
    yield Family("onetape_candles", "gauge", "Candles that are stored.",
                 [Sample(labels, float(row.rows)) for labels, row in named])  # fmt: skip
    yield Family("onetape_candle_gaps_open", "gauge", "Holes in a series that nothing has filled.",
                 [Sample(labels, float(row.gaps)) for labels, row in named])  # fmt: skip
    yield Family("onetape_candle_last_timestamp_seconds", "gauge", "Open time of the last candle, since 1970.",
                 [Sample(labels, row.last_ts / SECOND) for labels, row in named])  # fmt: skip


async def of_disk(catalogue: Catalogue) -> list[Family]:
    disk, raw = await catalogue.disk(), await catalogue.raw()
    rooms = (("total", disk.total), ("free", disk.free), ("database", disk.database), ("archive", disk.archive))
    growth = [] if disk.per_day is None else [Sample({}, disk.per_day)]
    return [
        Family("onetape_table_bytes", "gauge", "Room that a table takes with its partitions and indexes.",
               [Sample({"table": row.table}, float(row.bytes)) for row in tables(await catalogue.sizes())]),
        Family("onetape_disk_bytes", "gauge", "The disk of the data directory: its size, what is free, what is ours.",
               [Sample({"part": part}, float(size)) for part, size in rooms]),
        Family("onetape_disk_growth_bytes_per_day", "gauge", "How fast ours grew in the last days.", growth),
        Family("onetape_messages", "gauge", "Raw messages that are stored.",
               [Sample({"exchange": row.exchange, "symbol": row.symbol, "channel": row.channel}, float(row.rows))
                for row in raw]),
    ]  # fmt: skip


async def of_jobs(found: Desk) -> list[Family]:
    counts = sorted((await found.jobs.counts()).items())
    samples = [Sample({"kind": kind, "state": state}, float(count)) for (kind, state), count in counts]
    return [Family("onetape_jobs", "gauge", "Jobs that are remembered, by state.", samples)]
