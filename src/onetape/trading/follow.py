"""Keeps a runner on the tape: subscribe first, load what was missed, then take what arrives. One path for the first
start, a restart, a lost hint and `Resync`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from onetape.domain import topics
from onetape.domain.market import Candle
from onetape.ports import Bus, Resync
from onetape.trading.runner import Runner

Seen = Callable[[], Awaitable[None]]


async def follow(runner: Runner, bus: Bus, begun: Seen, seen: Seen) -> None:
    """For ever. An interrupted bot goes on from its state; for another one the first candle to arrive is the first that
    counts. `begun` is called once the bot stands on the tape, `seen` after each candle or catch-up."""
    on_tape = False
    topic = topics.candle(runner.spec.exchange, runner.spec.symbol, str(runner.fills))
    async for message in bus.subscribe(topic):
        candle: Candle | None = None if isinstance(message, Resync) else message.body
        if not on_tape:
            on_tape = await runner.begin() or (candle is not None and await runner.begin(candle.open_ts))
            if not on_tape:
                continue
            await begun()
        if candle is None or not runner.follows(candle):
            await runner.catch_up()
        if candle is not None:
            await runner.on_candle(candle)
        await seen()
