"""Overfitting by CSCV and Hansen's test: published cases, worked cases, noise and a true edge."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onetape.backtest.luck import overfitting
from onetape.backtest.luck.block import luck_of_search
from onetape.backtest.luck.independence import independent, mean_correlation
from onetape.backtest.luck.superior import superior
from onetape.backtest.luck.words import search_rows


def test_trials_that_are_all_equal_in_the_whole_are_fully_overfit() -> None:
    """Bailey, Borwein, López de Prado, Zhu (2017), test case "full overfit", as the R package `pbo` (vignette) runs it:
    100 trials, 2,400 normal days scaled and centred to one Sharpe ratio, 8 blocks. Who is best in one half must be
    worst in the other: PBO 1, probability of loss 1."""
    days = np.random.default_rng(765).standard_normal((2_400, 100))
    days = (days - days.mean(0)) / days.std(0, ddof=1) / math.sqrt(252)
    found = overfitting.cscv(days, 8)
    assert len(found.logits) == 70  # 8 over 4
    assert (found.probability, found.loss) == (1.0, 1.0)


def test_noise_is_overfit_half_of_the_time_as_published() -> None:
    """Soloviov, "How Overfit Is Your Search?": 1,000 days, 200 trials, 16 blocks of pure noise: 0.476 +- 0.137."""
    random = np.random.default_rng(1)
    found = [overfitting.cscv(random.standard_normal((1_000, 200))).probability for _ in range(12)]
    assert np.mean(found) == pytest.approx(0.476, abs=3 * 0.137 / math.sqrt(12))


def test_a_true_edge_is_not_overfit_as_published() -> None:
    """The same source: an edge of 0.15 deviations a day in 20 of the 200 trials: 0.001."""
    random = np.random.default_rng(2)
    found = []
    for _ in range(8):
        days = random.standard_normal((1_000, 200))
        days[:, :20] += 0.15
        found.append(overfitting.cscv(days))
    assert np.mean([one.probability for one in found]) < 0.01
    assert np.mean([np.median(one.proved) for one in found]) * math.sqrt(252) == pytest.approx(2.34, abs=0.4)


def test_two_trials_in_four_blocks_by_hand() -> None:
    """Trial A wins blocks 1 and 2, B wins 3 and 4 (means 2, 2, 0, 0 and 1, 1, 1.5, 1.5, all with the same deviation).

    Of the six halves: {1,2} picks A, which is last in {3,4}: bad. {3,4} picks B, last in {1,2}: bad. The four mixed
    ones: A has mean 1 both times, B 1.25: B is picked and is first: good. PBO 2/6.
    """
    wave = np.tile([1.0, -1.0], 2)
    a = np.concatenate([wave + mean for mean in (2, 2, 0, 0)])
    b = np.concatenate([wave + mean for mean in (1, 1, 1.5, 1.5)])
    found = overfitting.cscv(np.stack([a, b], axis=1), 4)
    assert found.probability == pytest.approx(2 / 6)
    assert found.loss == 0.0
    np.testing.assert_allclose(np.unique(np.round(found.logits, 12)), np.log([1 / 2, 2]), rtol=1e-9)


def test_trials_that_never_traded_are_last_and_harm_nothing() -> None:
    random = np.random.default_rng(4)
    days = np.concatenate([random.standard_normal((320, 5)) + 0.3, np.zeros((320, 5))], axis=1)
    found = overfitting.cscv(days)
    assert np.isfinite(found.logits).all()
    assert found.probability < 0.2


@pytest.mark.parametrize(("days", "blocks"), [(1_000, 16), (64, 16), (63, 14), (16, 4), (15, 0), (0, 0)])
def test_blocks_are_even_and_long_enough(days: int, blocks: int) -> None:
    assert overfitting.blocks_for(days) == blocks


def test_hansens_test_finds_an_edge_and_not_the_best_of_noise() -> None:
    noise = np.random.default_rng(5).normal(0.0, 0.01, (500, 50))
    cash = np.zeros(500)
    found = superior(noise, cash, 3.0, seed=1)
    assert found.lower <= found.consistent <= found.upper
    assert found.consistent > 0.05
    noise[:, 7] += 0.003
    assert superior(noise, cash, 3.0, seed=1).consistent < 0.01


def test_the_block_of_a_search_says_everything_and_twice_the_same() -> None:
    days = np.random.default_rng(6).normal(0.0, 0.01, (300, 40))
    found = luck_of_search(days, seed=9)
    assert found == luck_of_search(days, seed=9)
    assert found.splits == 12_870
    told = dict(search_rows(found))
    assert told["Trials"].startswith("40 over 300 days, worth ")
    assert "of 12,870 splits the best in sample was in the lower half" in told["Overfitting"]
    assert told["Superior"].endswith("(Hansen's test)")
    assert found.overfitting is not None
    assert 0.2 < found.overfitting < 0.8
    assert found.independent_trials == pytest.approx(40, abs=1.0)
    assert not found.reasons


def test_a_search_that_cannot_be_judged_says_why() -> None:
    found = luck_of_search(np.zeros((10, 3)), seed=1)
    assert (found.overfitting, found.superior, found.kept) == (None, None, None)
    assert "0 of the trials traded" in found.reasons["overfitting"]
    assert "at least one that trades and 30 days" in found.reasons["superior"]
    assert (
        "10 days cannot be cut"
        in luck_of_search(np.random.default_rng(1).normal(size=(10, 3)), 1).reasons["overfitting"]
    )


def test_equal_trials_are_one_and_unknown_ones_are_all_independent() -> None:
    assert independent(1_000, 1.0) == 1.0
    assert independent(1_000, None) == 1_000
    assert independent(1_000, -0.2) == 1_000
    assert independent(101, 0.5) == 51.0  # 0.5 + 0.5 * 101


def test_correlation_is_taken_on_the_days_that_two_trials_share() -> None:
    random = np.random.default_rng(7)
    common = random.standard_normal(300)
    near = [(100, common[:200]), (150, common[50:250] + 0.0)]
    assert mean_correlation(near) == pytest.approx(1.0, abs=0.02)
    apart = [(0, common[:100]), (1_000, common[100:200])]
    assert mean_correlation(apart) is None
    assert mean_correlation([(0, common), (0, np.zeros(300))]) is None
    mixed = [(0, common + random.standard_normal(300)) for _ in range(30)]
    assert mean_correlation(mixed) == pytest.approx(0.5, abs=0.06)
