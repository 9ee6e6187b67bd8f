"""What is said of a service: a process of the platform (collector, trader, web)."""

from __future__ import annotations

import msgspec

from onetape.domain.units import Micros


class ServiceState(msgspec.Struct, frozen=True, kw_only=True, tag="service"):
    """Published by the supervisor under `topics.service(name)` every few seconds and at each change.

    `state` is starting, running, restarting or stopped; `restarts` counts since the platform was started.
    """

    name: str
    state: str
    restarts: int = 0
    error: str = ""  # how it ended the last time
    pid: int = 0
    ts: Micros = 0
