"""A worker's own side: jobs come as lines, progress and endings go as lines. See workers.py for the wire."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from onetape.domain.errors import OnetapeError
from onetape.domain.jobs import Ending, Job, JobState, Progress, Say
from onetape.jobs.runner import FAULT
from onetape.jobs.workers import GRACE, LONGEST_LINE, Ended, Said

PRIORITY: Final = 19  # the lowest: whoever else wants the processor gets it first
SESSION: Final = 10  # of its session among others: nine tenths for them, and beside a compiler it still goes on
FIRST_TO_DIE: Final = "800"  # of 1000: when memory is out the system ends a job, not a bot
EVERY: Final = 0.05  # seconds between two lines of progress

Works = Mapping[str, Callable[[Job, Say], Awaitable[str]]]


def stand_back() -> int:
    """Makes this process one that nobody waits for. Gives the file descriptor for answers: what strategies print goes
    to standard error."""
    os.nice(PRIORITY)
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as file:
        file.write(str(SESSION))  # where sessions share the processors, a priority counts only inside one
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(FIRST_TO_DIE)
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


async def work(works: Works, answers: int) -> None:
    """Does what it is told until its parent closes the line; the death of the parent does that, too. What is being done
    then is cancelled and has a moment to write down how far it came."""
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    with os.fdopen(answers, "wb", buffering=0) as out:

        def tell(answer: Said | Ended) -> None:
            out.write(msgspec.json.encode(answer) + b"\n")

        asking = asyncio.ensure_future(reader.readline())
        while line := await asking:
            asking = asyncio.ensure_future(reader.readline())
            doing = asyncio.ensure_future(_one(works, msgspec.json.decode(line, type=Job), tell))
            await asyncio.wait({asking, doing}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():  # nobody sends a second job before the first is answered: the line is closed
                doing.cancel()
                await asyncio.wait({doing}, timeout=GRACE)
                return
            tell(doing.result())


async def _one(works: Works, job: Job, tell: Callable[[Said | Ended], None]) -> Ended:
    newest: list[Progress] = []  # the one that was not told yet

    async def telling() -> None:
        while True:
            await asyncio.sleep(EVERY)
            if newest:
                tell(Said(newest.pop()))

    def say(progress: Progress) -> None:
        newest[:] = [progress]

    teller = asyncio.ensure_future(telling())
    working = asyncio.ensure_future(works[job.kind](job, say))
    try:
        await asyncio.wait({working})
    finally:
        teller.cancel()
        working.cancel()
        await asyncio.wait({working})
    if newest:
        tell(Said(newest.pop()))
    error = working.exception()
    if error is None:
        return Ended(Ending(state=JobState.DONE, result=working.result()))
    if isinstance(error, OnetapeError):
        return Ended(Ending.failed(error))
    return Ended(Ending(state=JobState.FAILED, error=FAULT), "".join(traceback.format_exception(error)))
