"""The data itself: how streams are, what is stored, what is missing, downloads and imports. Knows the desk, the hub."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Request, Response

from onetape.api import wire_data, wire_jobs
from onetape.api.answers import Items, answer, body, desk, items, shows, takes
from onetape.api.hub import Hub
from onetape.api.jobs import ASKED_HERE, Before, Limit, listed, one_of
from onetape.api.market import Time
from onetape.domain.errors import BadInput
from onetape.domain.market import candle_channel
from onetape.domain.units import SECOND, Micros, Timeframe, parse_time
from onetape.marketdata.download import DownloadWish
from onetape.ports import Coverage, GapView, OnlyGaps, OnlyJobs

router = APIRouter(tags=["data"])
SILENT: Final[Micros] = 10 * SECOND  # without a word from the collector after which nobody knows how streams are
DOWNLOAD: Final = "download"  # the kind of job
CELLS: Final = 1200  # so many parts of a strip are told apart
MOST_BYTES: Final = 1 << 30  # of an uploaded file

Exchange = Annotated[str | None, Query(description="only this exchange's")]
Symbol = Annotated[str | None, Query(description="only this symbol's")]


@router.get("/streams", responses=shows(Items), summary="How every stream is doing, exchange by exchange")
async def streams(request: Request, exchange: Exchange = None, symbol: Symbol = None) -> Response:
    """As the collector told it within the last second; a collector that is silent for long makes them `unknown`."""
    hub: Hub = request.app.state.hub
    rows: list[wire_data.StreamOut] = []
    for name, told in sorted(hub.streams.items()):
        if exchange in (None, name):
            silent = hub.clock.now() - told.heard_ts
            why = f"its collector has told nothing for {silent // SECOND} s" if silent > SILENT else ""
            chosen = [one for one in told.streams.items if symbol in (None, one.symbol)]
            rows += [wire_data.stream(one, max(0, silent) / 1e3, why) for one in chosen]
    return items(rows)


@router.get("/coverage/map", responses=shows(Items), summary="The holes of each candle series, for drawing")
async def coverage_map(request: Request, start: Time = "", end: Time = "") -> Response:
    """Without `start`: of each series from its first candle on. Holes nearer than a 1200th of the span are one."""
    start_ts = parse_time(start, "start") if start else None
    end_ts = parse_time(end, "end") if end else None
    if start_ts is not None and end_ts is not None and end_ts <= start_ts:
        raise BadInput("end", end, "not later than start")
    holes: dict[tuple[str, str, str], list[GapView]] = {}
    for hole in await desk(request).queries.holes(start_ts, end_ts, CELLS):
        holes.setdefault((hole.exchange, hole.symbol, hole.channel), []).append(hole)
    rows = []
    for row in await desk(request).coverage():
        last = _end(row)
        near = (last - max(row.first_ts, start_ts or 0)) // CELLS
        key = (row.exchange, row.symbol, candle_channel(row.timeframe))
        rows.append(wire_data.strip(row, last, holes.get(key, ()), near))
    return items(rows)


def _end(row: Coverage) -> Micros:
    return Timeframe.parse(row.timeframe).next(row.last_ts)


@router.get("/coverage/raw", responses=shows(Items), summary="What is stored of each raw channel")
async def coverage_raw(request: Request, exchange: Exchange = None, symbol: Symbol = None) -> Response:
    return items([wire_data.raw_coverage(row) for row in await desk(request).catalogue.raw(exchange, symbol)])


@router.get("/disk", responses=shows(wire_data.DiskOut), summary="Room: by table, what is left, and how long it lasts")
async def disk(request: Request) -> Response:
    catalogue = desk(request).catalogue
    return answer(wire_data.disk(await catalogue.disk(), await catalogue.sizes(), desk(request).keep()))


@router.get("/gaps", responses=shows(Items), summary="Holes, open and closed: the latest first")
async def gaps(
    request: Request,
    exchange: Exchange = None,
    symbol: Symbol = None,
    channel: Annotated[str | None, Query(description="`trades`, `book`, `candles:1m`")] = None,
    state: Annotated[Literal["open", "closed", "all"], Query()] = "all",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[str, Query(description="`next` of the page before")] = "",
) -> Response:
    """Each with its cause, and how and when it was closed."""
    only = OnlyGaps(
        exchange=exchange,
        symbol=symbol,
        channel=channel,
        open=None if state == "all" else state == "open",
        limit=limit,
        before=before,
    )
    rows, following = await desk(request).queries.gaps(only)
    return items([wire_data.gap(row) for row in rows], following)


@router.post(
    "/downloads",
    status_code=202,
    openapi_extra=takes(DownloadWish),
    responses=shows(wire_jobs.DownloadOut, 202),
)
async def submit(request: Request) -> Response:
    """A job that fetches what is missing; `GET /downloads/{id}` says how far it is. Asked again, it goes on."""
    job = await desk(request).download(await body(request, DownloadWish), ASKED_HERE)
    response = answer(wire_jobs.download(job), 202)
    response.headers["Location"] = f"/api/v1/downloads/{job.id}"
    return response


@router.get("/downloads", responses=shows(Items), summary="Jobs, newest first")
async def downloads(request: Request, limit: Limit = 100, before: Before = "") -> Response:
    return await listed(request, OnlyJobs(kind=DOWNLOAD, limit=limit, before=before), wire_jobs.download)


@router.get("/downloads/{job_id}", responses=shows(wire_jobs.DownloadOut))
async def download(request: Request, job_id: str) -> Response:
    return answer(wire_jobs.download(await one_of(request, DOWNLOAD, job_id)))


@router.delete("/downloads/{job_id}", responses=shows(wire_jobs.DownloadOut), summary="Cancel; what came stays stored")
async def cancel(request: Request, job_id: str) -> Response:
    await one_of(request, DOWNLOAD, job_id)
    return answer(wire_jobs.download(await desk(request).jobs.cancel(job_id)))


@router.post("/imports", responses=shows(wire_jobs.ImportOut), summary="A file of candles, as the body of the request")
async def import_file(
    request: Request,
    name: Annotated[str, Query(description="the file's name: it often says symbol, exchange and timeframe")],
    symbol: str = "",
    exchange: str = "",
    timeframe: str = "",
    layout: str = "",
) -> Response:
    """Taken whole or refused whole, with the line, the value and what was expected; again, it changes nothing."""
    hints = {"symbol": symbol, "exchange": exchange, "timeframe": timeframe, "layout": layout}
    async with _received(request, name) as path:
        try:
            done = await desk(request).take_file(path, {key: value for key, value in hints.items() if value})
        except BadInput as error:
            if error.value != str(path):
                raise
            raise BadInput("the file", path.name, error.problem, error.remedy) from None
    return answer(wire_jobs.imported(done, path.name))


@asynccontextmanager
async def _received(request: Request, name: str) -> AsyncIterator[Path]:
    """The body as a file of that name, in a folder that is gone afterwards and whose own name says nothing."""
    plain = PurePosixPath(name.replace("\\", "/")).name
    if not plain or len(plain.encode()) > 200 or plain.startswith("."):
        raise BadInput("name", name, "not the name of a file")
    with tempfile.TemporaryDirectory() as above:
        path = _place(Path(above), plain)
        size = 0
        with path.open("wb") as file:
            async for piece in request.stream():
                size += len(piece)
                if size > MOST_BYTES:
                    remedy = "Import it on the command line: onetape data import FILE."
                    raise BadInput("the file", plain, f"larger than {MOST_BYTES >> 20} MiB", remedy)
                file.write(piece)
        yield path


def _place(above: Path, name: str) -> Path:
    folder = above / secrets.token_hex(8)
    folder.mkdir()
    return folder / name
