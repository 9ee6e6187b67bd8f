"""Bots without a database: the twin that the tests hold against the tables. Keeps its rules in step with them."""

from __future__ import annotations

import itertools

import msgspec

from onetape.domain.bots import BotSpec, BotStatus, BotView
from onetape.domain.errors import Conflict, NotFound
from onetape.trading.memory import MemoryLedger

IDLE = (BotStatus.STOPPED, BotStatus.HALTED)
FIXED = ("exchange", "symbol", "capital", "mode")


class MemoryBotStore:
    """Fulfils ports.BotStore over the states of a ledger in memory."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._views: dict[str, BotView] = {}
        self._clock = itertools.count(1)

    async def put(self, spec: BotSpec) -> None:
        known = self._views.get(spec.name)
        if known is None:
            if any(order.bot == spec.name for order in self._ledger.orders.values()):
                raise Conflict("$.name", spec.name, "the name of a deleted bot whose orders are kept under it")
            self._ledger.states.pop(spec.name, None)
            now = next(self._clock)
            known = BotView(spec=spec, status=BotStatus.STOPPED, wanted=BotStatus.STOPPED, created_ts=now)
        elif known.status not in IDLE or known.wanted not in IDLE:
            raise Conflict("$.name", spec.name, f"the bot is {known.status}")
        elif spec.name in self._ledger.states:
            for field in FIXED:
                if getattr(known.spec, field) != getattr(spec, field):
                    raise Conflict(f"$.{field}", getattr(spec, field), "the bot has an account already")
        self._views[spec.name] = msgspec.structs.replace(known, spec=spec, reason="")

    async def wish(self, name: str, status: BotStatus) -> None:
        self._change(name, wanted=status)

    async def report(self, name: str, status: BotStatus, reason: str = "") -> None:
        if name in self._views:
            self._change(name, status=status, reason=reason)

    async def list(self) -> list[BotView]:
        return [await self.get(name) for name in self._views]

    async def get(self, name: str) -> BotView:
        view = self._view(name)
        untouched = msgspec.structs.replace(view, cash=view.spec.capital, equity=view.spec.capital)
        state = self._ledger.states.get(name)
        return state.shown(view) if state else untouched

    async def delete(self, name: str) -> None:
        view = self._view(name)
        if view.wanted not in IDLE:
            raise Conflict("name", name, f"the bot is {view.status}")
        del self._views[name]

    def _view(self, name: str) -> BotView:
        if name not in self._views:
            raise NotFound("name", name, "no bot has this name")
        return self._views[name]

    def _change(self, name: str, **changes: object) -> None:
        self._views[name] = msgspec.structs.replace(self._view(name), updated_ts=next(self._clock), **changes)
