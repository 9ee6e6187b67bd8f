"""`onetape optimize` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onetape.cli.main import main
from onetape.storage.journal import FileTrialLedger

START = 1_514_764_800_000  # 2018-01-01

PEEKS = """
import numpy as np
from onetape import Market, Signals, Strategy


class Peeks(Strategy, frozen=True, tag="peeks"):
    ahead: int = 4

    def warmup(self) -> int:
        return 2

    def signals(self, market: Market) -> Signals:
        later = np.append(market.close[1:], market.close[-1])
        return Signals.holding((later > market.close).astype(float))
"""


@pytest.fixture
def candle_file(tmp_path: Path) -> str:
    rows = 1_200
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.006, rows))), 2)
    lines = [f"{START + i * 3_600_000},{c},{c + 1},{c - 1},{c},1.0" for i, c in enumerate(close.tolist())]
    path = tmp_path / "candles.csv"
    path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    return str(path)


def asked(candle_file: str, *more: str) -> list[str]:
    known = ["--file", candle_file, "--symbol", "BTC-USDT", "--exchange", "okx"]
    return ["optimize", "-s", "sma_cross", *known, "--space", "fast=2:10:2", "--space", "slow=12:30:6", *more]


def test_a_search_is_told_counted_and_kept(
    candle_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "search.html"
    assert main(asked(candle_file, "--html", str(report))) == 0
    told = capsys.readouterr().out
    assert "20 trials" in told
    assert "Recommended: " in told
    assert "How likely is the search luck?" in told
    assert "after 20 trials" in told
    text = report.read_text()
    assert "<script" in text
    assert "Along each parameter" in text
    assert 'src="http' not in text


def test_rates_are_told_in_percent_on_a_terminal_and_in_the_page(
    candle_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tmp_path / "search.html", tmp_path / "search.json"
    more = ["--objective", "total_return", "--html", str(files[0])]
    assert main(asked(candle_file, *more)) == 0
    told = capsys.readouterr().out
    assert main(asked(candle_file, "--objective", "total_return", "--json", str(files[1]))) == 0
    found = json.loads(files[1].read_text())
    top = max(found["trials"], key=lambda one: one["values"][0])
    percent = f"{100 * top['values'][0]:,.2f} %"
    assert f"Highest single score: {percent}" in told or f"total_return {percent}" in told
    text = files[0].read_text()
    assert f"<td>{percent}</td>" in text
    assert f"<td>{100 * top['figures']['max_drawdown']:,.2f} %</td>" in text
    assert '"tickformat":".1%"' in text


@pytest.mark.parametrize(
    ("wanted", "space"),
    [("grid", "spacing=0.005:0.02:0.005"), ("ridge_returns", "lags=2:8:2")],
)
def test_other_kinds_are_searched_too(
    wanted: str, space: str, candle_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = ["--set", "length=50"] if wanted == "grid" else ["--set", "window=300", "--set", "edge=0"]
    known = ["--file", candle_file, "--symbol", "BTC-USDT", "--exchange", "okx"]
    assert main(["optimize", "-s", wanted, *known, "--space", space, *fixed, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["trials"]) == 4
    assert all(one["figures"]["trades"] > 0 for one in found["trials"])
    assert found["best_metrics"]["trades"] > 0


def test_json_has_every_trial_and_can_be_read(candle_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(asked(candle_file, "--method", "tpe", "--trials", "8", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["trials"]) == 8
    assert {"sharpe", "trades"} <= set(found["trials"][0]["figures"])


def test_holdout_seals_and_the_search_ends_before_it(candle_file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(asked(candle_file, "--holdout", "0.4", "--json")) == 0
    captured = capsys.readouterr()
    assert "is sealed from 2018-01-31" in captured.err
    assert json.loads(captured.out)["best_metrics"]["end_ts"] <= 1_000 * (START + 30 * 86_400_000)


async def test_a_resumed_search_runs_nothing_twice(candle_file: str, tmp_path: Path) -> None:
    import asyncio

    assert await asyncio.to_thread(main, asked(candle_file, "--json", str(tmp_path / "a.json"))) == 0
    first = json.loads((tmp_path / "a.json").read_text())
    again = ["optimize", "--resume", first["id"], "--json", str(tmp_path / "b.json")]
    assert await asyncio.to_thread(main, again) == 0
    second = json.loads((tmp_path / "b.json").read_text())
    assert second["trials"] == first["trials"]
    assert len(await FileTrialLedger(tmp_path / "data" / "trials.jsonl").of_search(first["id"])) == 20


def test_a_strategy_that_looks_ahead_is_not_searched(
    candle_file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "peeks.py").write_text(PEEKS)
    wish = ["optimize", "-s", "peeks", "--strategies", str(tmp_path / "own"), "--file", candle_file]
    assert main([*wish, "--symbol", "BTC-USDT", "--exchange", "okx"]) == 3
    assert "did not pass the gate" in capsys.readouterr().err
    assert (
        not (tmp_path / "data" / "trials.jsonl").exists()
        or "peeks" not in (tmp_path / "data" / "trials.jsonl").read_text()
    )


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--space", "nothing=1:2"], "nothing"),
        (["--objective", "luck"], "not a figure of a run"),
        (["--constraint", "open('x')"], "--constraint"),
        (["--open-holdout"], "never for a search"),
        (["-s", "ema_cross"], "one strategy"),
        (["--trials", "3"], "more than 3"),
        (["--trials", "-1"], "--trials"),
    ],
)
def test_what_cannot_be_searched_is_said_in_a_sentence(
    candle_file: str, more: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(asked(candle_file, *more)) == 2
    assert says in capsys.readouterr().err


def test_an_unknown_search_is_not_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["optimize", "--resume", "../x", "--no-store"]) == 2
    assert "not a search that was begun here" in capsys.readouterr().err
