"""An exchange beside the main one: when its services die too often it alone is closed, opened again after a pause that
grows, and says so meanwhile. The others go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from onetape.domain.errors import BadInput
from onetape.observe import log
from onetape.supervisor.services import Escalate

FIRST_PAUSE: Final = 30.0  # seconds; twice as long each time
LONGEST_PAUSE: Final = 600.0
_QUIET: Final = 600.0  # after so long without an end the pause starts anew
_TELL_SECONDS: Final = 1.0


async def contain(exchange: str, life: Callable[[], Awaitable[None]], tell: Callable[[str], None]) -> None:
    """For ever. `life` opens the exchange and runs until it ends; `tell` is given a sentence once a second while
    nothing is recorded."""
    pause = FIRST_PAUSE
    while True:
        begun = time.monotonic()
        why = "it ended."
        try:
            await life()
        except* (Escalate, BadInput) as ended:
            why = str(_first(ended)).rstrip(".")
        if time.monotonic() - begun > _QUIET:
            pause = FIRST_PAUSE
        says = f"{exchange} is not recorded ({why.rstrip('.')}); it is opened again in {pause:g} s. The others go on."
        log.error("exchange_stopped", says=says)
        until = time.monotonic() + pause
        while (left := until - time.monotonic()) > 0:
            tell(says)
            await asyncio.sleep(min(_TELL_SECONDS, left))
        pause = min(2 * pause, LONGEST_PAUSE)


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
