"""A worker whose kinds do what the tests of workers ask for."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from onetape.domain.errors import BadInput
from onetape.domain.jobs import Job, Progress, Say
from onetape.jobs.worker import stand_back, work


async def count(job: Job, say: Say) -> str:
    for i in range(int(job.wish["to"])):
        say(Progress(fraction=i / job.wish["to"], counts={"i": i}))
        await asyncio.sleep(0.01)
    sys.stdout.write("what a strategy prints is no answer\n")
    sys.stdout.flush()
    return f"{os.getpid()} {os.nice(0)}"


async def hang(job: Job, say: Say) -> str:
    """In code that no event loop can interrupt, with a process of its own beside it."""
    child = await asyncio.create_subprocess_exec("sleep", "60")
    say(Progress(text=f"{os.getpid()} {child.pid}"))
    await asyncio.sleep(0.2)
    time.sleep(60)
    return ""


async def keep(job: Job, say: Say) -> str:
    """Writes down what is done when it is told to stop."""
    say(Progress(text=str(os.getpid())))
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        Path(job.wish["file"]).write_text("what is done")
    return ""


async def group(job: Job, say: Say) -> str:
    say(Progress(text=Path("/proc/self/autogroup").read_text().strip()))
    await asyncio.sleep(0.1)
    return ""


async def die(job: Job, say: Say) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


async def refuse(job: Job, say: Say) -> str:
    raise BadInput("$.start", "x", "not a time", "2024-01-01 is one.")


async def fault(job: Job, say: Say) -> str:
    raise ZeroDivisionError("in the strategy")


if __name__ == "__main__":
    asyncio.run(work({work.__name__: work for work in (count, hang, keep, group, die, refuse, fault)}, stand_back()))
