"""`onetape walkforward` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onetape.cli.main import main

START = 1_514_764_800_000  # 2018-01-01


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    rows = 24 * 60
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.006, rows))), 2)
    lines = [f"{START + i * 3_600_000},{c},{c + 1},{c - 1},{c},1.0" for i, c in enumerate(close.tolist())]
    path = tmp_path / "candles.csv"
    path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    known = ["--file", str(path), "--symbol", "BTC-USDT", "--exchange", "okx"]
    return ["walkforward", "-s", "sma_cross", *known, "--space", "fast=2:6:2", "--space", "slow=12:24:12"]


def test_a_walk_is_told_window_by_window_and_as_one_run(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "walk.html"
    assert main([*asked, "--train", "30d", "--test", "10d", "--html", str(report)]) == 0
    told = capsys.readouterr().out
    assert "3 windows, 30 days searched (rolling), 10 traded" in told
    assert "of 3 windows made money" in told
    assert "How likely is it luck?" in told
    assert "0 closed trades" not in told
    assert "no signals of its own" in told
    text = report.read_text()
    assert "<script" in text
    for words in ("<h2>Windows</h2>", "sharpe searched", "Ratio", "2018-01-31", "slow=", "of 3 windows made money"):
        assert words in text


def test_as_json_every_window_has_its_span_parameters_and_both_scores(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*asked, "--train", "30d", "--test", "15d", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["test"] for one in found["windows"]] == [
        ["2018-01-31T00:00:00Z", "2018-02-15T00:00:00Z"],
        ["2018-02-15T00:00:00Z", "2018-03-02T00:00:00Z"],
    ]
    assert {"fast", "slow"} <= set(found["windows"][0]["parameters"])
    assert found["windows"][0]["trials"] == 6
    for one in found["windows"]:
        promised = one["searched"]
        assert one["ratio"] == (one["traded"] / promised if promised > 0.0 else None)
    assert found["start"] == "2018-01-31T00:00:00Z"


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--train", "90d"], "windows fit"),
        (["--train", "soon"], "not a length of time"),
        (["--resume", "abc"], "not taken up again"),
        (["--open-holdout"], "never for a search"),
    ],
)
def test_what_cannot_be_walked_is_refused_with_a_sentence(
    asked: list[str], more: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*asked, *more]) == 2
    assert says in capsys.readouterr().err
