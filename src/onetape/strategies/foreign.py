"""Other people's code: whatever goes wrong inside it becomes a sentence, and onetape goes on.

A strategy file may raise anything, exceptions of its own included; that is a fact about the file, not a fault of the
program. This is the one place outside the supervisor that stops an exception it does not know.
"""

from __future__ import annotations

import traceback
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType


class Foreign(AbstractContextManager["Foreign"]):
    """`with Foreign(file) as visit: ...`; afterwards `visit.fault` is "" or what happened, with file and line."""

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.fault = ""
        self.error: Exception | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return error is None
        self.error = error
        self.fault = f"{self._place(error, trace)}{type(error).__name__}: {error}"
        return True

    def _place(self, error: Exception, trace: TracebackType | None) -> str:
        if isinstance(error, SyntaxError):
            return f"line {error.lineno} of {Path(error.filename or '').name}: "
        frames = traceback.extract_tb(trace)
        own = [f for f in frames if self.file is not None and Path(f.filename) == self.file]
        if not own:
            return ""
        return f"line {own[-1].lineno} of {Path(own[-1].filename).name}: "
