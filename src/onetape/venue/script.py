"""Plays a script of faults: each begins at its time and ends after its length; what was done is written down."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

from onetape.domain.units import Micros
from onetape.observe import log
from onetape.venue.faults import COUNTED, Fault, Faults, Injected, Kind


class Line(Protocol):
    """A WebSocket as faults see it."""

    silenced: bool

    @property
    def url(self) -> str: ...

    def drop(self) -> None: ...

    def notice(self) -> None: ...

    def release(self, number: int) -> None: ...

    async def close(self, code: int, reason: str = "") -> None: ...


class Stage(Protocol):
    """What a script is played on. `lines` are in the order in which they were opened."""

    @property
    def faults(self) -> Faults: ...

    def now(self) -> Micros: ...

    def lines(self) -> list[Line]: ...

    def restart(self, symbol: str) -> None: ...


class Script:
    def __init__(self, stage: Stage) -> None:
        self._stage, self._numbers = stage, itertools.count()
        self.injected: list[Injected] = []
        self._momentary: dict[Kind, Callable[[Fault], None]] = {Kind.DROP: self._drop, Kind.RESTART: self._restart}
        self._lasting: dict[Kind, Callable[[Fault], Awaitable[None]]] = {
            Kind.SILENT: self._silent,
            Kind.UPGRADE: self._upgrade,
        }

    async def play(self, faults: Sequence[Fault]) -> None:
        """Returns when the last fault has ended."""
        async with asyncio.TaskGroup() as tasks:
            for fault in faults:
                tasks.create_task(self._in_time(fault))

    async def _in_time(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at_s)
        await self.inject(fault)

    async def inject(self, fault: Fault) -> None:
        """One fault now. Returns when it has ended; faults that count messages stay until they have counted them."""
        place, start_ts = len(self.injected), self._stage.now()
        number = self.begin(fault)
        if lasting := self._lasting.get(fault.kind):
            await lasting(fault)
        else:
            await asyncio.sleep(fault.for_s)
        if fault.kind not in COUNTED or fault.for_s:
            self._stage.faults.active.pop(number, None)
            for line in self._stage.lines():
                line.release(number)
        self.injected[place] = Injected(fault, start_ts, self._stage.now())

    def begin(self, fault: Fault) -> int:
        """The number under which the fault is active from now on."""
        number = next(self._numbers)
        self.injected.append(Injected(fault, self._stage.now()))
        self._stage.faults.active[number] = fault
        log.info("fault_began", kind=fault.kind, channel=fault.channel, symbol=fault.symbol, seconds=fault.for_s)
        if momentary := self._momentary.get(fault.kind):
            momentary(fault)
        return number

    def _targets(self, fault: Fault) -> list[Line]:
        lines = [line for line in self._stage.lines() if fault.url in ("", line.url)]
        return lines if fault.listener < 0 else lines[fault.listener : fault.listener + 1]

    def _drop(self, fault: Fault) -> None:
        for line in self._targets(fault):
            line.drop()

    def _restart(self, fault: Fault) -> None:
        self._stage.restart(fault.symbol)

    async def _silent(self, fault: Fault) -> None:
        everywhere = not fault.url and fault.listener < 0
        lines = self._targets(fault)
        self._hush(lines, True, everywhere)
        await asyncio.sleep(fault.for_s)
        self._hush(lines, False, everywhere)

    def _hush(self, lines: Iterable[Line], silent: bool, everywhere: bool) -> None:
        if everywhere:  # connections that come meanwhile are silent too
            self._stage.faults.silent = silent
        for line in lines:
            line.silenced = silent

    async def _upgrade(self, fault: Fault) -> None:
        lines = self._targets(fault)
        for line in lines:
            line.notice()
        await asyncio.sleep(fault.for_s)
        for line in lines:
            await line.close(1001, "service upgrade")
