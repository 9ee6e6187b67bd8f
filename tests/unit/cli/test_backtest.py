"""`onetape backtest`: what it asks for, what it refuses, what it prints. Without a database: from a candle file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from onetape.cli import backtest
from onetape.cli.main import main
from onetape.cli.output import DONE, NOT_HELD, USAGE
from onetape.domain.units import DAY, parse_time

AHEAD = '''
import numpy as np
from onetape import Market, Signals, Strategy


class Prophet(Strategy, frozen=True, tag="prophet"):
    """Knows the next close."""

    def warmup(self) -> int:
        return 2

    def signals(self, market: Market) -> Signals:
        later = np.append(market.close[1:], market.close[-1])
        return Signals.holding(np.where(later > market.close, 1.0, 0.0))
'''


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    """40 days of 15-minute candles, a wave around 100."""
    n = 40 * 96
    ts = 1_546_300_800 + np.arange(n) * 900
    close = np.round(100 + 8 * np.sin(np.arange(n) / 60) + 2 * np.sin(np.arange(n) / 7), 2)
    lines = ["timestamp,open,high,low,close,volume"]
    lines += [f"{t},{c},{c + 0.5},{c - 0.5},{c},1" for t, c in zip(ts.tolist(), close.tolist(), strict=True)]
    path = tmp_path / "okx_BTC-USDT_15m.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def ask(*args: object) -> int:
    return main(["backtest", *(str(arg) for arg in args)])


def document(capsys: pytest.CaptureFixture[str]) -> dict:
    return json.loads(capsys.readouterr().out)


def test_one_strategy_prints_its_figures_flat(candles, capsys):
    assert ask("-s", "sma_cross", "--file", candles, "--symbol", "BTC-USDT", "--timeframe", "1h", "--json", "-") == DONE
    found = document(capsys)
    assert found["strategy"] == "sma_cross"
    assert (found["symbol"], found["timeframe"], found["fill_timeframe"]) == ("BTC-USDT", "1h", "15m")
    assert found["bars"] == 960
    assert found["trades"] > 0
    assert found["initial_cash"] == 10_000
    needed = "run_id win_rate profit_factor final_equity total_return fees max_drawdown sharpe buy_and_hold months"
    assert not set(needed.split()) - set(found)
    assert len(found["trade_list"]) == found["trades"] + found["open_trades"]


def test_several_strategies_stand_under_runs_with_their_own_parameters(candles, capsys):
    args = ("-s", "sma_cross:fast=3,slow=9", "-s", "sma_cross", "-s", "ema_cross", "--set", "ema_cross.fast=5")
    assert ask(*args, "--file", candles, "--timeframe", "1h", "--json", "-") == DONE
    runs = document(capsys)["runs"]
    assert [run["strategy"] for run in runs] == ["sma_cross", "sma_cross", "ema_cross"]
    assert [run["parameters"]["fast"] for run in runs] == [3, 10, 5]
    assert len({run["run_id"] for run in runs}) == 3


def test_the_report_names_assumptions_and_compares(candles, capsys):
    assert ask("-s", "sma_cross", "-s", "ema_cross", "--file", candles, "--timeframe", "1h") == DONE
    text = " ".join(capsys.readouterr().out.split())
    assert "fills from the next open on in 15m candles" in text
    assert "Comparison" in text
    assert "Return by month" in text


def test_fees_are_charged_as_asked(candles, capsys):
    base = ("-s", "sma_cross", "--file", candles, "--timeframe", "1h", "--sizing", "qty:1", "--json", "-")
    ask(*base, "--fee-taker", "0.002", "--slippage", "0")
    dear = document(capsys)
    ask(*base, "--fee-taker", "0.001", "--slippage", "0")
    cheap = document(capsys)
    assert dear["fees"] == pytest.approx(2 * cheap["fees"])
    assert dear["final_equity"] == pytest.approx(cheap["final_equity"] - cheap["fees"])


def test_a_page_with_charts_needs_no_network(candles, tmp_path, capsys):
    page = tmp_path / "report.html"
    assert ask("-s", "sma_cross", "--file", candles, "--timeframe", "1h", "--html", page) == DONE
    text = page.read_text()
    assert "sma_cross" in text
    assert "Return by month" in text
    head = text.split("<script>")[0] + text.split("</script>", 1)[1]
    assert "src=" not in head
    assert "http" not in head.replace("http://www.w3.org", "")


def test_figures_go_to_a_file(candles, tmp_path, capsys):
    path = tmp_path / "figures.json"
    assert ask("-s", "sma_cross", "--file", candles, "--timeframe", "1h", "--json", path) == DONE
    assert json.loads(path.read_text())["strategy"] == "sma_cross"
    assert "Trades" in capsys.readouterr().out


def test_a_strategy_that_looks_ahead_is_refused_with_its_evidence(candles, tmp_path, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "prophet.py").write_text(AHEAD)
    args = ("-s", "prophet", "-s", "sma_cross", "--strategies", folder, "--file", candles, "--timeframe", "1h")
    assert ask(*args, "--json", "-") == NOT_HELD
    out = capsys.readouterr()
    runs = json.loads(out.out)["runs"]
    assert runs[0]["error"] == "did not pass the gate"
    assert runs[0]["gate"]["causal"]["ok"] is False
    assert runs[1]["trades"] > 0
    assert "prophet did not pass the gate" in out.err
    assert ask(*args, "--no-gate", "--json", "-") == DONE


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("-s", "sma_cros"), "Did you mean sma_cross?"),
        (("-s", "sma_cross", "--set", "fats=3"), "$.parameters.fats"),
        (("-s", "sma_cross:fast=x"), "$.parameters.fast"),
        (("-s", "sma_cross:fast=60"), "not below slow"),
        (("-s", "sma_cross", "--set", "fast"), "name=value"),
        (("-s", "sma_cross", "--set", "ema_cross.fast=3"), "none of the strategies of this run"),
        (("-s", "sma_cross", "--timerange", "2018-2019"), "20180101-20191231"),
        (("-s", "sma_cross", "--timerange", "20190301-20190201"), "ends before it begins"),
        (("-s", "sma_cross", "--timerange", "20190231-"), "not a time"),
        (("-s", "sma_cross", "--timerange", "20250101-"), "no whole candle lies in it"),
        (("-s", "sma_cross", "--timeframe", "1x"), "not a timeframe"),
        (("-s", "sma_cross", "--timeframe", "5m"), "not made of whole candles"),
        (("-s", "sma_cross", "--cash", "-1"), "--cash"),
        (("-s", "sma_cross", "--stop", "2"), "--stop"),
        (("-s", "sma_cross", "--slippage", "5"), "--slippage"),
        (("-s", "sma_cross", "--sizing", "half"), "fraction:0.95"),
        (("-s", "sma_cross", "--json", "/no/such/folder/x.json"), "folder that does not exist"),
    ],
)
def test_bad_input_gets_a_sentence_with_field_and_remedy(candles, capsys, args, says):
    assert ask(*args, "--file", candles) == USAGE
    out = capsys.readouterr()
    assert says in out.err
    assert not out.out or json.loads(out.out)["error"]


def test_a_file_that_is_not_there_is_named(capsys, tmp_path):
    assert ask("-s", "sma_cross", "--file", tmp_path / "none.csv") == USAGE
    assert "none.csv" in capsys.readouterr().err


def test_without_symbol_and_file_the_remedy_is_said(capsys):
    assert ask("-s", "sma_cross") == USAGE
    assert "--symbol" in capsys.readouterr().err


def test_a_timerange_includes_its_last_day_and_may_be_open():
    assert backtest.timerange_of("20180101-20181231") == (parse_time("2018-01-01"), parse_time("2018-12-31") + DAY)
    assert backtest.timerange_of("20180101-") == (parse_time("2018-01-01"), None)
    assert backtest.timerange_of("-20180101") == (None, parse_time("2018-01-01") + DAY)
    assert backtest.timerange_of("") == (None, None)


def test_a_warm_up_that_takes_much_of_the_period_is_said(candles, capsys):
    # ema_cross needs 20 x 26 = 520 hours: row 519 closes at 2019-01-01 + 520 h = 2019-01-22 16:00
    assert ask("-s", "ema_cross", "--file", candles, "--symbol", "BTC-USDT", "--timeframe", "1h", "--json", "-") == DONE
    found = document(capsys)
    assert found["trading_from"] == "2019-01-22T16:00:00Z"
    assert any("warming up until 2019-01-22" in warning for warning in found["warnings"])
    assert all(trip["entry_ts"] >= parse_time("2019-01-22T16:00:00Z", "t") for trip in found["trade_list"])


def test_a_short_warm_up_is_not_worth_a_word(candles, capsys):
    chosen = "sma_cross:fast=2,slow=5"
    assert ask("-s", chosen, "--file", candles, "--symbol", "BTC-USDT", "--timeframe", "1h", "--json", "-") == DONE
    assert not any("warming up" in warning for warning in document(capsys)["warnings"])


def test_fewer_candles_than_the_warm_up_are_refused_as_too_few(candles, capsys):
    """Not as a strategy that fails: the gate is tried on the recorded sample then."""
    few = candles.with_name("okx_BTC-USDT_few.csv")
    few.write_text("".join(candles.read_text().splitlines(keepends=True)[:61]))
    assert ask("-s", "sma_cross:fast=20,slow=100", "--file", few) == USAGE
    assert "needs 101 15m candles before its first signal" in capsys.readouterr().err


def test_candles_of_an_unknown_symbol_are_run_all_the_same(candles, capsys):
    nameless = candles.with_name("candles.csv")
    nameless.write_bytes(candles.read_bytes())
    assert ask("-s", "sma_cross:fast=2,slow=5", "--file", nameless, "--timeframe", "1h", "--json", "-") == DONE
    found = document(capsys)
    assert (found["symbol"], found["bars"]) == ("UNNAMED-USD", 960)


@pytest.mark.parametrize("wanted", ["grid:length=50", "dca", "market_maker"])
def test_a_quoting_strategy_runs_like_any_other(wanted, candles, capsys, tmp_path):
    page, name = tmp_path / "report.html", wanted.partition(":")[0]
    assert ask("-s", wanted, "--file", candles, "--timeframe", "1h", "--json", "-", "--html", page) == DONE
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert (found["strategy"], found["fill_timeframe"]) == (name, "15m")
    assert found["trades"] > 0
    assert len(found["trade_list"]) == found["trades"] + found["open_trades"]
    assert name in page.read_text(encoding="utf-8")


def test_quoting_strategies_are_compared_with_signals(candles, capsys):
    assert ask("-s", "grid:spacing=0.02", "-s", "sma_cross", "--file", candles, "--timeframe", "1h") == DONE
    told = capsys.readouterr().out
    assert "grid" in told
    assert "sma_cross" in told


def test_a_learning_strategy_runs_like_any_other_and_tells_its_fits(candles, capsys):
    wanted = "ridge_returns:window=300,every=100"
    assert ask("-s", wanted, "--file", candles, "--timeframe", "1h", "--json", "-") == DONE
    found = document(capsys)
    # 960 hours; hours since 1970 that are multiples of 100 are rows 72, 172, ...; those from 372 to 872 have
    # 300 candles and an embargo of 12 behind them
    assert found["manifest"]["fits"]["count"] == 6
    assert found["trades"] > 0
