"""No bot starts with a strategy that looks ahead or forgets: the gate, remembered by code and parameters."""

from __future__ import annotations

import asyncio
from typing import Final

from onetape.domain.bots import BotSpec
from onetape.domain.errors import BadInput, Halt
from onetape.domain.frame import CandleFrame
from onetape.domain.units import Timeframe
from onetape.marketdata import reading
from onetape.ports import CandleStore, GateStore
from onetape.strategies.contract import signalling
from onetape.strategies.gate import GateReport, check
from onetape.strategies.registry import Registry

CANDLES: Final = 1500  # tried on at least so many, or three warm-ups
WAIT: Final = 1.0  # seconds between two looks for candles


class Gates:
    def __init__(self, candles: CandleStore, registry: Registry, proofs: GateStore | None = None) -> None:
        self._candles, self._registry, self._proofs = candles, registry, proofs
        self._passed: set[str] = set()

    async def require(self, spec: BotSpec) -> None:
        """Raises Halt when the strategy does not hold; waits until there are candles to try it on."""
        strategy = self._registry.build(spec.strategy, spec.parameters)
        key = self._registry.proof_key(strategy)
        if key in self._passed:
            return
        stored = (await self._proofs.load()).get(key) if self._proofs else None
        if stored is not None and stored.ok:
            self._passed.add(key)
            return
        warmup = strategy.history()
        while len(frame := await self._frame(spec, warmup)) <= warmup:  # noqa: ASYNC110
            await asyncio.sleep(WAIT)  # the collector may be filling the store
        report: GateReport = await asyncio.to_thread(check, signalling(strategy), frame)
        if self._proofs:
            await self._proofs.put(key, report)
        if report.failed:
            raise Halt(f"the strategy {spec.strategy} did not pass the gate: {report.failed.evidence}")
        self._passed.add(key)

    async def _frame(self, spec: BotSpec, warmup: int) -> CandleFrame:
        """The newest candles of the bot's own series, or where these are too few, of the longest series stored."""
        wanted, timeframe = max(CANDLES, 3 * warmup), Timeframe.parse(spec.timeframe)
        rows = await self._candles.coverage()
        rows.sort(key=lambda row: ((row.exchange, row.symbol) == (spec.exchange, spec.symbol), row.rows), reverse=True)
        best = CandleFrame.empty(spec.exchange, spec.symbol, timeframe)
        for row in rows:
            try:
                frame = await reading.tail(self._candles, (row.exchange, row.symbol, timeframe), wanted)
            except BadInput:  # no multiple of what is stored
                continue
            if len(frame) > max(len(best), 2 * warmup):
                best = frame
            if len(best) >= wanted // 2:
                break
        return best
