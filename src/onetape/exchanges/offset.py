"""How far a venue's clock is from ours: of several measurements the one whose answer came fastest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from onetape.clock import RealClock
from onetape.domain.errors import Transient
from onetape.domain.units import Micros
from onetape.ports import Clock

_FIRST: Final = 3  # measurements to begin with, then one now and again
_FRESH: Final[Micros] = 250_000  # so long none is made; a replaying venue runs fast
_DRIFT: Final = 10_000  # clocks go apart by one in so many


class Offset:
    """`micros` is the venue's clock minus ours, 0 until it is `known`.

    The way there and back is halved, so half of it is how wrong a measurement may be. One that may be more wrong than
    the one held, which grows older, says nothing new as long as the two can both be right; when they cannot, a clock
    was set, or the venue replays the past faster than it was.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.micros: Micros = 0
        self._measured = 0
        self._clock = clock or RealClock()
        self._doubt: Micros = 0
        self._held_ts: Micros = 0  # when the measurement was made that is held,
        self._asked_ts: Micros = 0  # and the last one

    @property
    def known(self) -> bool:
        return self._measured > 0

    def take(self, stated_ts: Micros, asked_ts: Micros, heard_ts: Micros) -> None:
        """The venue stated its time in answer to a question of `asked_ts`; it was heard at `heard_ts` (our clock)."""
        found, doubt = stated_ts - (asked_ts + heard_ts) // 2, (heard_ts - asked_ts) // 2
        held = self._doubt + (heard_ts - self._held_ts) // _DRIFT
        if not self._measured or doubt <= held or abs(found - self.micros) > doubt + held:
            self.micros, self._doubt, self._held_ts = found, doubt, heard_ts
        self._measured, self._asked_ts = self._measured + 1, heard_ts

    async def measure(self, ask: Callable[[], Awaitable[Micros]]) -> None:
        """`ask` gives the venue's time. Raises what that raises; of the first ones only when none is answered."""
        if self._clock.now() - self._asked_ts <= _FRESH:
            return
        await self._once(ask)
        if self._measured == 1:
            with suppress(Transient):
                for _ in range(_FIRST - 1):
                    await self._once(ask)

    async def _once(self, ask: Callable[[], Awaitable[Micros]]) -> None:
        asked_ts = self._clock.now()
        stated_ts = await ask()
        self.take(stated_ts, asked_ts, self._clock.now())
