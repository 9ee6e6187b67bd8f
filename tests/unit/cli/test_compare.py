"""`onetape compare` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onetape.cli.compare_report import gained
from onetape.cli.main import main
from onetape.domain.comparison import DayFigures, Mix

START = 1_514_764_800_000  # 2018-01-01
DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def market(tmp_path: Path) -> list[str]:
    rows = 24 * 60
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.006, rows))), 2)
    lines = [f"{START + i * 3_600_000},{c},{c + 1},{c - 1},{c},1.0" for i, c in enumerate(close.tolist())]
    path = tmp_path / "candles.csv"
    path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    return ["--file", str(path), "--symbol", "BTC-USDT", "--exchange", "okx"]


def asked(market: list[str], *entries: str) -> list[str]:
    return ["compare", *(part for entry in entries for part in ("-s", entry)), *market]


def test_three_are_told_as_rows_correlation_differences_and_mixes(
    market: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "compared.html"
    three = asked(market, "ema_cross", "sma_cross", "sma_cross:fast=5,slow=20")
    assert main([*three, "--html", str(report)]) == 0
    told = capsys.readouterr().out
    assert "Comparison, best return first" in told
    assert "Correlation of daily returns, 60 common days" in told
    assert told.count("of the redrawn histories: ") == 3
    assert "Mixed by inverse volatility (" in told
    page = report.read_text()
    assert all(f"<h2>{title}" in page for title in ("Correlation of daily returns", "Differences", "Mixes"))


def test_as_json_the_comparison_stands_beside_the_runs_and_is_the_same_again(
    market: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    two = [*asked(market, "ema_cross", "sma_cross"), "--json"]
    assert main(two) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(two) == 0
    assert json.loads(capsys.readouterr().out)["comparison"] == first["comparison"]
    found = first["comparison"]
    assert found["days"] == 60
    assert [row["strategy"] for row in first["rows"]] == [run["strategy"] for run in first["runs"]] == found["names"]
    assert found["correlation"][0][1] == found["correlation"][1][0]
    pair = found["pairs"][0]["sharpe"]
    assert pair["real"] == pytest.approx(first["rows"][0]["sharpe"] - first["rows"][1]["sharpe"])
    assert pair["interval"]["low"] <= pair["real"] <= pair["interval"]["high"]
    assert [mix["figures"]["name"] for mix in found["mixes"]] == ["equal weights", "inverse volatility"]


def test_one_that_looks_ahead_is_refused_and_nothing_is_compared(
    market: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*asked(market, "sma_cross", "tomorrow"), "--strategies", str(DATA / "strategies"), "--json"]) == 3
    said = capsys.readouterr()
    assert "nothing was compared" in json.loads(said.out)["error"]
    assert "tomorrow did not pass the gate" in said.err
    assert "Nothing was compared" in said.err
    assert "comparison" not in json.loads(said.out)


def test_the_gate_cannot_be_left_out(market: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*asked(market, "sma_cross", "ema_cross"), "--no-gate"]) == 3
    assert "pass the gate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        (["sma_cross"], "two strategies or more"),
        (["sma_cross", "sma_cross"], "twice with the same parameters"),
        (["sma_cross", "no_such"], "not known"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(
    market: list[str], entries: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(market, *entries)) == 2
    assert says in capsys.readouterr().err


def test_what_a_mix_made_worse_is_said_as_more() -> None:
    figures = DayFigures(name="equal weights", total_return=0, cagr=0, volatility=0.1, sharpe=0, max_drawdown=0.1)
    said = gained(Mix(figures=figures, weights={"a": 0.25, "b": 0.75}, calmer=0.3, shallower=-0.02))
    assert said == (
        "Mixed by equal weights (a 25 %, b 75 %): 30 % less volatility and 2 % more drawdown than its parts have on "
        "average."
    )
