"""The block on luck of a run: complete, repeatable, and honest where it cannot say something."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from onetape.backtest.luck import calibration
from onetape.backtest.luck.block import luck_in, luck_of, spread_of, with_luck
from onetape.backtest.luck.words import rows, share
from onetape.backtest.run import run
from onetape.domain.accounts import Sizing
from onetape.domain.frame import CandleFrame
from onetape.domain.luck import Luck
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.trials import LedgerView
from onetape.strategies.sma_cross import SmaCross

ALONE = LedgerView(1, 1, np.array([1.0]))


def a_run(days: int = 200, seed: int = 1, drift: float = 0.0002, **parts: object) -> Result:
    n = 24 * days
    moves = np.random.default_rng(seed).normal(drift, 0.006, n)
    close = np.round(100 * np.exp(np.cumsum(moves)), 2)
    columns = {"ts": np.arange(n) * 3_600_000_000, "open": close, "high": close + 1, "low": close - 1, "close": close}
    frame = CandleFrame.of("t", "A-B", "1h", columns | {"volume": np.ones(n)})
    spec = BacktestSpec(strategy="sma_cross", exchange="t", symbol="A-B", **parts)  # type: ignore[arg-type]
    return run(spec, frame, None, SmaCross())


def test_a_usual_run_has_every_figure_and_the_ratio_of_the_report() -> None:
    result = a_run(drift=0.0006)
    found = luck_of(result, ALONE)
    empty = [name for name in Luck.__struct_fields__ if getattr(found, name) is None]
    assert empty == []
    assert found.reasons == {}
    assert found.sharpe == pytest.approx(result.metrics["sharpe"], rel=1e-12)
    assert found.trades == result.metrics["trades"]
    assert found.days == result.metrics["days"]
    assert found.sharpe_interval is not None
    assert found.sharpe_interval.low < found.sharpe < found.sharpe_interval.high
    assert found.return_interval is not None
    assert found.return_interval.low < result.metrics["total_return"] < found.return_interval.high
    assert found.blocks is not None
    assert found.blocks.actual <= result.metrics["max_drawdown"] + 1e-12  # daily closes see no more than hourly ones


def test_the_same_run_draws_the_same_bits_and_another_run_draws_others() -> None:
    first, again, other = (luck_of(a_run(seed=seed), ALONE) for seed in (1, 1, 2))
    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert first.sharpe_interval != other.sharpe_interval


def test_more_trials_make_the_same_ratio_less_likely_true() -> None:
    result = a_run(drift=0.0006)
    random = np.random.default_rng(1)
    likely = [luck_of(result, LedgerView(n, n, random.normal(0, 1, n))).deflated_sharpe for n in (1, 3, 30, 3_000)]
    assert likely[0] == luck_of(result, ALONE).probabilistic_sharpe
    assert likely == sorted(likely, reverse=True)  # type: ignore[type-var]
    assert likely[0] > likely[-1]  # type: ignore[operator]


def test_trials_that_are_alike_count_as_few() -> None:
    result = a_run()
    days = np.random.default_rng(3).normal(0, 0.01, 200)
    alike = LedgerView(100, 100, np.full(100, 0.5), tuple((0, days) for _ in range(100)))
    found = luck_of(result, alike)
    assert found.independent_trials == pytest.approx(1.0)
    assert found.deflated_sharpe == found.probabilistic_sharpe
    assert (found.runs, found.trials) == (100, 100)


def test_the_spread_of_trials_is_never_less_than_luck_alone_gives() -> None:
    luck = math.sqrt(365 / 364)  # of the ratio per year after a year of days
    assert spread_of(np.array([0.5, 0.5, 0.5]), 365) == pytest.approx(luck)
    assert spread_of(np.array([]), 365) == pytest.approx(luck)
    assert spread_of(np.array([-3.0, 3.0]), 365) == pytest.approx(math.sqrt(18))


def test_a_short_run_says_what_is_missing_instead_of_a_number() -> None:
    found = luck_of(a_run(days=10), ALONE)
    assert (found.sharpe_interval, found.blocks, found.trade_order, found.calibration) == (None,) * 4
    assert found.reasons["blocks"] == "10 days are too few to redraw; 30 are the least."
    assert "too few to put in another order" in found.reasons["trade_order"]
    assert "too few to hold confidence against outcome" in found.reasons["calibration"]
    assert found.probabilistic_sharpe is not None


def test_a_run_without_a_trade_has_no_ratio_and_no_nan() -> None:
    found = luck_of(a_run(sizing=Sizing.parse("qty:1000000")), ALONE)
    assert (found.sharpe, found.deflated_sharpe, found.track_record_days) == (None, None, None)
    assert "do not differ" in found.reasons["sharpe"]
    assert found.reasons["blocks"] == "Nothing was traded: every day returned 0."
    assert b"NaN" not in msgspec.json.encode(found)
    assert all(
        isinstance(row.text, str) and row.text
        for row in rows(with_luck(a_run(sizing=Sizing.parse("qty:1000000")), found).metrics)
    )


def test_every_missing_figure_has_its_reason() -> None:
    for result in (a_run(days=4), a_run(days=10), a_run(sizing=Sizing.parse("qty:1000000")), a_run(drift=-0.001)):
        found = luck_of(result, ALONE)
        missing = {name for name in Luck.__struct_fields__ if getattr(found, name) is None}
        assert missing == set(found.reasons)


def test_the_block_survives_the_store_and_json() -> None:
    result = a_run()
    found = luck_of(result, ALONE)
    metrics = msgspec.json.decode(msgspec.json.encode(with_luck(result, found).metrics))
    assert luck_in(metrics) == found
    assert luck_in(result.metrics) is None
    assert rows(result.metrics) == []


def test_the_words_name_the_interval_the_trials_and_both_probabilities() -> None:
    result = a_run(drift=0.0006)
    found = luck_of(result, LedgerView(37, 36, np.random.default_rng(1).normal(0, 1, 36)))
    told = dict(rows(with_luck(result, found).metrics))
    assert "95 % between" in told["Sharpe"]
    assert (
        f"above 0: {share(found.probabilistic_sharpe)}; after 36 trials: {share(found.deflated_sharpe)}"
        in told["Sharpe"]
    )  # type: ignore[arg-type]
    assert told["Trials"].startswith("37 runs on these data, 36 different, worth 36.0 independent ones")


def test_nothing_uncertain_is_called_certain() -> None:
    assert [share(p) for p in (0.0, 1e-9, 0.5, 0.9999, 1.0)] == ["0 %", "under 1 %", "50 %", "over 99 %", "100 %"]


def test_brier_scores_by_hand() -> None:
    """Confidence 0.8, 0.8, 0.2, 0.2 on won, won, won, lost: (0.04 + 0.04 + 0.64 + 0.04) / 4 = 0.19; the base rate of
    3/4 has 3/16 = 0.1875, so the skill is 1 - 0.19 / 0.1875."""
    found = calibration.calibrate(np.array([0.8, 0.8, 0.2, 0.2]), np.array([1.0, 1.0, 1.0, 0.0]))
    assert found.brier == pytest.approx(0.19)
    assert found.reference == pytest.approx(0.1875)
    assert found.skill == pytest.approx(1 - 0.19 / 0.1875)
    assert [(row.low, row.trades, row.won) for row in found.table] == [(0.2, 2, 0.5), (0.8, 2, 1.0)]


def test_full_confidence_lies_in_the_last_row() -> None:
    found = calibration.calibrate(np.array([1.0, 0.95]), np.array([1.0, 0.0]))
    assert [(row.low, row.high, row.trades) for row in found.table] == [(0.9, 1.0, 2)]


def test_confidence_is_that_of_the_row_that_was_known_at_the_entry() -> None:
    result = a_run()
    sure, won = calibration.pairs(result)
    trips = result.tape.trips[result.tape.trips[:, 9] == 0.0]
    assert len(sure) == len(won) == len(trips)
    for (entry, *_), confidence in zip(trips.tolist(), sure.tolist(), strict=True):
        assert confidence == result.signals.confidence[int(entry) - 1]  # filled at the next open


@pytest.mark.parametrize(
    ("sure", "won", "because"),
    [
        ([0.5] * 40, [0.0, 1.0] * 20, "the same confidence, 0.5"),
        ([0.5, 0.6] * 20, [1.0] * 40, "Every trade won"),
        ([0.5, 0.6], [1.0, 0.0], "2 closed trades are too few"),
        ([0.5, 0.6] * 20, [1.0, 0.0] * 20, ""),
    ],
)
def test_there_is_a_reason_where_there_is_nothing_to_calibrate(
    sure: list[float], won: list[float], because: str
) -> None:
    found = calibration.why_not(np.array(sure), np.array(won))
    assert because in found
    assert bool(because) == bool(found)
