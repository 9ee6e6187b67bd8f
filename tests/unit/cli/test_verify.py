"""`onetape verify`: exit codes, sentences, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onetape.cli.main import main

FAULTY = str(Path(__file__).resolve().parents[2] / "data" / "strategies")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONETAPE_STRATEGIES", raising=False)


def test_sound_strategy_exits_with_0_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "sma_cross", "--set", "fast=5"]) == 0
    text = capsys.readouterr().out
    assert "sma_cross (fast=5, slow=50, exit=cross, short=False)" in text
    assert text.count("holds") == 2


def test_look_ahead_exits_with_3_and_names_candle_column_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "tomorrow", "--strategies", FAULTY, "--timeframe", "1h", "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert said["timeframe"] == "1h"
    verdict = said["causal"]
    assert verdict["ok"] is False
    assert verdict["column"] == "target"
    assert {verdict["expected"], verdict["got"]} == {0.0, 1.0}
    assert verdict["time"] in verdict["evidence"]
    assert len(said["source_hash"]) == 64


def test_folder_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONETAPE_STRATEGIES", FAULTY)
    assert main(["verify", "forgetful", "--json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["causal"]["ok"] is True
    assert said["finite_memory"]["ok"] is False
    assert "26 (the warm-up)" in said["finite_memory"]["evidence"]


def test_candles_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["timestamp,open,high,low,close,volume"]
    for i in range(300):
        price = 100 + (i * 7919) % 23
        lines.append(f"{1_546_300_800 + 60 * i},{price},{price + 2},{price - 2},{price + 1},5")
    (tmp_path / "candles.csv").write_text("\n".join(lines))
    arguments = [
        "--file",
        str(tmp_path / "candles.csv"),
        "--symbol",
        "A-B",
        "--timerange",
        "20190101-20190101",
        "--json",
    ]
    assert main(["verify", "sma_cross", *arguments]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["candles"] == 300
    assert said["data"] == "file candles.csv"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody"], "There are: bollinger_breakout"),
        (["sma_cross", "--set", "fast=none"], "$.parameters.fast"),
        (["sma_cross", "--set", "fast"], "name=value"),
        (["sma_cross", "--strategies", "/nowhere/at/all"], "not a folder"),
        (["sma_cross", "--timerange", "2018"], "FROM-TO"),
        (["sma_cross", "--timerange", "20300101-"], "none there to test on"),
        (["sma_cross", "--timeframe", "7y"], "not a timeframe"),
        (["sma_cross", "--file", "/nowhere/a.csv", "--symbol", "BTC-USDT"], "a.csv"),
        ([], "onetape verify --help"),
    ],
)
def test_bad_input_exits_with_2_and_a_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *arguments]) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert told.out == ""


def test_file_that_could_not_be_loaded_is_mentioned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.py").write_text("x = 1 / 0\n")
    assert main(["verify", "sma_cross", "--strategies", str(tmp_path)]) == 0
    assert "line 1 of broken.py: ZeroDivisionError" in capsys.readouterr().err
