"""`onetape backtest` counts every run, keeps out of what is sealed and opens it once. From a candle file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from onetape.cli.main import main
from onetape.cli.output import DONE, NOT_HELD, USAGE


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """100 days of hourly candles that wander around 100."""
    n = 2400
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0003, 0.006, n))), 2)
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"{1_546_300_800 + i * 3600},{c},{c + 0.5},{c - 0.5},{c},1" for i, c in enumerate(close.tolist())]
    path = tmp_path / "okx_BTC-USDT_1h.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def ask(candles: Path, capsys: pytest.CaptureFixture[str]):
    def run(*args: str, code: int = DONE) -> dict:
        assert main(["backtest", "--file", str(candles), "--no-gate", "--json", "-", *args]) == code
        return json.loads(capsys.readouterr().out)

    return run


def test_each_run_stands_among_all_those_before_it(ask) -> None:
    assert ask("-s", "sma_cross")["luck"]["trials"] == 1
    found = ask("-s", "sma_cross:fast=5", "-s", "ema_cross")["runs"]
    assert [run["luck"]["trials"] for run in found] == [3, 3]  # who compares two has tried both
    again = ask("-s", "ema_cross")["luck"]
    assert (again["runs"], again["trials"]) == (4, 3)
    assert again["deflated_sharpe"] <= again["probabilistic_sharpe"]


def test_the_same_run_has_the_same_block_to_the_last_bit(ask) -> None:
    first, again = ask("-s", "sma_cross")["luck"], ask("-s", "sma_cross")["luck"]
    assert again | {"runs": 1} == first


def test_the_ledger_is_a_file_under_the_data_directory(ask, tmp_path: Path) -> None:
    ask("-s", "sma_cross", "--data-dir", str(tmp_path / "mine"))
    kinds = [json.loads(line)["type"] for line in (tmp_path / "mine" / "trials.jsonl").read_text().splitlines()]
    assert kinds == ["reserve", "settle"]


def test_a_run_that_fails_is_counted_too(ask, candles: Path, capsys) -> None:
    short = [
        "backtest",
        "--file",
        str(candles),
        "--no-gate",
        "-s",
        "sma_cross:slow=2000",
        "--timerange",
        "20190101-20190103",
    ]
    assert main(short) == USAGE
    capsys.readouterr()
    assert ask("-s", "sma_cross")["luck"]["runs"] == 2


def test_after_the_seal_no_run_sees_the_last_part(ask, capsys) -> None:
    first = ask("-s", "sma_cross", "--holdout", "0.2")
    assert first["end"] == "2019-03-22T00:00:00Z"
    assert "The candles from 2019-03-22 on are sealed (--holdout): this run ends before them." in first["warnings"]
    later = ask("-s", "ema_cross")
    assert later["end"] == first["end"]
    assert later["manifest"]["holdout"]["open"] is False


def test_what_is_sealed_opens_once_for_each_strategy(ask, candles: Path, capsys) -> None:
    ask("-s", "sma_cross", "--holdout", "2019-03-22")
    found = ask("-s", "sma_cross", "--open-holdout")
    assert (found["start"], found["end"]) == ("2019-03-22T00:00:00Z", "2019-04-11T00:00:00Z")
    assert found["luck"]["trials"] == 1
    refused, fresh = ask("-s", "sma_cross:fast=5", "-s", "ema_cross", "--open-holdout", code=NOT_HELD)["runs"]
    assert f"{100 * found['total_return']:+.2f} %" in refused["error"]
    assert found["run_id"] in refused["error"]
    assert fresh["strategy"] == "ema_cross"


def test_a_second_opening_says_when_and_what_came_out(candles: Path, capsys) -> None:
    base = ["backtest", "--file", str(candles), "--no-gate", "-s", "sma_cross"]
    assert main([*base, "--holdout", "0.2"]) == DONE
    assert "is sealed from 2019-03-22T00:00:00Z on" in capsys.readouterr().err
    assert main([*base, "--open-holdout"]) == DONE
    capsys.readouterr()
    assert main([*base, "--open-holdout"]) == NOT_HELD
    told = capsys.readouterr().err
    assert "was opened for it at 20" in told
    assert "what came out was a return of" in told


def test_a_lifted_seal_gives_everything_back(ask) -> None:
    ask("-s", "sma_cross", "--holdout", "0.2")
    assert ask("-s", "sma_cross", "--holdout", "off")["end"] == "2019-04-11T00:00:00Z"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--open-holdout",), "Seal its last part with --holdout 0.2"),
        (("--holdout", "1.5"), "neither a share between 0 and 1 nor a date"),
        (("--holdout", "off"), "not sealed"),
        (("--holdout", "0.2", "--open-holdout"), "exclude each other"),
        (("--open-holdout", "-s", "sma_cross:fast=3"), "one set of parameters only"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(candles: Path, capsys, flags: tuple[str, ...], told: str) -> None:
    assert main(["backtest", "--file", str(candles), "--no-gate", "-s", "sma_cross", *flags]) == USAGE
    assert told in capsys.readouterr().err


def test_the_report_asks_how_likely_it_is_luck(candles: Path, tmp_path: Path, capsys) -> None:
    page = tmp_path / "report.html"
    assert main(["backtest", "--file", str(candles), "--no-gate", "-s", "sma_cross", "--html", str(page)]) == DONE
    text = " ".join(capsys.readouterr().out.split())
    assert "How likely is it luck?" in text
    assert "; probability that it is above 0: " in text
    assert "1 run on these data" in text
    assert "How likely is it luck?" in page.read_text()
    assert "Confidence against outcome" in page.read_text()


def test_the_command_line_starts_without_the_libraries_of_statistics() -> None:
    code = """
import sys
from onetape.cli.main import main
try:
    main(["backtest", "--help"])
except SystemExit:
    pass
print("LOADED", *(name for name in ("onetape.cli.trials", "scipy", "arch", "pandas") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "--open-holdout" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED onetape.cli.trials"


def test_a_whole_backtest_does_without_the_slow_ones(candles: Path) -> None:
    """`arch` and what it needs take two seconds to load: only a search is worth them."""
    code = f"""
import sys
from onetape.cli.main import main
main(["backtest", "--file", {str(candles)!r}, "--no-gate", "-s", "sma_cross"])
print("LOADED", *(name for name in ("scipy.special", "scipy.stats", "arch", "pandas") if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines()[-1] == "LOADED scipy.special"
