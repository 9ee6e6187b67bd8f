"""Logs: structured, one JSON document a line, or pretty on a terminal. Knows only structlog.

An event's name is a fact in the past (`order_planned`); its keys are plain numbers and strings.
"""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from typing import Any, Final, TextIO

import structlog

LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

log: Any = structlog.get_logger()


def configure(level: str = "info", service: str = "", stream: TextIO | None = None) -> None:
    """Once per process. JSON lines unless `stream` is a terminal."""
    out = stream or sys.stderr
    pretty = out.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer() if not pretty else structlog.processors.StackInfoRenderer(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level.lower(), logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    if service:
        structlog.contextvars.bind_contextvars(service=service)


class RollingFile:
    """A log file that is moved aside (`.1`, `.2`, ...) when it has grown to `limit` bytes. One process writes it."""

    def __init__(self, path: Path, limit: int = 10_000_000, kept: int = 3) -> None:
        self._path, self._limit, self._kept = path, limit, kept
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")

    def write(self, text: str) -> int:
        with self._lock:
            if self._file.tell() > self._limit:
                self._roll()
            return self._file.write(text)

    def flush(self) -> None:
        with self._lock:
            self._file.flush()

    def _roll(self) -> None:
        self._file.close()
        for i in range(self._kept - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{i}")
            if older.exists():
                older.replace(self._path.with_name(f"{self._path.name}.{i + 1}"))
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        self._file = self._path.open("a", encoding="utf-8")


def _on_terminal(_: Any, method: str, event: Any) -> Any:
    """What people must know, also as one line on standard error: events with a sentence (`says`), and errors."""
    detail = event.get("says")
    if detail is None and method in ("error", "critical", "exception"):
        hidden = ("event", "level", "timestamp", "service", "exc_info", "exception")
        words = str(event["event"]).replace("_", " ")
        facts = ", ".join(f"{key} {value}" for key, value in event.items() if key not in hidden)
        detail = words + (f": {facts}" if facts else "")
    if detail is not None:
        sys.stderr.write(f"{event.get('service', '')}: {detail}\n")
        sys.stderr.flush()
    return event


class _Library(logging.Handler):
    """What libraries say through the standard library's logging goes where our own events go."""

    def emit(self, record: logging.LogRecord) -> None:
        event = {"library": record.name, "problem": record.getMessage(), "exc_info": record.exc_info}
        (log.error if record.levelno >= logging.ERROR else log.warning)(
            "library_complained", **{key: value for key, value in event.items() if value}
        )


def configure_service(level: str, service: str, path: Path) -> None:
    """For a process of the platform: JSON lines into a file, what people must know on the terminal."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _on_terminal,
            structlog.processors.ExceptionRenderer(),
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS.get(level.lower(), logging.INFO)),
        logger_factory=structlog.WriteLoggerFactory(RollingFile(path)),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, handlers=[_Library()], force=True)
