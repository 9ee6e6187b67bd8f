"""The web process: API, stream and dashboard as one ASGI application on one port. Wires the desk from the platform."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import uvicorn
from fastapi import FastAPI

from onetape.api import face as api
from onetape.api.hub import Hub
from onetape.api.origin import LOOPBACK
from onetape.app.feeds import checked, known_exchanges
from onetape.app.listen import listen
from onetape.app.wiring import Platform
from onetape.app.work import runner, workers
from onetape.bots.desk import Desk, TakeFile
from onetape.clock import RealClock
from onetape.dashboard import face as dashboard
from onetape.domain.imported import Imported
from onetape.jobs.runner import Runner
from onetape.observe import log
from onetape.ports import CandleStore

EXPECTED: Final = ("collector", "trader")  # what must run beside us before the platform is ready
GRACE: Final = 2  # seconds that open connections get at the end


class Server(uvicorn.Server):
    """uvicorn without its signal handlers (the process that runs us has its own), telling when it listens."""

    on_open: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        log.info("web_opened")
        if self.on_open:
            self.on_open()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def desk_of(platform: Platform, jobs: Runner) -> Desk:
    return Desk(
        queries=platform.queries,
        bots=platform.bots,
        candles=platform.candles,
        catalogue=platform.catalogue,
        audits=platform.audits,
        runs=platform.runs,
        ledger=platform.ledger,
        searches=platform.searches,
        bus=platform.bus,
        registry=platform.registry,
        proofs=platform.strategies,
        jobs=jobs,
        take_file=taking(platform.candles),
        check_exchange=lambda name: checked(platform.settings, name, "$.exchange"),
        config=platform.settings.config_dir,
        exchanges=known_exchanges(platform.settings),
    )


def taking(store: CandleStore) -> TakeFile:
    async def take(path: Path, said: Mapping[str, str]) -> Imported:
        from onetape.archive import Hints, import_file  # half a second to load, and few ever import a file here

        return await import_file(path, store, Hints(**said))

    return take


def build(desk: Desk, hub: Hub, host: str = "127.0.0.1") -> FastAPI:
    """The application. Somebody must run `hub.run()` beside it."""
    app = api.build(desk, hub, EXPECTED, loopback=host in LOOPBACK)
    dashboard.attach(app, desk)
    return app


async def serve(platform: Platform, host: str, port: int, on_open: Callable[[], None] | None = None) -> None:
    """Until it is cancelled; `on_open` is called once connections are accepted. Raises Taken for a port in use."""
    listening = listen(host, port)
    computing = workers(platform)
    jobs = runner(platform, computing)
    desk, hub = desk_of(platform, jobs), Hub(platform.bus, RealClock(), platform.bots)
    await platform.strategies.register(platform.registry)
    desk.gates.update(await platform.strategies.load())
    server = Server(
        uvicorn.Config(
            build(desk, hub, host), log_config=None, access_log=False, timeout_graceful_shutdown=GRACE, lifespan="off"
        )
    )
    server.on_open = on_open
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(hub.run(), name="hub")
            group.create_task(jobs.run(), name="jobs")
            group.create_task(server.serve([listening]), name="uvicorn")
    finally:
        await computing.stop()
        listening.close()
