"""What the collector's process does beside recording: partitions ahead of time, and what the policy says of old rows.

Once an hour partitions are made ahead and the use of the disk is noted; at the start and then once a day the policy of
`config/markets.json` is kept. It is read anew each time. A policy that cannot be read moves and deletes nothing.

Old rows are moved by a process of its own (`python -m onetape.app.housekeeping`) that gives way to others: packing them
keeps a core busy, and what is being recorded must not wait for it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Final

from onetape.clock import RealClock
from onetape.domain import markets
from onetape.domain.errors import BadInput, OnetapeError, Transient
from onetape.domain.units import DAY, HOUR, Micros
from onetape.observe import configure_service, log
from onetape.supervisor.services import Beat, Service

if TYPE_CHECKING:
    from pathlib import Path

    from onetape.app.wiring import Platform

_START_SECONDS: Final = 30.0  # the streams come first
_AGAIN_SECONDS: Final = 10.0  # between two looks whether the database is back
_AWAY: Final = 75  # how the other process says that it lost the database


def service(platform: Platform) -> Service:
    """For the collector's task group."""

    async def run(_: Beat) -> None:
        await housekeeping(platform)

    return Service("housekeeping", run)


async def housekeeping(
    platform: Platform, start_seconds: float = _START_SECONDS, again_seconds: float = _AGAIN_SECONDS
) -> None:
    """For ever. While the database is away it waits: nothing of this is urgent."""
    clock = RealClock()
    await asyncio.sleep(start_seconds)
    due = clock.now()
    while True:
        now = clock.now()
        try:
            await platform.shelf.make_ahead(now)
            await platform.catalogue.note()
            if now >= due:
                await keep_apart(platform)
                due = now + DAY
        except Transient as error:
            log.info("housekeeping_delayed", problem=str(error))
            await asyncio.sleep(again_seconds)
        else:
            await clock.sleep_until(now + HOUR)


async def keep_apart(platform: Platform) -> None:
    """The policy, kept by another process; returns when that has ended, and ends it when cancelled. Raises Transient
    when it lost the database."""
    environment = {**os.environ, **platform.outside}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "onetape.app.housekeeping", env=environment)
    try:
        code = await process.wait()
        if code == _AWAY:
            raise Transient("PostgreSQL went away while old rows were moved.")
        if code:
            log.error("policy_not_kept", says="Old rows stay where they are: `onetape logs --service housekeeping`.")
    except asyncio.CancelledError:
        process.terminate()  # whatever it was doing: the next run goes on from there
        await process.wait()
        raise


async def keep_policy(platform: Platform, now_ts: Micros) -> None:
    """Once; a damaged file or a policy that makes no sense is told and the rows stay where they are."""
    from onetape.archive.moving import keep

    try:
        policy = read_policy(platform.settings.config_dir / "markets.json")
        await keep(platform.shelf, platform.files, policy, now_ts, lambda _: None)
    except Transient:
        raise
    except OnetapeError as problem:
        log.error("policy_not_kept", says=f"Old rows stay where they are: {problem}")


def read_policy(path: Path) -> markets.Keep:
    """What is to be kept how long; everything for ever where there is no file. Raises BadInput."""
    try:
        return markets.parse(path.read_bytes(), str(path)).keep
    except FileNotFoundError:
        return markets.Keep()
    except OSError as error:
        raise BadInput("markets.json", str(path), f"not readable ({error.strerror})") from error


async def _alone() -> None:
    """In a process of its own, against servers that run already."""
    from onetape.app.wiring import open_platform
    from onetape.settings import Settings

    settings = Settings()
    configure_service(settings.log_level, "housekeeping", settings.log_dir / "housekeeping.log")
    if hasattr(os, "nice"):
        os.nice(10)
    async with open_platform(settings, services=False) as platform:
        await keep_policy(platform, RealClock().now())


if __name__ == "__main__":
    try:
        asyncio.run(_alone())
    except Transient as problem:
        log.warning("policy_delayed", problem=str(problem))
        sys.exit(_AWAY)
