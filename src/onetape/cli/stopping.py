"""Ctrl-C ends every command alike: with exit code 130 and a sentence, whatever breaks while it closes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from onetape.domain.errors import OnetapeError
from onetape.observe import log

T = TypeVar("T")
_EXPECTED: Final = (OnetapeError, OSError)  # of servers and files: the others are bugs, and show where they are


def finish(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, but an error that comes while the work ends because of a Ctrl-C does not take its place."""
    return asyncio.run(_stoppable(work))


async def _stoppable(work: Coroutine[Any, Any, T]) -> T:
    try:
        return await work
    except Exception as error:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            raise
        log.warning("not_closed_cleanly", problem=str(error), exc_info=not isinstance(error, _EXPECTED))
        raise asyncio.CancelledError from error
