"""`onetape backtest` from PostgreSQL: the ledger of trials is there, takes over what files know, and obeys the seal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape.cli.main import main
from onetape.cli.output import DONE, NOT_HELD

Ask = Callable[..., Any]


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0003, 0.006, 2_400))), 2)
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"{1_546_300_800 + i * 3600},{c},{c + 0.5},{c - 0.5},{c},1" for i, c in enumerate(close.tolist())]
    path = tmp_path / "okx_BTC-USDT_1h.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    monkeypatch.setenv("ONETAPE_DATA_DIR", str(tmp_path / "data"))

    def run(*args: object, code: int = DONE) -> Any:
        capsys.readouterr()
        assert main([str(arg) for arg in (*args, "--json")]) == code
        return json.loads(capsys.readouterr().out)

    return run


def test_runs_from_files_and_from_the_database_are_counted_together(
    ask: Ask, candles: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ("backtest", "--no-gate", "-s")
    assert ask(*run, "sma_cross:fast=5", "--file", candles)["luck"]["trials"] == 1  # no server is named: a file
    monkeypatch.setenv("ONETAPE_DATABASE_URL", database_url)
    monkeypatch.setenv("ONETAPE_REDIS_URL", redis_url)
    ask("data", "import", candles)
    stored = (*run, "sma_cross", "--symbol", "BTC-USDT")
    assert ask(*stored)["luck"]["trials"] == 2
    again = ask(*stored)["luck"]
    assert (again["runs"], again["trials"]) == (3, 2)
    assert ask(*run, "ema_cross", "--file", candles)["luck"]["trials"] == 3  # a server is named: it is asked

    sealed = ask(*stored, "--holdout", "0.2")
    assert sealed["end"] == "2019-03-22T00:00:00Z"
    opened = ask(*stored, "--open-holdout")
    assert (opened["start"], opened["luck"]["trials"]) == ("2019-03-22T00:00:00Z", 4)  # three saw it before the seal
    assert opened["run_id"] in ask(*stored, "--open-holdout", code=NOT_HELD)["error"]
