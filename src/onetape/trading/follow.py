"""Keeps a runner on the tape: subscribe first, load what was missed, then take what arrives. One path for the first
start, a restart, a lost hint and `Resync`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from onetape.domain import topics
from onetape.domain.market import Candle
from onetape.ports import Bus, Resync
from onetape.trading.runner import Runner

Seen = Callable[[], Awaitable[None]]


async def follow(runner: Runner, bus: Bus, seen: Seen, *, interrupted: bool) -> None:
    """For ever. `interrupted`: go on from the stored state; else the first candle to arrive is the first that counts.

    `seen` is called after each candle or catch-up.
    """
    begun = False
    topic = topics.candle(runner.spec.exchange, runner.spec.symbol, str(runner.fills))
    async for message in bus.subscribe(topic):
        if isinstance(message, Resync):
            if interrupted and not begun:
                begun = await runner.begin()
            if not begun:
                continue
            await runner.catch_up()
        else:
            candle: Candle = message.body
            if not begun:
                begun = await runner.begin(candle.open_ts)
            if not runner.follows(candle):
                await runner.catch_up()
            await runner.on_candle(candle)
        await seen()
