"""`onetape data` that is stopped by hand says so by its exit code, whatever breaks while it ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from onetape.app import wiring
from onetape.cli import data
from onetape.cli.data import listing
from onetape.cli.output import FAILED, guarded
from onetape.domain.errors import Transient


@pytest.fixture
def breaks_on_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def open_platform(settings: Any) -> AsyncIterator[Any]:
        try:
            yield SimpleNamespace()
        finally:
            raise Transient("The database went away.")

    monkeypatch.setattr(wiring, "open_platform", open_platform)


def test_ctrl_c_is_130_even_when_closing_fails(
    breaks_on_closing: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(platform: Any, wish: Any) -> int:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(10)
        return 0

    monkeypatch.setattr(listing, "run", run)
    assert guarded("data", ["list"], data.main) == 130
    assert "The database went away." in capsys.readouterr().err


def test_an_error_on_closing_is_a_failure_when_nobody_stopped_it(
    breaks_on_closing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(platform: Any, wish: Any) -> int:
        return 0

    monkeypatch.setattr(listing, "run", run)
    assert guarded("data", ["list"], data.main) == FAILED
