"""The database stays away until the spool is full: by its bound, and because the disk is. What was said, and what is
stored afterwards.

The collector records, PostgreSQL is killed and stays away. The alarm must come before the spool is full; when it is
full, the collector is killed too, so that what it held in memory is lost: everything up to there must be stored in
order once the database is back, and what is missing must lie in gaps.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import drill
import theatre
from said import of_messages
from tally import Check

from onetape.bus.redis import RedisBus
from onetape.domain.topics import Note

BOUND_MB = 16  # the least that a list of markets may say
DISK_MB = 8
_SPEED = 1_200.0
_PATIENCE_S = 60.0
_TAPE_S = 110.0  # of trading; what is counted ends long before
_BATCH_S = 1.0  # what waits in memory for its turn to be written
_ROUGH = 500_000  # two connections are read in turns: so exact is the order of receipt
_PAIRS = ("BTC-USDT", "ETH-USDT")
_EXCHANGE = "okx"
_UP_TO = "SELECT count(*) FROM raw_market_data WHERE recv_ts <= $1"


class Alarms:
    """What the collector says of its spool, with our seconds."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, str, float]] = []
        self.largest = 0

    async def listen(self, url: str, folder: Path) -> None:
        """Until cancelled."""
        watching = asyncio.create_task(self._measure(folder))
        bus = RedisBus(url)
        try:
            async for message in bus.subscribe(f"service:spool.{_EXCHANGE}"):
                body = getattr(message, "body", None)
                if isinstance(body, Note):
                    self.heard.append((time.monotonic(), body.detail["state"], body.detail["share"]))
        finally:
            watching.cancel()
            await bus.close()

    async def _measure(self, folder: Path) -> None:
        while True:
            sizes = (path.stat().st_size for path in folder.glob("*.spool") if path.exists())
            with suppress(FileNotFoundError):
                self.largest = max(self.largest, sum(sizes))
            await asyncio.sleep(0.1)

    async def until(self, state: str) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while state not in [one for _, one, _ in self.heard]:
                await asyncio.sleep(0.05)

    def first(self, state: str) -> float:
        return next((at for at, one, _ in self.heard if one == state), -1.0)


async def bounded() -> list[Check]:
    """Full by its bound."""
    with theatre.folder() as folder:
        return await _scene("spool at its bound", folder, BOUND_MB, BOUND_MB * 1_000_000)


async def full() -> list[Check]:
    """Full because the disk is: a small file system in memory, which only root can mount."""
    if os.geteuid() != 0:
        return [Check("a disk that is full: not run, only root can mount a small one", "", True, {"runs": 0})]
    with theatre.folder() as folder:
        place = folder / "spool"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(place)], check=True)
        try:
            return await _scene("spool on a full disk", folder, 2_048, DISK_MB * 1_048_576)
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)


async def _scene(name: str, folder: Path, spool_mb: int, room: int) -> list[Check]:
    async with theatre.opened(
        folder,
        _PAIRS,
        minutes=int(_TAPE_S * _SPEED / 60),
        speed=_SPEED,
        spool_mb=spool_mb,
        limits=False,
    ) as stage:
        alarms = Alarms()
        async with _listening(alarms, stage, folder):
            full_ts = 0

            async def fill() -> None:
                nonlocal full_ts
                await stage.database.kill()
                await alarms.until("full")
                full_ts = stage.venue.now() - int(_BATCH_S * _SPEED * 1e6)
                await asyncio.sleep(1.0)
                await stage.kill_collector()
                await asyncio.sleep(3.0)
                await stage.database.start()

            looks: list[tuple[int, int]] = []
            async with _looking(stage, looks):
                await drill.play(stage, [(1.0, lambda _: fill())])
                await alarms.until("filling")
                checks = await _counted(stage, full_ts)
            checks += [_alarmed(alarms, room), await _in_order(stage, looks)]
    return [check._replace(name=f"{name}: {check.name}") for check in checks]


async def _counted(stage: theatre.Theatre, full_ts: int) -> list[Check]:
    give_up = time.monotonic() + _PATIENCE_S
    async with drill.connected(stage) as pool:
        while True:
            stage.program.look()
            checks = await of_messages(pool, stage.journal, stage.counted_until)
            before = [one for one in await of_messages(pool, stage.journal, full_ts) if "said" in one.figures]
            lost = sum(one.figures["not stored"] for one in before if not one.name.endswith("candles are stored"))
            said = sum(one.figures["said"] for one in before)
            checks = [*_together(checks), Check("all is stored up to full", "", not lost, {"said": said, "lost": lost})]
            if drill.held(checks) or time.monotonic() > give_up:
                return checks
            await asyncio.sleep(1.0)


def _together(checks: list[Check]) -> list[Check]:
    """The messages of all channels in one line."""
    told = [check for check in checks if "said" in check.figures]
    total = {key: sum(check.figures[key] for check in told) for key in told[0].figures}
    one = Check("what is not stored lies in gaps", "all channels", drill.held(told), total)
    return [one, *(check for check in checks if check not in told)]


def _alarmed(alarms: Alarms, room: int) -> Check:
    half, whole, over = (alarms.first(state) for state in ("half full", "full", "filling"))
    ok = 0 < half < whole < over and alarms.largest <= room
    figures = {
        "ms from half full to full": round((whole - half) * 1_000),
        "bytes at most": alarms.largest,
        "bytes of room": room,
    }
    return Check("the alarm comes before it is full", ", ".join(state for _, state, _ in alarms.heard), ok, figures)


async def _in_order(stage: theatre.Theatre, looks: list[tuple[int, int]]) -> Check:
    """At each look while it drained, the messages that were stored were the oldest ones."""
    wrong = 0
    async with drill.connected(stage) as pool:
        for newest, count in looks:
            wrong += await pool.fetchval(_UP_TO, newest) != count
    return Check("it drains in order", "", not wrong and len(looks) > 2, {"looks": len(looks), "out of order": wrong})


Work = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def _listening(alarms: Alarms, stage: theatre.Theatre, folder: Path) -> AsyncIterator[None]:
    async with _beside(lambda: alarms.listen(stage.bus.url, folder / "spool" / _EXCHANGE)):
        yield


@asynccontextmanager
async def _looking(stage: theatre.Theatre, looks: list[tuple[int, int]]) -> AsyncIterator[None]:
    """Newest receipt and number of messages in the table, whenever they change after the database was away."""

    async def look() -> None:
        while not stage.database.deaths:
            await asyncio.sleep(0.1)
        while len(looks) < 40:
            try:
                async with drill.connected(stage) as pool:
                    while len(looks) < 40:
                        newest = await pool.fetchval("SELECT max(recv_ts) FROM raw_market_data") - _ROUGH
                        count = await pool.fetchval(_UP_TO, newest)
                        if not looks or looks[-1][1] != count:
                            looks.append((newest, count))
                        await asyncio.sleep(0.02)
            except Exception:  # noqa: BLE001 (the database is away: that is what the scene is about)
                await asyncio.sleep(0.05)

    async with _beside(look):
        yield


@asynccontextmanager
async def _beside(work: Work) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
