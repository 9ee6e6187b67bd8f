"""What a page says about a run: months, drawdowns, curves that lose no extreme."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from rich.console import Console

from onetape.backtest.report import document, kept
from onetape.backtest.run import run as run_strategy
from onetape.cli import backtest_report
from onetape.dashboard import figures, report, report_html, report_luck
from onetape.domain.frame import CandleFrame
from onetape.domain.luck import Luck
from onetape.domain.report import DataUsed
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.signals import Signals
from onetape.domain.units import DAY, parse_time
from onetape.strategies.contract import Strategy
from onetape.strategies.market import Market


def test_months_are_chained_from_the_cash_and_midnight_belongs_to_the_day_before() -> None:
    # closes: 31 Dec 24:00 -> 110, 31 Jan 24:00 -> 99, 15 Feb -> 118.8; the cash was 100
    ts = np.array([parse_time("2024-01-01"), parse_time("2024-02-01"), parse_time("2024-02-15")])
    [(first, old), (second, new)] = report.monthly(ts, np.array([110.0, 99.0, 118.8]), 100.0)
    assert (first, second) == (2023, 2024)
    assert old[11] == pytest.approx(0.10)  # December: 110 / 100
    assert old[12] == pytest.approx(0.10)
    assert new[0] == pytest.approx(-0.10)  # January: 99 / 110
    assert new[1] == pytest.approx(0.20)  # February: 118.8 / 99
    assert new[12] == pytest.approx(0.08)  # the year: 118.8 / 110
    assert new[2:12] == [None] * 10


def test_drawdown_is_measured_from_the_highest_value_so_far_and_from_the_cash() -> None:
    assert figures.drawdown(np.array([90.0, 120.0, 60.0]), 100.0).tolist() == pytest.approx([-0.1, 0.0, -0.5])


def test_a_thinned_curve_keeps_its_extremes_and_ends() -> None:
    values = np.sin(np.arange(100_000) / 500.0)
    values[33_333], values[77_777] = 9.0, -9.0
    ts = np.arange(100_000) * DAY
    x, y = figures.picked(ts, values, 1000)
    assert len(x) <= 1002
    assert (y.max(), y.min(), x[0], x[-1]) == (9.0, -9.0, ts[0], ts[-1])
    assert (np.diff(x) > 0).all()


def test_a_figure_that_cannot_be_worked_out_is_a_dash() -> None:
    assert report.told(report.Merit("sharpe", "Sharpe", report.plain), {"sharpe": None}) == ("–", "quiet")
    assert report.told(report.MERITS[0], {"total_return": -0.05}) == ("-5.00 %", "down")


def test_a_run_says_how_likely_it_is_luck_and_what_is_sealed_and_an_old_one_says_nothing() -> None:
    reasons = dict.fromkeys(Luck.__struct_fields__, "Too few days.")
    empty = dict.fromkeys(Luck.__struct_fields__)
    counts = {"days": 3, "trades": 0, "confidence": 0.95, "resamples": 0, "runs": 1, "trials": 1, "reasons": reasons}
    card = report_luck.luck_card({"luck": empty | counts, "total_return": 0.01}, {})
    assert "1 run on these data, 1 different" in str(card)
    assert "Too few days." in str(card)
    note = {"holdout": {"from_ts": 0, "made_ts": 1, "open": False}}
    assert "The candles from 1970-01-01 on are sealed" in str(report_luck.luck_card({}, note))
    assert report_luck.luck_card({}, {}) is None


def test_the_detail_used_is_told_alike_on_the_page_in_the_file_on_a_terminal_and_as_json() -> None:
    # a third of the time single trades, a tenth with a book; 3 of 4 payments are recorded
    used = DataUsed(
        timeframe="1m", prints_share=1 / 3, books_share=0.1, prints=1_234, funding=3, funding_missing=1,
    )  # fmt: skip
    run = kept(dataclasses.replace(a_result(), data=used))
    out = Console(file=io.StringIO(), width=110)
    backtest_report.one(run, out)
    shown = str(report.page(run, a_result().candles)), report_html.page([run], [None]), out.file.getvalue()
    for text in shown:
        for words in (
            "Orders filled on", "Candles of 1m", "66.7 % of the time", "33.3 % of the time, 1,234 of them",
            "10 % of the time, beside them", "3 recorded, 1 have no recorded rate",
        ):  # fmt: skip
            assert words in text
    assert document(run)["detail"] == used


def test_the_page_of_a_run_shows_doubts_costs_groups_and_spread_and_an_old_run_does_without() -> None:
    run = kept(a_result())
    text = str(report.page(run, a_result().candles))
    for words in ("Reasons to doubt it", "Cost of reality", "By exit reason", "By entry tag", "How results are spread"):
        assert words in text
    assert "dip" in text
    old = str(report.page(dataclasses.replace(run, report=None), a_result().candles))
    assert "Cost of reality" not in old
    assert "Equity and drawdown" in old


def test_a_page_of_its_own_draws_everything_and_says_when_candles_are_gone() -> None:
    result = a_result()
    run = kept(result)
    whole = report_html.page([run], [result.candles])
    for words in ("Cost of reality", "By entry tag", "Return by month", "without costs", "prefers-color-scheme"):
        assert words in whole
    gone = report_html.page([dataclasses.replace(run, report=None)], [None])
    assert "not stored any more" in gone
    assert "Cost of reality" not in gone
    assert len(whole.split("</script>", 1)[1]) < 400_000


def a_result() -> Result:
    """Eight trades by two rules, on daily candles."""
    n = 90
    close = 100.0 + np.arange(n) % 9
    columns = {"ts": parse_time("2024-01-01") + np.arange(n) * DAY, "open": close, "close": close}
    frame = CandleFrame.of("x", "A-B", "1d", columns | {"high": close + 1, "low": close - 1, "volume": np.ones(n)})
    spec = BacktestSpec(strategy="two_rules", exchange="x", symbol="A-B", timeframe="1d")
    return run_strategy(spec, frame, None, TwoRules())


class TwoRules(Strategy, frozen=True, tag="two_rules"):
    """Holds five candles of ten, by turns for two reasons."""

    def warmup(self) -> int:
        return 1

    def signals(self, market: Market) -> Signals:
        rows = np.arange(len(market))
        return Signals.holding(rows // 5 % 2, tag=np.where(rows // 10 % 2, "dip", "rise"), stop=0.2)
