"""Long work that somebody asked for, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from onetape.domain.errors import BadInput, OnetapeError, Refused
from onetape.domain.units import Micros


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # it was started again several times and its process died each time

    @property
    def over(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """`fraction` of the whole that is done, `text` what is being done now, `counts` what came of it so far, `eta_ts`
    when it will end if it goes on like this (0 = nobody knows), `detail` what only this kind of job knows, as JSON."""

    fraction: float = 0.0
    text: str = ""
    counts: dict[str, int] = {}
    eta_ts: Micros = 0
    detail: Any = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a wish could not be granted: the parts of a BadInput."""

    field: str
    value: str
    problem: str
    remedy: str = ""

    def error(self) -> BadInput:
        return BadInput(self.field, self.value, self.problem, self.remedy)


class Job(msgspec.Struct, frozen=True, kw_only=True, tag="job"):
    """`wish` is all that the work needs, as JSON: it can be done again from there. `result` names what came out (the
    id of a stored run), `error` is a sentence, `refusal` its parts where the wish was at fault."""

    id: str
    kind: str
    wish: dict[str, Any]
    asked_by: str = ""
    state: JobState = JobState.QUEUED
    progress: Progress = Progress()
    result: str = ""
    error: str = ""
    refusal: Refusal | None = None
    starts: int = 0
    created_ts: Micros = 0
    started_ts: Micros = 0
    finished_ts: Micros = 0

    @property
    def over(self) -> bool:
        return self.state.over


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a job ended."""

    state: JobState
    result: str = ""
    error: str = ""
    refusal: Refusal | None = None

    @classmethod
    def failed(cls, error: OnetapeError) -> Ending:
        parts = None
        if isinstance(error, BadInput):
            parts = Refusal(field=error.field, value=str(error.value)[:200], problem=error.problem, remedy=error.remedy)
        return cls(state=JobState.FAILED, error=str(error), refusal=parts)

    def raise_failure(self) -> None:
        """Raises what the work raised: BadInput, or Refused with the sentence. Nothing for one that did not fail."""
        if self.refusal:
            raise self.refusal.error()
        if self.error:
            raise Refused(self.error)


Say = Callable[[Progress], None]  # how work tells how far it is; as often as it likes
