"""What a report says beside the figures: tags, groups, months, the run without costs, what is kept of it."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from onetape.backtest import groups
from onetape.backtest.causes import entry_rows, tags_of
from onetape.backtest.costs import cost_of_reality
from onetape.backtest.marks import levels, said
from onetape.backtest.report import document, kept, months, report_of, sections, years
from onetape.backtest.run import run
from onetape.core.stats import T_ENTRY, T_ENTRY_PRICE, T_EXIT, T_OPEN, T_PROFIT, T_QTY, T_WIDTH
from onetape.domain.accounts import Costs, Execution, RiskLimits, Sizing
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats
from onetape.domain.report import Month, Report
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.signals import Signals
from onetape.domain.units import DAY, HOUR, SECOND, parse_time
from onetape.strategies.contract import Strategy
from onetape.strategies.market import Market

START = parse_time("2024-01-01")
FEES = Costs(maker=0.0, taker=0.001, slippage=0.0005)


class Said(Strategy, frozen=True, tag="said"):
    """Says what it is told."""

    given: object

    def warmup(self) -> int:
        return 1

    def signals(self, market: Market) -> Signals:
        assert isinstance(self.given, Signals)
        return self.given


def ran(close: list[float] | Floats, given: Signals, step: int = HOUR, wide: float = 0.5, **parts: object) -> Result:
    close = np.asarray(close, np.float64)
    opened = np.append(close[0], close[:-1])
    columns = {
        "ts": START + np.arange(len(close)) * step,
        "open": opened,
        "close": close,
        "volume": np.ones(len(close)),
    }
    high, low = np.maximum(opened, close) + wide, np.minimum(opened, close) - wide
    name = {HOUR: "1h", DAY: "1d"}[step]
    frame = CandleFrame.of("x", "A-B", name, columns | {"high": high, "low": low})
    asked = {"costs": Costs(0.0, 0.0, 0.0), "sizing": Sizing.parse("qty:1"), "timeframe": name, "strategy": "said"}
    return run(BacktestSpec(**{**asked, **parts}), frame, None, Said(given))


def test_a_tag_may_be_one_name_or_one_for_each_row() -> None:
    one = Signals.holding([1.0, np.nan], tag="cross")
    assert (one.tag, one.labels, one.row(0).tag) == ("cross", (), "cross")
    each = Signals.from_entries([1, 0, 1, 0], [0, 1, 0, 0], tag=["dip", "out", "", "never said"])
    assert each.labels == ("dip", "out")
    assert each.label.tolist() == [0, 1, -1, -1]
    assert [each.row(i).tag for i in range(4)] == ["dip", "out", "", ""]
    with pytest.raises(BadInput, match="one name per candle"):
        Signals.holding([1.0, 0.0], tag=["only one"])


def test_a_trade_has_the_tag_of_the_row_that_it_began_by() -> None:
    wishes = [1.0, 1.0, 0.0, np.nan, -1.0, -1.0, 0.0, 0.0]
    tags = ["up", "still up", "out", "", "down", "", "done", ""]
    result = ran(100.0 + np.arange(8), Signals.holding(wishes, tag=tags), limits=RiskLimits(allow_short=1.0))
    assert entry_rows(result).tolist() == [0, 4]
    run_ = kept(result)
    assert [(trade.side, trade.tag) for trade in run_.trades] == [(1, "up"), (-1, "down")]
    assert [group.name for group in report_of(result).by_tag] == ["up", "down"]


def test_a_limit_that_waits_is_caused_by_the_row_that_placed_it() -> None:
    close = [100.0, 100.0, 100.0, 97.0, 100.0, 101.0]
    wishes = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]
    limit = [98.0] * 5 + [np.nan]
    result = ran(close, Signals.holding(wishes, limit=limit, tag=["first", "b", "c", "d", "e", "f"]))
    assert result.tape.fills[0, 0] == 3.0  # it filled three candles later
    assert tags_of(result.signals, entry_rows(result)) == ["first"]
    [level] = levels(result)
    assert (level.kind, level.price) == ("limit", 98.0)
    assert (level.start_ts, level.end_ts) == (START + HOUR, START + 3 * HOUR)


def test_an_order_on_its_way_is_caused_by_the_row_that_sent_it() -> None:
    wishes = [np.nan, 1.0, np.nan, 1.0, 0.0, 0.0, 0.0, 0.0]
    given = Signals.holding(wishes, tag=["", "sent", "", "", "out", "", "", ""])
    result = ran(100.0 + np.arange(8), given, execution=Execution(latency=10.0 * SECOND))
    assert tags_of(given, entry_rows(result)) == ["sent"]


def test_a_run_without_a_tag_or_a_trade_has_none() -> None:
    result = ran([100.0] * 5, Signals.holding([np.nan] * 5))
    assert entry_rows(result).tolist() == []
    report = report_of(result)
    assert (report.by_tag, report.by_exit, report.distribution, report.rolling) == ([], [], [], None)
    assert sections(report) == []
    assert report.said.ts == []
    untagged = ran(100.0 + np.arange(5), Signals.holding([1.0, 1.0, 0.0, 0.0, 0.0]))
    assert [group.name for group in report_of(untagged).by_tag] == ["no tag"]
    assert kept(untagged).trades[0].tag == ""


def trips(*rows: tuple[float, bool]) -> Floats:
    """Profit and whether it is open; each of one unit at 100, two candles long."""
    made = np.zeros((len(rows), T_WIDTH))
    made[:, T_QTY], made[:, T_ENTRY_PRICE] = 1.0, 100.0
    for i, (profit, is_open) in enumerate(rows):
        made[i, [T_ENTRY, T_EXIT, T_PROFIT, T_OPEN]] = i, i + 2, profit, float(is_open)
    return made


def test_groups_count_closed_trades_by_name_with_the_best_first() -> None:
    ts = np.arange(20) * HOUR
    rows = trips((5.0, False), (-2.0, False), (0.0, False), (1.0, False), (50.0, True))
    found = groups.groups(rows, ts, ["a", "a", "b", "b", "c"])
    assert [(g.name, g.trades, g.won, g.drawn, g.lost, g.profit) for g in found] == [
        ("a", 2, 1, 0, 1, 3.0),
        ("b", 2, 1, 1, 0, 1.0),
    ]
    assert found[0].mean == pytest.approx(0.015)
    assert found[0].average_duration_s == 7_200.0


def test_every_trade_is_in_one_bin_of_the_distribution_and_zero_is_an_edge() -> None:
    rng = np.random.default_rng(3)
    for results in (rng.normal(0.01, 0.03, 5_000), rng.normal(-0.2, 0.01, 30), np.array([0.0, 0.0]), np.full(9, 0.02)):
        found = groups.distribution(results)
        assert sum(one.trades for one in found) == len(results)
        edges = np.array([one.low for one in found] + [found[-1].high])
        assert np.abs(edges).min() < 1e-12
        assert len(found) <= 2 * groups.BINS
        np.testing.assert_allclose(np.diff(edges), edges[1] - edges[0])
    assert groups.distribution(np.array([0.1])) == []


def test_the_rolling_ratio_is_that_of_its_window_and_a_short_run_has_none() -> None:
    days = np.random.default_rng(1).normal(0.001, 0.02, 200)
    found = groups.rolling(days, 100)
    assert found is not None
    assert (found.days, len(found.ts)) == (90, 111)
    last = days[-90:]
    assert found.sharpe[-1] == pytest.approx(last.mean() / last.std(ddof=1) * np.sqrt(365), abs=1e-4)
    assert found.ts[-1] == (100 + 200) * DAY  # the end of the last day
    assert groups.rolling(days[:59], 0) is None
    flat = groups.rolling(np.zeros(60), 0)
    assert flat is not None
    assert set(flat.sharpe) == {None}


def test_months_have_their_return_and_the_trades_closed_in_them() -> None:
    close = np.full(70, 100.0)
    close[20:40], close[40:] = 110.0, 99.0
    wishes = np.zeros(70)
    wishes[10:25] = wishes[35:60] = 1.0
    found = months(ran(close, Signals.holding(wishes), DAY, cash=1_000.0))
    assert [(m.year, m.month, m.trades, m.won) for m in found] == [(2024, 1, 1, 1), (2024, 2, 0, 0), (2024, 3, 1, 0)]
    assert found[0].rate == pytest.approx(0.01)  # 10 of 1,000
    assert found[1].rate == pytest.approx(999.0 / 1_010.0 - 1.0)


def test_years_chain_their_months() -> None:
    rows = years([Month(2023, 12, 0.1), Month(2024, 1, 0.5), Month(2024, 3, -0.2)])
    assert [(year, total) for year, _, total in rows] == [(2023, pytest.approx(0.1)), (2024, pytest.approx(0.2))]
    assert rows[1][1] == [0.5, None, -0.2] + [None] * 9


def test_the_run_without_costs_differs_by_exactly_what_was_paid_where_size_does_not_depend_on_money() -> None:
    wishes = ([1.0] * 4 + [0.0] * 4) * 5
    result = ran(100.0 + np.arange(40.0) % 7, Signals.holding(wishes), costs=FEES)
    found = cost_of_reality(result)
    assert found is not None
    assert found.fees == pytest.approx(0.001 * found.turnover)
    paid = found.fees + found.slippage
    assert found.free_metrics["final_equity"] - result.metrics["final_equity"] == pytest.approx(paid)
    assert found.free_metrics["trades"] == result.metrics["trades"]
    assert found.free_equity[-1] == found.free_metrics["final_equity"]
    assert found.free_ts[-1] == int(result.tape.close_ts[-1])


def test_a_run_that_costs_nothing_is_its_own_twin() -> None:
    result = ran(100.0 + np.arange(12.0), Signals.holding([1.0] * 6 + [0.0] * 6))
    found = cost_of_reality(result)
    assert found is not None
    assert found.free_metrics["final_equity"] == result.metrics["final_equity"]
    assert (found.fees, found.slippage, found.funding, found.delay) == (0.0, 0.0, 0.0, 0.0)


def test_what_the_venue_refuses_is_refused_without_costs_too() -> None:
    result = ran(100.0 + np.arange(6.0), Signals.holding([1.0] * 6), cash=50.0, costs=FEES)
    found = cost_of_reality(result)
    assert found is not None
    assert found.rejected == {"not enough cash": 1}
    assert found.free_metrics["trades"] == 0


def test_stops_and_targets_stand_on_their_side_of_the_entry() -> None:
    wishes = [1.0] * 3 + [-1.0] * 3
    given = Signals.holding(wishes, stop=0.2, take=0.3)
    result = ran([100.0] * 7, Signals.holding([*wishes, 0.0], stop=0.2, take=0.3), limits=RiskLimits(allow_short=1.0))
    assert len(given) == 6
    found = [(level.kind, round(level.price, 6)) for level in levels(result)]
    assert found == [("stop", 80.0), ("stop", 120.0), ("take", 130.0), ("take", 70.0)]


def test_only_what_is_new_is_drawn_as_a_signal() -> None:
    result = ran([100.0] * 6, Signals.holding([1.0, 1.0, np.nan, 1.0, 0.0, 0.0], [0.5] * 6, tag="rule"))
    found = said(result)
    assert found.target == [1.0, 1.0, 0.0]
    assert found.ts == [START + HOUR, START + 4 * HOUR, START + 5 * HOUR]
    assert found.label == ["rule"] * 3
    assert found.all == 3


def test_the_summary_counts_days_and_measures_the_drawdown_in_money_and_time() -> None:
    close = [100.0, 100.0, 120.0, 90.0, 110.0, 130.0, 130.0]
    report = report_of(ran(close, Signals.holding([1.0] * 6 + [0.0]), DAY, cash=1_000.0))
    found = report.summary
    # bought at the open of day 2, 100: equity 1000 1000 1020 990 1010 1030 1030
    assert (found["days_won"], found["days_drawn"], found["days_lost"]) == (3, 3, 1)
    assert (found["drawdown_high"], found["drawdown_low"], found["drawdown_money"]) == (1_020.0, 990.0, 30.0)
    assert found["drawdown_duration_s"] == 3 * 86_400
    assert (found["lowest_equity"], found["highest_equity"]) == (990.0, 1_030.0)
    assert found["open_profit"] == pytest.approx(30.0)


def test_a_report_is_the_same_after_json() -> None:
    wishes = ([1.0] * 4 + [0.0] * 4) * 40
    result = ran(100.0 + np.arange(320.0) % 7, Signals.holding(wishes, stop=0.2, tag="rule"), DAY, costs=FEES)
    report = report_of(result)
    assert report.rolling is not None
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    told = json.loads(msgspec.json.encode(document(kept(result))))
    assert told["cost_of_reality"]["fees"] == result.metrics["fees"]
    assert told["by_exit"][0]["name"] == "exit"
    assert told["months"][0]["month"] == "2024-01"
