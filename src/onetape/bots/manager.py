"""Makes the wishes of people so: one task per bot, started, paused, stopped, and kept from hurting the others.

It looks into the store at every hint and every second. Knows the ports, the strategies and the runner.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from onetape.bots import files
from onetape.bots.gates import Gates
from onetape.core import state as col
from onetape.domain import topics
from onetape.domain.bots import BotStatus, BotView
from onetape.domain.errors import BadInput, Halt, Transient
from onetape.domain.instrument import Instrument
from onetape.domain.market import InstrumentChange
from onetape.observe import log
from onetape.ports import BotStore, Bus, CandleStore, GateStore, Message, Resync, TradeStore
from onetape.strategies.contract import signalling
from onetape.strategies.registry import Registry
from onetape.supervisor.services import Beat, Escalate, Policy, Service, keep
from onetape.trading.follow import follow
from onetape.trading.runner import Outside, Runner

MOST_RUNNING: Final = 10
LOOK_EVERY: Final = 1.0  # seconds between two looks into the store, hints or not
ACTIVE: Final = (BotStatus.RUNNING, BotStatus.PAUSED)
POLICY: Final = Policy(first_delay=0.5, longest_delay=30.0, deaths=6, window=120.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the manager needs."""

    bots: BotStore
    candles: CandleStore
    ledger: TradeStore
    bus: Bus
    registry: Registry
    config_dir: Path
    most_running: int = MOST_RUNNING
    proofs: GateStore | None = None  # None: each process proves for itself


@dataclasses.dataclass(slots=True)
class Held:
    """A bot that has a task. `runner` is there as long as one life of the task."""

    view: BotView
    task: asyncio.Task[None] | None = None
    runner: Runner | None = None
    on_tape: bool = False


class Manager:
    """Call `run`; cancel it to leave all bots as they are (they go on from there next time)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._gates = Gates(world.candles, world.registry, world.proofs)
        self._held: dict[str, Held] = {}
        self._hint = asyncio.Event()
        self._known_files: dict[str, int] = {}

    async def run(self, beat: Beat) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._listen(), name="wishes")
            while True:
                beat.alive()
                self._hint.clear()
                await self._read_files()
                await self._look(group)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_EVERY):
                        await self._hint.wait()

    async def _listen(self) -> None:
        async for message in self._world.bus.subscribe(topics.CONTROL, topics.instrument(topics.ANY, topics.ANY)):
            if isinstance(message, Message) and isinstance(message.body, InstrumentChange):
                await self._listed([message.body.instrument])
                continue
            if isinstance(message, Resync):  # a change may have been told meanwhile
                with contextlib.suppress(Transient):
                    await self._listed(await self._world.candles.instruments())
            self._hint.set()

    async def _listed(self, instruments: Iterable[Instrument]) -> None:
        """The steps of these are as they say now."""
        known = {each.id: each for each in instruments}
        for held in list(self._held.values()):
            runner = held.runner
            if runner and (found := known.get(f"{runner.spec.exchange}:{runner.spec.symbol}")):
                await runner.listed(found)

    # -- files --------------------------------------------------------------------------------------------------------

    async def _read_files(self) -> None:
        """New and changed files become bots; a file that cannot be used is named in the log, once."""
        folder = self._world.config_dir / "bots"
        times = {str(file): file.stat().st_mtime_ns for file in folder.glob("*.json")} if folder.is_dir() else {}
        if times == self._known_files:
            return
        self._known_files = times
        specs, errors = files.read_all(self._world.config_dir)
        views = {view.spec.name: view.spec for view in await self._world.bots.list()}
        for name, spec in specs.items():
            if views.get(name) == spec:
                continue
            try:
                self._world.registry.build(spec.strategy, spec.parameters)
                await self._world.bots.put(spec)
                log.info("bot_file_read", bot=name)
            except BadInput as error:
                errors.append(error)
        for wrong in errors:
            log.warning("bot_file_refused", says=f"A bot's file is left out: {wrong}")

    def _write_file(self, view: BotView) -> None:
        path = files.path_of(self._world.config_dir, view.spec.name)
        if not path.exists():
            files.write(self._world.config_dir, view.spec)
            self._known_files[str(path)] = path.stat().st_mtime_ns

    # -- wishes -------------------------------------------------------------------------------------------------------

    async def _look(self, group: asyncio.TaskGroup) -> None:
        views = {view.spec.name: view for view in await self._world.bots.list()}
        for name in [name for name in self._held if name not in views]:
            await self._let_go(name)
        for name, view in views.items():
            self._write_file(view)
            held = self._held.get(name)
            if view.wanted in ACTIVE and held is None:
                await self._start(view, group)
            elif view.wanted in ACTIVE and held is not None and view.wanted != held.view.wanted:
                held.view = view
                await self._apply(held)
                await self._report(held, view.wanted)
            elif view.wanted is BotStatus.STOPPED and (held is not None or view.status is not BotStatus.STOPPED):
                await self._stop(view)

    async def _start(self, view: BotView, group: asyncio.TaskGroup) -> None:
        if len(self._held) >= self._world.most_running:
            await self._say(view, view.status, f"{self._world.most_running} bots are running already; stop one first")
            return
        held = self._held[view.spec.name] = Held(view)
        held.task = group.create_task(self._live(held), name=f"bot {view.spec.name}")

    async def _stop(self, view: BotView) -> None:
        """All resting orders are cancelled; the position stays, and the bot says so."""
        held = self._held.get(view.spec.name)
        runner = held.runner if held and held.on_tape else None
        if runner is None:
            await self._let_go(view.spec.name)
            runner = await self._runner(view)
            if not await runner.begin():
                await self._say(view, BotStatus.STOPPED, "")
                return
        await runner.stop()
        await self._let_go(view.spec.name)
        qty = runner.account.qty
        kept = f"stopped with an open position of {qty:g}, which nothing protects now" if qty else ""
        await self._say(view, BotStatus.STOPPED, kept)
        log.info("bot_stopped", bot=view.spec.name, qty=qty)

    async def _let_go(self, name: str) -> None:
        held = self._held.pop(name, None)
        if held is not None and held.task is not None:
            held.task.cancel()
            await asyncio.gather(held.task, return_exceptions=True)

    # -- one bot ------------------------------------------------------------------------------------------------------

    async def _live(self, held: Held) -> None:
        """The whole life of a bot's task. Only cancelling gets out of here: a bot never hurts the others."""
        name = held.view.spec.name

        def told(_: Service, error: BaseException, pause: float) -> None:
            log.error("bot_failed", bot=name, seconds_until_restart=round(pause, 1), exc_info=error)

        service = Service(name, lambda _: self._trade(held), POLICY, passes=(Halt, BadInput), patient=(Transient,))
        try:
            await keep(service, told)
        except (Halt, BadInput) as error:
            await self._halt(held, str(error))
        except Escalate as error:
            await self._halt(
                held, f"failed again and again ({error.error}); `onetape logs --service trader` says where"
            )

    async def _trade(self, held: Held) -> None:
        view = held.view
        held.runner, held.on_tape = None, False
        spec = view.spec
        await self._gates.require(spec)
        held.runner = await self._runner(view)

        async def begun() -> None:
            held.on_tape = True
            await self._apply(held)

        async def seen() -> None:
            assert held.runner is not None
            await self._report(held, held.view.wanted, held.runner.waits_for)

        await self._report(held, view.wanted, "waits for the first candle")
        log.info("bot_started", bot=spec.name, symbol=spec.symbol, strategy=spec.strategy)
        await follow(held.runner, self._world.bus, begun, seen)

    async def _runner(self, view: BotView) -> Runner:
        world, spec = self._world, view.spec
        strategy = world.registry.build(spec.strategy, spec.parameters)
        known = {found.id: found for found in await world.candles.instruments()}
        wanted = Instrument.unknown(spec.exchange, spec.symbol)
        outside = Outside(world.candles, world.ledger, world.bus)
        return Runner(spec, signalling(strategy), known.get(wanted.id, wanted), outside)

    async def _apply(self, held: Held) -> None:
        if held.runner is None or not held.on_tape:
            return
        paused = held.runner.account.halted == col.PAUSED
        if held.view.wanted is BotStatus.PAUSED and not paused:
            await held.runner.pause()
        elif held.view.wanted is BotStatus.RUNNING and paused:
            await held.runner.resume()

    async def _halt(self, held: Held, reason: str) -> None:
        """Off the tape, resting orders cancelled; a person must start it again."""
        name = held.view.spec.name
        if held.runner is not None and held.on_tape:
            await held.runner.stop()
        await self._world.bots.wish(name, BotStatus.HALTED)
        await self._say(held.view, BotStatus.HALTED, reason)
        self._held.pop(name, None)
        log.warning("bot_halted", bot=name, reason=reason, says=f"Bot {name} is halted: {reason}")

    # -- what others see ----------------------------------------------------------------------------------------------

    async def _report(self, held: Held, status: BotStatus, reason: str = "") -> None:
        if (held.view.status, held.view.reason) != (status, reason):
            await self._world.bots.report(held.view.spec.name, status, reason)
            held.view = msgspec.structs.replace(held.view, status=status, reason=reason)
        if held.runner is not None and held.on_tape:
            held.view = held.runner.state().shown(held.view)
        self._world.bus.publish(topics.bot(held.view.spec.name), held.view)

    async def _say(self, view: BotView, status: BotStatus, reason: str) -> None:
        if (view.status, view.reason) != (status, reason):
            await self._world.bots.report(view.spec.name, status, reason)
        with contextlib.suppress(BadInput):  # deleted meanwhile
            self._world.bus.publish(topics.bot(view.spec.name), await self._world.bots.get(view.spec.name))
