"""Each rule that doubts a result: it speaks where it should, and is silent beside it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from onetape.backtest import doubts
from onetape.backtest.doubts import Facts
from onetape.backtest.report import months
from onetape.backtest.run import run
from onetape.core.stats import T_PROFIT, T_WIDTH
from onetape.domain.accounts import Costs, Exits, Sizing
from onetape.domain.frame import CandleFrame
from onetape.domain.report import Month
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.signals import Signals
from onetape.domain.units import DAY, HOUR, parse_time
from onetape.strategies.contract import Strategy
from onetape.strategies.market import Market

START = parse_time("2024-01-01")


class InAndOut(Strategy, frozen=True, tag="in_and_out"):
    """Holds four candles of eight."""

    stop: float | None = None

    def warmup(self) -> int:
        return 1

    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.arange(len(market)) // 4 % 2, stop=self.stop)


def a_run(n: int = 400, volume: float = 1e6, stop: float | None = None, wide: float = 0.5, **parts: Any) -> Result:
    """On hourly candles that rise while a position is held."""
    close = 100.0 + np.arange(n) / 10.0
    columns = {"ts": START + np.arange(n) * HOUR, "open": close, "high": close + wide, "low": close - wide}
    frame = CandleFrame.of("x", "A-B", "1h", columns | {"close": close, "volume": np.full(n, volume)})
    asked = {"costs": Costs(0.0, 0.0, 0.0), "sizing": Sizing.parse("qty:1"), "timeframe": "1h", "cash": 1_000.0}
    return run(BacktestSpec(strategy="in_and_out", **{**asked, **parts}), frame, None, InAndOut(stop=stop))


def facts(result: Result, found: list[Month] | None = None, **metrics: Any) -> Facts:
    changed = dataclasses.replace(result, metrics=result.metrics | metrics)
    return Facts(changed, months(result) if found is None else found)


def said(rule: doubts.Rule, about: Facts) -> str:
    return " ".join(rule(about))


@pytest.mark.parametrize(
    ("sharpe", "words"), [(None, ""), (2.9, ""), (3.5, "more often a fault"), (5.5, "5.5 looks impossible")]
)
def test_a_sharpe_ratio_is_doubted_by_its_size(sharpe: float | None, words: str) -> None:
    text = said(doubts.too_good, facts(a_run(), sharpe=sharpe))
    assert words in text
    assert bool(words) == bool(text)


@pytest.mark.parametrize(("trades", "words"), [(0, "No trade was closed"), (29, "29 trades are too few"), (30, "")])
def test_few_trades_are_too_few(trades: int, words: str) -> None:
    text = said(doubts.few_trades, facts(a_run(), trades=trades))
    assert words in text
    assert bool(words) == bool(text)


@pytest.mark.parametrize(
    ("profits", "words"),
    [
        ((100.0, -10.0, 5.0), "without its 100.00 the other 2 lose together"),
        ((60.0, 20.0, 20.0), "One trade makes 60 % of the profit"),
        ((30.0, 30.0, 40.0), ""),
        ((-5.0, 4.0), ""),
        ((5.0,), ""),
    ],
)
def test_one_trade_that_makes_the_profit_is_named(profits: tuple[float, ...], words: str) -> None:
    result = a_run(20)
    trips = np.zeros((len(profits), T_WIDTH))
    trips[:, T_PROFIT] = profits
    shaped = dataclasses.replace(result, tape=dataclasses.replace(result.tape, trips=trips))
    text = said(doubts.one_trade, Facts(shaped, []))
    assert words in text
    assert bool(words) == bool(text)


def test_a_profit_that_a_little_slippage_eats_is_within_the_error_of_the_costs() -> None:
    result = a_run(10)  # one unit bought at 100.5 and sold at 100.9: 0.4 on 201.4 traded
    assert said(doubts.within_cost_error, facts(result)) == ""
    assert result.tape.trips[0, T_PROFIT] == pytest.approx(0.4)
    poorer = facts(result, final_equity=1_000.1)
    assert "0.0497 % more slippage a fill would eat it" in said(doubts.within_cost_error, poorer)
    assert said(doubts.within_cost_error, facts(result, final_equity=999.0)) == ""


def test_a_run_without_a_fee_or_slippage_is_named() -> None:
    assert "Neither" in said(doubts.free, facts(a_run(50)))
    assert said(doubts.free, facts(a_run(50, costs=Costs(0.0, 0.001)))) == ""
    assert said(doubts.free, facts(a_run(50, costs=Costs(0.0, 0.0, 0.0, spread=0.001)))) == ""


def test_orders_that_are_large_against_the_volume_are_named() -> None:
    assert "50 of 50 entries are larger than 10 % of the volume" in said(doubts.large_orders, facts(a_run(volume=5.0)))
    assert "the largest is 20 %" in said(doubts.large_orders, facts(a_run(volume=5.0)))
    assert said(doubts.large_orders, facts(a_run(volume=20.0))) == ""
    assert said(doubts.large_orders, facts(a_run(volume=0.0))) == ""


def test_stops_inside_a_candle_or_the_spread_are_named() -> None:
    assert "inside a usual candle of 1h" in said(doubts.tight_stops, facts(a_run(stop=0.005)))
    assert "inside a usual candle" in said(doubts.tight_stops, facts(a_run(exits=Exits(stop=0.005))))
    assert said(doubts.tight_stops, facts(a_run(stop=0.05))) == ""
    assert said(doubts.tight_stops, facts(a_run())) == ""
    wide = facts(a_run(stop=0.002, costs=Costs(0.0, 0.0, 0.0, spread=0.003)))
    assert "inside the spread of 0.3 %" in said(doubts.tight_stops, wide)


def test_trades_that_crowd_into_one_month_are_named() -> None:
    def spread(*counts: int) -> list[Month]:
        return [Month(2024, i + 1, 0.0, count, 0) for i, count in enumerate(counts)]

    result = a_run()
    assert "60 of 70 trades were closed in one month, 2024-03" in said(
        doubts.one_month, facts(result, spread(2, 2, 60, 2, 2, 2))
    )
    assert said(doubts.one_month, facts(result, spread(10, 10, 10, 10, 10, 10))) == ""
    assert said(doubts.one_month, facts(result, spread(0, 60))) == ""
    assert said(doubts.one_month, facts(result, spread(0, 0, 0, 0, 0, 0))) == ""


def test_what_was_left_open_refused_or_halted_is_told() -> None:
    held = a_run(6)
    assert "open at the end" in said(doubts.still_open, facts(held))
    assert said(doubts.still_open, facts(a_run(10))) == ""
    poor = a_run(20, cash=10.0)
    assert "signals led to no order: not enough cash." in said(doubts.refused, facts(poor))
    assert said(doubts.halted, facts(held)) == ""
    account = held.tape.account._replace(halted=6.0)
    stopped = dataclasses.replace(held, tape=dataclasses.replace(held.tape, account=account))
    assert "drawdown limit was reached" in said(doubts.halted, Facts(stopped, []))


def test_short_periods_long_warm_ups_and_missing_candles_are_told() -> None:
    result = a_run()
    assert "shorter than three months" in said(doubts.short_period, facts(result))
    assert said(doubts.short_period, facts(result, end_ts=START + 91 * DAY)) == ""
    assert said(doubts.warming, facts(result)) == ""
    assert "warming up until 2024-01-03" in said(doubts.warming, facts(result, trading_from_ts=START + 2 * DAY))
    assert said(doubts.missing, facts(result)) == ""
    holes = result.candles.rows(0, 400)
    thin = CandleFrame.of("x", "A-B", "1h", {n: np.delete(getattr(holes, n), range(100, 140))
                                             for n in ("ts", "open", "high", "low", "close", "volume")})  # fmt: skip
    assert "40 of 400 candles are missing (10.0 %)" in said(
        doubts.missing, Facts(dataclasses.replace(result, candles=thin), [])
    )


def test_exits_on_coarse_candles_are_told() -> None:
    assert "finer candles would make them more exact" in said(doubts.coarse_exits, facts(a_run(stop=0.05)))
    assert said(doubts.coarse_exits, facts(a_run())) == ""


def test_every_rule_is_in_the_table_and_a_report_says_them_in_its_order() -> None:
    rules = {
        name
        for name, value in vars(doubts).items()
        if getattr(value, "__module__", "") == doubts.__name__ and callable(value) and name[0].islower()
    }
    assert rules - {"warnings"} == {rule.__name__ for rule in doubts.RULES}
    result = a_run(10, cash=1_000.0)
    told = doubts.warnings(result, months(result))
    assert [text[:12] for text in told] == ["1 trades are", "Neither a ta", "The period i", "The strategy"]
