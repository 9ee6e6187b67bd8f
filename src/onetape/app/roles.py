"""The processes of the platform: `python -m onetape.app.roles ROLE`. Each runs its services in one task group, beats
for its parent, logs into its own file, and ends on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from onetape.app.wiring import Platform, open_platform
from onetape.domain.errors import OnetapeError, Transient
from onetape.observe import configure_service, log
from onetape.settings import Settings
from onetape.supervisor.processes import beat_for_parent
from onetape.supervisor.services import Beat, Escalate, Service, keep_all

HISTORY_DAYS: Final = 20  # of the sample lie before the first moment of the demo

Ready = Callable[[], None]


def _told(service: Service, error: BaseException, pause: float) -> None:
    log.error("service_failed", name=service.name, seconds_until_restart=round(pause, 1), exc_info=error)


async def collector(platform: Platform, ready: Ready) -> None:
    """Records the market: what config/markets.json says, and what the bots need."""
    from onetape.app.collecting import Collecting

    collecting = Collecting(platform, _told)
    ready()
    await collecting.run()


async def trader(platform: Platform, ready: Ready) -> None:
    """Runs the bots."""
    from onetape.bots.manager import Manager, World
    from onetape.domain.accounts import Costs, Exits, RiskLimits, Rules, Sizing, Terms
    from onetape.trading.runner import compile_kernels

    world = World(
        bots=platform.bots,
        candles=platform.candles,
        ledger=platform.trades,
        bus=platform.bus,
        registry=platform.registry,
        config_dir=platform.settings.config_dir,
        proofs=platform.strategies,
    )
    for error in platform.registry.errors:
        log.warning("strategy_file_refused", says=f"A strategy file is left out: {error}")

    async def manage(beat: Beat) -> None:
        await Manager(world).run(beat)

    await platform.strategies.register(platform.registry)
    await asyncio.to_thread(compile_kernels, Rules(Costs(), Sizing(), RiskLimits(), Exits(), Terms()))
    ready()
    await keep_all([Service("bots", manage, stale=60.0, patient=(Transient,))], _told)


async def web(platform: Platform, ready: Ready) -> None:
    """API and dashboard."""
    from onetape.app.web import serve

    await serve(platform, platform.settings.host, platform.settings.port, ready)


async def venue(platform: Platform, ready: Ready) -> None:
    """The demo's exchange: plays the sample from where the stored candles of the demo end, so time never runs back."""
    from onetape import archive
    from onetape.domain.units import DAY
    from onetape.venue.server import Venue

    settings = platform.settings
    frame = await asyncio.to_thread(archive.sample_frame)
    stored = await platform.candles.tail(settings.exchange, settings.symbols, frame.timeframe, 1)
    start = int(stored.close_ts[-1]) if len(stored) else int(frame.ts[0]) + HISTORY_DAYS * DAY
    if start >= int(frame.ts[-1]):
        log.warning(
            "sample_ended", says="The recorded prices are played to their end. Delete the demo's data directory."
        )
    playing = Venue(
        [dataclasses.replace(frame, symbol=settings.symbols)],
        port=settings.venue_port,
        speed=settings.venue_speed,
        start_ts=min(start, int(frame.ts[-1])),
        limits=False,
    )
    await playing.start()
    ready()
    try:
        await asyncio.Event().wait()
    finally:
        await playing.stop()


ROLES: Final[dict[str, Callable[[Platform, Ready], Awaitable[None]]]] = {
    "collector": collector,
    "trader": trader,
    "web": web,
    "venue": venue,
}

PATIENT: Final = ("collector",)  # does its work while PostgreSQL is away


async def run(role: str, settings: Settings) -> None:
    """One role against servers whose addresses are given, until it is cancelled."""
    opening = open_platform(settings, services=False, patient=role in PATIENT)
    async with opening as platform, asyncio.TaskGroup() as group:
        ready = asyncio.Event()

        async def beat() -> None:
            await ready.wait()
            await beat_for_parent()

        beating = group.create_task(beat(), name="heartbeat")
        await ROLES[role](platform, ready.set)
        beating.cancel()


async def until_terminated(work: Awaitable[None]) -> None:
    """Runs `work`; SIGTERM cancels it, and that is a clean end."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main(arguments: Sequence[str]) -> int:
    import uvloop

    role = arguments[0] if arguments else ""
    if role not in ROLES:
        sys.stderr.write(f"onetape: {role!r} is no role. Use one of: {', '.join(ROLES)}.\n")
        return 2
    settings = Settings()
    configure_service(settings.log_level, role, settings.log_dir / f"{role}.log")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    code = 0
    try:
        uvloop.run(until_terminated(run(role, settings)))
    except* (OnetapeError, Escalate) as errors:
        log.error("role_failed", problem="; ".join(str(error) for error in _leaves(errors)))
        code = 1
    return code


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)  # everything is closed; taking the interpreter and the compiler apart would only take a second
