"""A command that is stopped by hand says so by its exit code and a sentence, whatever breaks while it ends."""

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
from onetape.cli.main import main
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


COMMANDS = (
    ("data", "list"),
    ("bot", "list"),
    ("runs", "list"),
    ("replay", "--symbol", "BTC-USDT"),
    ("backtest", "-s", "sma_cross", "--symbol", "BTC-USDT"),
    ("backtest", "-s", "rotation", "--symbol", "BTC-USDT,ETH-USDT"),
    ("compare", "-s", "sma_cross", "-s", "ema_cross", "--symbol", "BTC-USDT"),
    ("optimize", "-s", "sma_cross", "--symbol", "BTC-USDT"),
    ("walkforward", "-s", "sma_cross", "--symbol", "BTC-USDT", "--train", "90d", "--test", "30d"),
    ("verify", "sma_cross", "--symbol", "BTC-USDT"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_ctrl_c_is_130_and_one_sentence_even_when_closing_fails(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def open_platform(settings: Any) -> AsyncIterator[Any]:
        try:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)
            yield SimpleNamespace()
        finally:
            raise Transient("The database went away.")

    monkeypatch.setattr(wiring, "open_platform", open_platform)
    assert main(command) == 130
    said = capsys.readouterr().err
    assert f"onetape {command[0]}: stopped before it was done." in said
    assert "The database went away." in said
    assert "Traceback" not in said


def test_a_bug_while_it_closes_shows_where_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @asynccontextmanager
    async def open_platform(settings: Any) -> AsyncIterator[Any]:
        try:
            signal.raise_signal(signal.SIGINT)
            await asyncio.sleep(60)
            yield SimpleNamespace()
        finally:
            raise KeyError("a bug")

    monkeypatch.setattr(wiring, "open_platform", open_platform)
    assert main(["data", "list"]) == 130
    assert "KeyError" in capsys.readouterr().err


def test_a_ctrl_c_while_modules_are_imported_is_heard_afterwards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole: list[str] = []

    def slow(name: str) -> Any:
        signal.raise_signal(signal.SIGINT)
        whole.append(name)
        return SimpleNamespace(main=lambda verb, args: 0)

    monkeypatch.setattr("onetape.cli.main.importlib", SimpleNamespace(import_module=slow))
    assert main(["data", "list"]) == 130
    assert whole == ["onetape.cli.data"]
    assert "stopped before it was done" in capsys.readouterr().err


def test_an_error_on_closing_is_a_failure_when_nobody_stopped_it(
    breaks_on_closing: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(platform: Any, wish: Any) -> int:
        return 0

    monkeypatch.setattr(listing, "run", run)
    assert guarded("data", ["list"], data.main) == FAILED
