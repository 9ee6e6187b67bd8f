"""A server that makes up for a crash is waited for; one that says nothing is given up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from onetape.supervisor import child
from onetape.supervisor.owned import Launched, Limits, OwnedServer

LIMITS = Limits(start=0.2, stop=10.0, end=signal.SIGTERM)


def server(folder: Path, ready: Callable[[], Awaitable[bool]]) -> OwnedServer:
    async def launch() -> Launched:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        return Launched(process, "address", ready, lambda: "")

    async def answers(_: str) -> bool:
        return False

    return OwnedServer("one", folder, launch, answers, LIMITS)


async def test_a_recovery_longer_than_the_limit_is_waited_for(tmp_path: Path) -> None:
    recovered = time.monotonic() + 3 * LIMITS.start

    async def ready() -> bool:
        if time.monotonic() < recovered:
            raise child.Recovering("the database system is starting up")
        return True

    owned = server(tmp_path, ready)
    assert await owned.start() == "address"
    assert time.monotonic() >= recovered
    await owned.stop()


async def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    async def ready() -> bool:
        return False

    owned = server(tmp_path, ready)
    with pytest.raises(child.ChildError, match=r"not ready after 0\.2 s"):
        await owned.start()
    assert owned.process is None
