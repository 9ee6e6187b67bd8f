"""`onetape runs`: what is stored is found, shown, compared, made again to the last bit, deleted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape.cli.main import main
from onetape.cli.output import DONE, NOT_HELD, USAGE

Ask = Callable[..., Any]

OWN = """
from onetape import Market, Signals, Strategy


class Mine(Strategy, frozen=True, tag="mine"):
    \"\"\"Holds on rising candles.\"\"\"

    least: float = 0.0

    def warmup(self) -> int:
        return 2

    def signals(self, market: Market) -> Signals:
        return Signals.holding((market.close > market.open + self.least).astype(float))
"""


def rows_of(start: int, count: int, seed: int = 1) -> list[str]:
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0003, 0.006, start + count))), 2)
    before = np.append(100.0, close[:-1])
    return [
        f"{1_546_300_800 + i * 3600},{a},{max(a, c) + 0.5},{min(a, c) - 0.5},{c},1"
        for i, (a, c) in enumerate(zip(before.tolist(), close.tolist(), strict=True))
    ][start:]


def candle_file(folder: Path, rows: list[str]) -> Path:
    path = folder / "okx_BTC-USDT_1h.csv"
    path.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]) + "\n")
    return path


@pytest.fixture
def ask(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database_url: str,
    redis_url: str,
) -> Ask:
    monkeypatch.setenv("ONETAPE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ONETAPE_DATABASE_URL", database_url)
    monkeypatch.setenv("ONETAPE_REDIS_URL", redis_url)

    def run(*args: object, code: int = DONE, text: bool = False) -> Any:
        capsys.readouterr()
        assert main([str(arg) for arg in (*args, *(() if text else ("--json",)))]) == code
        out = capsys.readouterr().out
        return " ".join(out.split()) if text else json.loads(out)

    return run


@pytest.fixture
def stored(ask: Ask, tmp_path: Path) -> str:
    """A run on 1,500 hours in the database."""
    ask("data", "import", candle_file(tmp_path, rows_of(0, 1_500)))
    return str(ask("backtest", "--no-gate", "-s", "sma_cross:fast=5,slow=20", "--symbol", "BTC-USDT")["run_id"])


def test_a_list_has_the_figures_and_is_sorted_and_filtered(ask: Ask, stored: str) -> None:
    ask("backtest", "--no-gate", "-s", "sma_cross", "-s", "ema_cross", "--symbol", "BTC-USDT")
    found = ask("runs", "list")
    assert found["all"] == 3
    assert found["items"][-1]["run_id"] == stored
    assert found["items"][-1]["parameters"]["fast"] == 5
    best = [item["sharpe"] for item in ask("runs", "list", "--sort", "sharpe")["items"]]
    assert best == sorted(best, reverse=True)
    assert [item["strategy"] for item in ask("runs", "list", "--strategy", "ema_cross")["items"]] == ["ema_cross"]
    assert len(ask("runs", "list", "--limit", "1")["items"]) == 1
    assert "1 of 3; --limit 0 shows all." in ask("runs", "list", "--limit", "1", text=True)
    assert [item["run_id"] for item in ask("runs", "list", "--text", "fast=5")["items"]] == [stored]
    assert ask("runs", "list", "--until", "2020-01-01")["items"] == []
    assert "No run is stored that fits" in ask("runs", "list", "--symbol", "ETH-USDT", text=True)


def test_a_run_is_shown_by_the_beginning_of_its_id(ask: Ask, stored: str, tmp_path: Path) -> None:
    found = ask("runs", "show", stored[:-3])
    assert found["run_id"] == stored
    assert len(found["trade_list"]) == found["trades"] + found["open_trades"]
    assert found["manifest"]["seed"] == int(found["manifest"]["hash"][:16], 16)
    page = tmp_path / "again.html"
    text = ask("runs", "show", "last", "--html", page, text=True)
    assert "Cost of reality" in page.read_text()
    assert "not stored any more" not in page.read_text()
    assert "Cost of reality" in text
    assert "sma_cross" in text
    assert stored in text


def test_a_name_that_means_no_run_or_several_is_refused(ask: Ask, stored: str) -> None:
    del stored
    ask("backtest", "--no-gate", "-s", "ema_cross", "--symbol", "BTC-USDT")
    assert "not a stored run" in ask("runs", "show", "nothing", code=USAGE)["error"]
    assert "several runs" in ask("runs", "show", "2", code=USAGE)["error"]


def test_a_difference_names_parameters_figures_and_the_first_trade(ask: Ask, stored: str) -> None:
    other = ask("backtest", "--no-gate", "-s", "sma_cross:fast=6,slow=20", "--symbol", "BTC-USDT", "--cash", "5000")
    found = ask("runs", "diff", stored, other["run_id"])
    assert found["parameters"] == [{"name": "fast", "a": 5, "b": 6}]
    assert {"name": "cash", "a": 10_000.0, "b": 5_000.0} in found["question"]
    assert found["first_trade"]["number"] == 1
    assert not found["made_of"]
    assert not found["same"]
    assert "First trade that differs, number 1" in ask("runs", "diff", stored, "last", text=True)
    alike = ask("runs", "diff", stored, stored)
    assert alike["same"]
    assert not alike["figures"]


def test_a_run_made_again_has_the_same_bits_although_candles_came_since(ask: Ask, stored: str, tmp_path: Path) -> None:
    ask("data", "import", candle_file(tmp_path, rows_of(1_500, 300)))
    found = ask("runs", "rerun", stored)
    assert found == {"run_id": stored, "same": True, "ran": True, "changed": [], "figures": [], "notes": []}
    assert "has the same bits" in ask("runs", "rerun", stored, text=True)


def test_a_run_with_a_start_reads_as_many_candles_before_it_as_then(ask: Ask, stored: str) -> None:
    del stored
    names = ("-s", "sma_cross:fast=5,slow=20", "-s", "sma_cross:fast=5,slow=200")
    runs = ask("backtest", "--no-gate", *names, "--symbol", "BTC-USDT", "--timerange", "20190201-")["runs"]
    assert ask("runs", "rerun", runs[0]["run_id"])["same"]


def test_candles_that_are_not_what_they_were_are_named(ask: Ask, stored: str, tmp_path: Path) -> None:
    ask("data", "import", candle_file(tmp_path, rows_of(700, 5, seed=2)))
    found = ask("runs", "rerun", stored, code=NOT_HELD)
    assert [one["part"] for one in found["changed"]] == ["data"]
    assert found["ran"]


def test_a_run_from_a_file_is_made_again_from_it(ask: Ask, tmp_path: Path) -> None:
    file = candle_file(tmp_path, rows_of(0, 900))
    made = ask("backtest", "--no-gate", "-s", "sma_cross", "--file", file, "--store", "--timerange", "20190110-")
    assert ask("runs", "rerun", made["run_id"], "--file", file)["same"]
    assert "--file FILE" in ask("runs", "rerun", made["run_id"], code=USAGE)["error"]


def test_a_strategy_that_is_another_one_now_is_not_run(ask: Ask, stored: str, tmp_path: Path) -> None:
    del stored
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "mine.py").write_text(OWN)
    made = ask("backtest", "-s", "mine", "--strategies", folder, "--symbol", "BTC-USDT")
    assert ask("runs", "rerun", made["run_id"], "--strategies", folder)["same"]
    (folder / "mine.py").write_text(OWN.replace("rising", "higher"))
    found = ask("runs", "rerun", made["run_id"], "--strategies", folder, code=NOT_HELD)
    assert [one["part"] for one in found["changed"]] == ["strategy"]
    assert not found["ran"]
    assert "It was not run again" in ask("runs", "rerun", "last", "--strategies", folder, code=NOT_HELD, text=True)
    assert "mine" in ask("runs", "rerun", "last", code=USAGE)["error"]


def test_a_deleted_run_is_gone_and_still_counted(ask: Ask, stored: str) -> None:
    assert ask("runs", "delete", stored) == {"deleted": stored}
    assert ask("runs", "list")["items"] == []
    again = ask("backtest", "--no-gate", "-s", "ema_cross", "--symbol", "BTC-USDT")
    assert again["luck"]["trials"] == 2


def market_file(folder: Path, symbol: str, rows: list[str]) -> Path:
    path = folder / f"okx_{symbol}_1h.csv"
    path.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]) + "\n")
    return path


@pytest.fixture
def markets(ask: Ask, tmp_path: Path) -> Path:
    """1,500 hours of two markets in the database, and a folder with three bots on them."""
    for seed, symbol in enumerate(("BTC-USDT", "ETH-USDT"), 1):
        ask("data", "import", market_file(tmp_path, symbol, rows_of(0, 1_500, seed)))
    folder = tmp_path / "bots"
    folder.mkdir()
    for name, symbol, slow in (("one", "BTC-USDT", 20), ("two", "ETH-USDT", 30), ("three", "BTC-USDT", 40)):
        bot = {"name": name, "exchange": "okx", "symbol": symbol, "timeframe": "1h", "strategy": "sma_cross"}
        bot |= {"parameters": {"fast": 5, "slow": slow}, "limits": {"stop": 0.03}}
        (folder / f"{name}.json").write_text(json.dumps(bot))
    return folder


@pytest.mark.parametrize(
    "more", [(), ("--timerange", "20190115-20190220"), ("--one-account", "9000", "--max-positions", "2")]
)
def test_a_fleet_is_made_again_to_the_last_bit_although_candles_came_since(
    ask: Ask, markets: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    made = ask("backtest", "--no-gate", "--fleet", markets, *more)
    assert made["trades"] > 10
    ask("data", "import", market_file(tmp_path, "BTC-USDT", rows_of(1_500, 100)))
    found = ask("runs", "rerun", made["run_id"])
    assert found == {"run_id": made["run_id"], "same": True, "ran": True, "changed": [], "figures": [], "notes": []}


def test_a_portfolio_is_made_again_to_the_last_bit(ask: Ask, markets: Path) -> None:
    del markets
    asked = ("-s", "rotation:look=48,hold=1,every=24", "--symbol", "ETH-USDT,BTC-USDT", "--timerange", "20190110-")
    made = ask("backtest", "--no-gate", *asked)
    assert made["trades"] > 5
    assert ask("runs", "rerun", made["run_id"])["same"]


def test_what_changed_under_a_fleet_is_named(ask: Ask, markets: Path, tmp_path: Path) -> None:
    made = ask("backtest", "--no-gate", "--fleet", markets)
    ask("data", "import", market_file(tmp_path, "ETH-USDT", rows_of(700, 5, seed=9)))
    found = ask("runs", "rerun", made["run_id"], code=NOT_HELD)
    assert [one["part"] for one in found["changed"]] == ["data"]
    assert found["ran"]


def test_a_stored_fleet_tells_of_its_bots_and_whose_each_trade_was(ask: Ask, markets: Path, tmp_path: Path) -> None:
    ask("backtest", "--no-gate", "--fleet", markets, "--max-positions", "2")
    page = tmp_path / "fleet.html"
    found = ask("runs", "show", "last", "--html", page)
    assert found["parameters"] == {"bots": ["one", "three", "two"], "max_positions": 2.0}
    assert [(book["name"], book["symbol"]) for book in found["books"]] == [
        ("one", "BTC-USDT"), ("three", "BTC-USDT"), ("two", "ETH-USDT"),
    ]  # fmt: skip
    trades = [trade["book"] for trade in found["trade_list"] if not trade["open"]]
    assert {name: trades.count(name) for name in set(trades)} == {
        book["name"]: book["metrics"]["trades"] for book in found["books"]
    }
    text = page.read_text()
    assert "By bot" in text
    assert "An index of the markets" in text
    assert "bots one + three + two, max positions 2" in text
    [listed] = ask("runs", "list", "--symbol", "ETH-USDT")["items"]
    assert (listed["symbol"], listed["exchange"]) == ("BTC-USDT+ETH-USDT", "okx")
