"""Processes for work that computes: of low priority, so that neither pages nor bots wait for it. To cancel one the line
to it is closed, which leaves it a moment to write down what is done, and then it is killed.

A worker is a fresh program (never a fork of one that has threads). It gets a job as a line of JSON on standard input
and answers with lines on standard output: progress, then one ending. One idle worker is kept, because a fresh one
needs a second or two for the compiled kernels.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from onetape.domain.jobs import Ending, Job, Progress, Say
from onetape.jobs.runner import Died
from onetape.observe import log

IDLE: Final = 600.0  # seconds that a worker waits for another job
LONGEST_LINE: Final = 1 << 26  # bytes
GRACE: Final = 0.5  # seconds from the end of the line to the end of the worker


class Said(msgspec.Struct, frozen=True, tag="said"):
    """Wire: {"type":"said","progress":{...}}"""

    progress: Progress


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Wire: {"type":"ended","ending":{...},"trace":""}; `trace` tells a fault of the program."""

    ending: Ending
    trace: str = ""


_answers: Final = msgspec.json.Decoder(Said | Ended)


class Workers:
    """Starts `command` when a job needs a worker. End it with `stop`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command, self._environment = command, environment
        self._idle: asyncio.subprocess.Process | None = None
        self._retire: asyncio.Task[None] | None = None

    async def work(self, job: Job, say: Say) -> str:
        """Fulfils runner.Work. Cancelled, it ends the worker. Raises Died, Refused, BadInput."""
        worker = self._take_idle() or await self._start()
        try:
            ended = await _talk(worker, job, say)
        except BaseException:
            await _end(worker, GRACE)
            raise
        if self._idle:
            await _end(worker)
        else:
            self._idle, self._retire = worker, asyncio.create_task(self._let_go())
        if ended.trace:
            log.error("job_failed", job=job.id, kind=job.kind, trace=ended.trace)
        ended.ending.raise_failure()
        return ended.ending.result

    async def stop(self) -> None:
        if worker := self._take_idle():
            await _end(worker)

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, **self._environment},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for those who started us; and what it starts itself dies with it
            limit=LONGEST_LINE,
        )

    def _take_idle(self) -> asyncio.subprocess.Process | None:
        worker, self._idle = self._idle, None
        if self._retire:
            self._retire.cancel()
            self._retire = None
        return worker if worker and worker.returncode is None else None

    async def _let_go(self) -> None:
        await asyncio.sleep(IDLE)
        self._retire = None
        await self.stop()


async def _talk(worker: asyncio.subprocess.Process, job: Job, say: Say) -> Ended:
    assert worker.stdin
    assert worker.stdout
    with contextlib.suppress(ConnectionError):  # it died: the end of its output says so
        worker.stdin.write(msgspec.json.encode(job) + b"\n")
        await worker.stdin.drain()
    while line := await worker.stdout.readline():
        answer = _answers.decode(line)
        if isinstance(answer, Ended):
            return answer
        say(answer.progress)
    raise Died(_how(await worker.wait()))


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


async def _end(worker: asyncio.subprocess.Process, grace: float = 0.0) -> None:
    """Kills it with all that it started, and lets go of its pipes; it has `grace` seconds to leave by itself."""
    try:
        if grace and worker.stdin:
            worker.stdin.close()
            async with asyncio.timeout(grace):
                await worker.wait()
    except TimeoutError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        await worker.communicate()
