"""What is said of a service: a process of the platform (collector, trader, web)."""

from __future__ import annotations

import msgspec

from onetape.domain.units import Micros


class ServiceState(msgspec.Struct, frozen=True, kw_only=True, tag="service"):
    """Published by the supervisor under `topics.service(name)` every few seconds and at each change.

    `state` is waiting, starting, running, restarting or stopped; `restarts` counts since the platform was started.
    """

    name: str
    state: str
    restarts: int = 0
    error: str = ""  # how it ended the last time
    pid: int = 0
    ts: Micros = 0


class Took(msgspec.Struct, frozen=True):
    """How long something took since the start: how often, and milliseconds."""

    count: int
    p50_ms: float
    p99_ms: float
    worst_ms: float


class Recording(msgspec.Struct, frozen=True, kw_only=True, tag="recording"):
    """How the recording of an exchange goes, as its collector tells it about once a second.

    `counts` since its start (frames, candles, prints, gaps, faults), `waiting` what is not committed yet by queue,
    `stages` from the receipt to the commit (frame_committed, candle_committed) or the bus (hint_published).
    """

    exchange: str
    ts: Micros
    counts: dict[str, int]
    waiting: dict[str, int]
    stages: dict[str, Took]
