"""The figures of a run: against an independent library, and by hand where the library has none."""

from __future__ import annotations

import math

import empyrical
import numpy as np
import pandas as pd
import pytest

from onetape.backtest import metrics
from onetape.backtest.metrics import measure
from onetape.backtest.report import months
from onetape.backtest.run import run
from onetape.backtest.trades import thinned, trades_of
from onetape.core.state import empty_book, fill_buffer
from onetape.core.stats import T_WIDTH, last_of_each_day
from onetape.domain.accounts import Account, Costs, Exits, Sizing
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec, Tape
from onetape.domain.signals import Signals
from onetape.domain.units import DAY, HOUR, parse_time
from onetape.strategies.contract import Strategy
from onetape.strategies.market import Market
from onetape.strategies.sma_cross import SmaCross

START = parse_time("2019-01-01")


def frame_of(close: np.ndarray, timeframe: str = "1d", start: int = START) -> CandleFrame:
    step = DAY if timeframe == "1d" else HOUR
    columns = {"ts": start + np.arange(len(close)) * step, "open": close, "high": close, "low": close, "close": close}
    return CandleFrame.of("t", "A-B", timeframe, columns | {"volume": np.ones(len(close))})


def tape_of(equity: np.ndarray, timeframe: str = "1d", trips: np.ndarray | None = None) -> Tape:
    return Tape(
        candles=frame_of(np.full(len(equity), 100.0), timeframe),
        equity=np.asarray(equity, float),
        fills=fill_buffer()[:0],
        trips=np.empty((0, T_WIDTH)) if trips is None else trips,
        account=Account(cash=float(equity[-1])),
        book=empty_book(),
        rejected={},
    )


def measured(equity: np.ndarray, cash: float, timeframe: str = "1d", trips: np.ndarray | None = None) -> dict:
    tape = tape_of(equity, timeframe, trips)
    return measure(tape.candles, tape, cash)


@pytest.fixture(scope="module")
def daily() -> tuple[np.ndarray, pd.Series]:
    """A year and a half of equity, and its daily returns as the library wants them."""
    rates = np.random.default_rng(5).normal(0.0008, 0.02, 547)
    index = pd.date_range("2019-01-01", periods=len(rates), freq="D")
    return 10_000 * np.cumprod(1 + rates), pd.Series(rates, index)


def test_ratios_agree_with_an_independent_library(daily):
    equity, rates = daily
    found = measured(equity, 10_000.0)
    assert found["sharpe"] == pytest.approx(empyrical.sharpe_ratio(rates, annualization=365), rel=1e-9)
    assert found["sortino"] == pytest.approx(empyrical.sortino_ratio(rates, annualization=365), rel=1e-9)
    assert found["volatility"] == pytest.approx(empyrical.annual_volatility(rates, annualization=365), rel=1e-9)
    assert found["cagr"] == pytest.approx(empyrical.cagr(rates, annualization=365), rel=1e-9)
    assert found["max_drawdown"] == pytest.approx(-empyrical.max_drawdown(rates), rel=1e-9)
    assert found["calmar"] == pytest.approx(empyrical.calmar_ratio(rates, annualization=365), rel=1e-9)
    assert found["total_return"] == pytest.approx(empyrical.cum_returns_final(rates), rel=1e-9)


def test_hourly_equity_gives_the_ratios_of_its_days(daily):
    equity, rates = daily
    hourly = np.repeat(equity, 24)  # the last hour of each day closes at midnight and belongs to that day
    found = measured(hourly, 10_000.0, "1h")
    assert found["days"] == len(rates)
    assert found["sharpe"] == pytest.approx(empyrical.sharpe_ratio(rates, annualization=365), rel=1e-9)


def test_months_agree_with_an_independent_library(daily):
    equity, rates = daily
    tape = tape_of(equity)
    spec = BacktestSpec(strategy="s", cash=10_000.0)
    expected = empyrical.aggregate_returns(rates, "monthly")
    found = months(type("R", (), {"tape": tape, "spec": spec}))
    assert [(m.year, m.month) for m in found] == list(expected.index)
    np.testing.assert_allclose([m.rate for m in found], expected.to_numpy(), rtol=1e-9)


def test_the_drawdown_names_its_high_its_low_and_its_recovery():
    # high 120 at the 2nd close, low 90 at the 4th: 25 %; back at 120 at the 6th
    found = measured(np.array([110, 120, 100, 90, 100, 121, 115.0]), 100.0)
    assert found["max_drawdown"] == pytest.approx(0.25)
    assert found["max_drawdown_peak_ts"] == START + 2 * DAY
    assert found["max_drawdown_low_ts"] == START + 4 * DAY
    assert found["max_drawdown_recovery_ts"] == START + 6 * DAY


def test_a_loss_from_the_start_is_a_drawdown_from_the_cash_and_may_not_be_recovered():
    found = measured(np.array([90.0, 80.0, 85.0]), 100.0)
    assert found["max_drawdown"] == pytest.approx(0.2)
    assert found["max_drawdown_peak_ts"] == START
    assert found["max_drawdown_recovery_ts"] is None


def test_what_cannot_be_worked_out_is_none():
    found = measured(np.array([100.0]), 100.0)
    for name in ("sharpe", "sortino", "volatility", "calmar", "win_rate", "profit_factor", "expectancy", "sqn"):
        assert found[name] is None, name
    assert found["max_drawdown"] == 0.0
    assert found["max_drawdown_peak_ts"] is None
    assert found["trades"] == 0


def test_a_ruined_account_has_no_growth_and_no_ratios():
    found = measured(np.array([50.0, -10.0, -10.0]), 100.0)
    assert found["total_return"] == pytest.approx(-1.1)
    assert found["cagr"] is None
    assert found["sharpe"] is None


def test_growth_is_over_calendar_time():
    # doubled in half a year (182.5 days): fourfold in a year
    assert metrics.growth(1.0, int(182.5 * DAY)) == pytest.approx(3.0)


def trips_of(*rows: tuple[float, float]) -> np.ndarray:
    """Trips of one unit bought at 100: (profit, 1 when open), one candle each."""
    trips = np.zeros((len(rows), T_WIDTH))
    for i, (profit, is_open) in enumerate(rows):
        trips[i] = [i, i + 1, 1.0, 1.0, 100.0, 0.0, 0.0, profit, 2.0, is_open]
    return trips


def test_figures_of_trades_by_hand():
    trips = trips_of((10, 0), (-5, 0), (-5, 0), (-2, 0), (6, 0), (8, 0), (100, 1))
    found = measured(np.full(9, 100.0), 100.0, "1h", trips)
    assert found["trades"] == 6
    assert found["open_trades"] == 1
    assert found["win_rate"] == 0.5
    assert found["profit_factor"] == 2.0  # 24 / 12
    assert found["expectancy"] == 2.0  # 12 / 6
    assert found["average_trade"] == pytest.approx(0.02)
    assert (found["best_trade"], found["worst_trade"]) == (pytest.approx(0.1), pytest.approx(-0.05))
    assert (found["average_win"], found["average_loss"]) == (8.0, -4.0)
    assert (found["longest_winning_streak"], found["longest_losing_streak"]) == (2, 3)
    assert found["average_duration_s"] == 3600.0
    # profits less their mean 2: 8 -7 -7 -4 4 6, squares 230, over 5 = 46; sqrt(6) * 2 / sqrt(46)
    assert found["sqn"] == pytest.approx(math.sqrt(6) * 2 / math.sqrt(46))


def test_a_trade_of_no_profit_is_neither_won_nor_lost():
    found = measured(np.full(4, 100.0), 100.0, "1h", trips_of((0, 0), (5, 0)))
    assert found["win_rate"] == 0.5
    assert found["profit_factor"] is None
    assert found["longest_losing_streak"] == 0


def test_the_last_candle_of_a_day_is_the_one_that_closes_by_midnight():
    opens = from_hours(0, 22, 23, 24, 25, 47, 80)  # 80 h lies in the fourth day; the third has none
    assert last_of_each_day(opens, HOUR).tolist() == [2, 5, 6]


def from_hours(*hours: int) -> np.ndarray:
    return START + np.array(hours, np.int64) * HOUR


def test_a_long_curve_keeps_its_extremes_and_its_ends():
    random = np.random.default_rng(1)
    equity = 100 + np.cumsum(random.normal(size=200_003))
    ts, thin = thinned(np.arange(len(equity)), equity, 1_000)
    assert len(thin) <= 3_100
    assert thin.max() == equity.max()
    assert thin.min() == equity.min()
    assert (thin[0], thin[-1]) == (equity[0], equity[-1])
    assert (np.diff(ts) > 0).all()


class InAndOut(Strategy, frozen=True, tag="in_and_out"):
    """Long from the second candle's close to the fourth's."""

    def warmup(self) -> int:
        return 1

    def signals(self, market: Market) -> Signals:
        target = np.full(len(market), np.nan)
        target[1], target[3] = 1.0, 0.0
        return Signals.holding(target)


def test_a_whole_run_by_hand():
    close = np.array([100, 100, 110, 120, 130, 125.0])
    spec = BacktestSpec(strategy="in_and_out", cash=1_000.0, costs=Costs(0, 0.01, 0), sizing=Sizing.parse("qty:1"))
    result = run(spec, frame_of(close), None, InAndOut())
    # bought at the third open, 110 (fee 1.10), sold at the fifth, 130 (fee 1.30): 20 - 2.40 = 17.60
    (trade,) = trades_of(result.tape)
    assert (trade.entry_price, trade.exit_price) == (110.0, 130.0)
    assert trade.profit == pytest.approx(17.6)
    assert trade.rate == pytest.approx(0.16)
    assert (trade.entry_ts, trade.exit_ts) == (START + 2 * DAY, START + 4 * DAY)
    assert result.metrics["final_equity"] == pytest.approx(1_017.6)
    assert result.metrics["buy_and_hold"] == pytest.approx(0.25)
    assert result.metrics["fees"] == pytest.approx(2.4)
    assert result.metrics["exposure"] == pytest.approx(2 / 6)  # held at the third and the fourth close
    assert trade.exit_role == "exit"


def test_the_same_question_has_the_same_hash_and_another_one_another():
    close = np.round(100 + 10 * np.sin(np.arange(300) / 9), 2)
    frame, spec = frame_of(close, "1h"), BacktestSpec(strategy="sma_cross", timeframe="1h")
    one, two = (run(spec, frame, None, SmaCross(), "code").manifest["hash"] for _ in range(2))
    assert one == two
    other_data = frame_of(close + 0.01, "1h")
    assert run(spec, other_data, None, SmaCross(), "code").manifest["hash"] != one
    assert run(spec, frame, None, SmaCross(), "other code").manifest["hash"] != one
    stopped = BacktestSpec(strategy="sma_cross", timeframe="1h", exits=Exits(stop=0.1))
    assert run(stopped, frame, None, SmaCross(), "code").manifest["hash"] != one
