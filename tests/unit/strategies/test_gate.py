"""The gate catches what it must, and says which candle, which column and both values."""

from __future__ import annotations

import numpy as np
import pytest

from onetape import Market, Signals, Strategy
from onetape import indicators as ta
from onetape.strategies.gate import check
from onetape.strategies.registry import Registry


class Case(Strategy, frozen=True, tag="case"):
    def warmup(self) -> int:
        return 20


class Centred(Case, frozen=True, tag="centred"):
    """Compares with a mean of five candles, two of them later."""

    def signals(self, market: Market) -> Signals:
        mean = np.convolve(market.close, np.ones(5) / 5, "same")
        return Signals.holding(np.where(market.close > mean, 1.0, 0.0))


class WholeSample(Case, frozen=True, tag="whole_sample"):
    """Normalises by mean and deviation of all the data."""

    def signals(self, market: Market) -> Signals:
        z = (market.close - market.close.mean()) / market.close.std()
        return Signals.holding(np.where(z > 0, 1.0, 0.0))


class RareLook(Case, frozen=True, tag="rare_look"):
    """Looks one candle ahead, but speaks only before great leaps."""

    def signals(self, market: Market) -> Signals:
        target = np.full(len(market), np.nan)
        target[:-1][market.close[1:] > market.close[:-1] * 1.01] = 1.0
        return Signals.holding(target)


class ConfidentAfterwards(Case, frozen=True, tag="confident_afterwards"):
    """Only its confidence knows the future."""

    def signals(self, market: Market) -> Signals:
        target = np.where(market.close > ta.sma(market.close, 20), 1.0, 0.0)
        return Signals.holding(target, market.close / market.close.max())


class LongMemory(Case, frozen=True, tag="long_memory"):
    """Needs 21 candles and says 20."""

    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.where(market.close > ta.sma(market.close, 21), 1.0, 0.0))


class Counts(Case, frozen=True, tag="counts"):
    """Depends on where the data begins."""

    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.where(np.arange(len(market)) % 7 == 0, 1.0, 0.0))


class Dice(Case, frozen=True, tag="dice"):
    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.random.default_rng().integers(0, 2, len(market)).astype(float))


class Fails(Case, frozen=True, tag="fails"):
    def signals(self, market: Market) -> Signals:
        return Signals.holding(market.close[len(market) + 5] * market.close)


class FailsOnWindows(Case, frozen=True, tag="fails_on_windows"):
    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.full(len(market), 0.0 if len(market) > 100 else {}[len(market)]))


class Writes(Case, frozen=True, tag="writes"):
    def signals(self, market: Market) -> Signals:
        market.close[0] = 1.0
        return Signals.holding(market.close * 0.0)


class Short(Case, frozen=True, tag="short_answer"):
    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.zeros(len(market) - 1))


class Boasts(Case, frozen=True, tag="boasts"):
    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.zeros(len(market)), np.full(len(market), np.nan))


class Nothing(Case, frozen=True, tag="nothing"):
    def signals(self, market: Market) -> Signals:
        return None  # type: ignore[return-value]


class Unsure(Strategy, frozen=True, tag="unsure"):
    def warmup(self) -> int:
        return 0

    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.zeros(len(market)))


@pytest.mark.parametrize("kind", [Centred, WholeSample, RareLook, ConfidentAfterwards])
def test_look_ahead_is_caught_and_named(kind: type[Strategy], sample) -> None:
    verdict = check(kind(), sample.rows(0, 20_000)).causal
    assert not verdict.ok
    assert verdict.ts == sample.ts[verdict.row]
    assert verdict.column == ("confidence" if kind is ConfidentAfterwards else "target")
    assert verdict.expected != verdict.got
    assert verdict.time in verdict.evidence
    assert "depends on later candles" in verdict.evidence


def test_blamed_values_are_what_the_strategy_says_with_and_without_the_future(sample) -> None:
    frame = sample.rows(0, 5000)
    verdict = check(Centred(), frame).causal
    row = verdict.row
    assert Centred().signals(Market(frame)).target[row] == verdict.got
    assert any(
        Centred().signals(Market(frame.rows(0, row + 1 + more))).target[row] == verdict.expected for more in (0, 1)
    )


@pytest.mark.parametrize("kind", [LongMemory, Counts])
def test_too_short_memory_is_caught_and_named(kind: type[Strategy], sample) -> None:
    report = check(kind(), sample.rows(0, 5000))
    assert report.causal.ok
    verdict = report.finite_memory
    assert not verdict.ok
    assert verdict.column == "target"
    assert "with the last 20 (the warm-up)" in verdict.evidence
    assert verdict.time in verdict.evidence
    assert ("40 candles are enough here" in verdict.evidence) == (kind is LongMemory)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (Dice, "another value than in the run before"),
        (Fails, "line .* of test_gate.py: IndexError"),
        (Writes, "read-only"),
        (Short, "not one row for each of 300 candles"),
        (Boasts, r"confidence\[0\].*outside \[0, 1\]"),
        (Nothing, "not what signals"),
        (Unsure, "not a whole number of candles from 1 on"),
        (Case, "signals of case is 300: not written"),
    ],
)
def test_what_is_no_strategy_fails_both_with_a_sentence(kind: type[Strategy], says: str, sample) -> None:
    report = check(kind(), sample.rows(0, 300))
    assert not report.ok
    for verdict in (report.causal, report.finite_memory):
        assert not verdict.ok
        import re

        assert re.search(says, verdict.evidence), verdict.evidence


def test_failure_on_a_window_only_is_told_with_the_window(sample) -> None:
    report = check(FailsOnWindows(), sample.rows(0, 300))
    assert not report.ok
    assert "KeyError" in report.finite_memory.evidence


def test_too_little_data_proves_nothing(sample) -> None:
    report = check(Registry.load().build("ema_cross"), sample.rows(0, 300))
    assert not report.finite_memory.ok
    assert "warm-up is 520 candles and the data has only 300" in report.finite_memory.evidence


def test_report_carries_what_was_tested(sample) -> None:
    registry = Registry.load()
    report = check(registry.build("sma_cross", {"fast": 3}), sample.rows(0, 3000))
    assert report.ok
    assert report.strategy == "sma_cross"
    assert report.parameters["fast"] == 3
    assert report.source_hash == registry.source_hash("sma_cross")
    assert (report.symbol, report.timeframe, report.candles, report.warmup) == ("BTC-USD", "1m", 3000, 51)


def test_shipped_look_ahead_and_short_warmup_are_caught(faulty, sample) -> None:
    registry = Registry.load(faulty)
    ahead = check(registry.build("tomorrow"), sample)
    assert not ahead.causal.ok
    assert ahead.causal.column == "target"
    forgetful = check(registry.build("forgetful"), sample)
    assert forgetful.causal.ok
    assert not forgetful.finite_memory.ok
    assert {forgetful.finite_memory.expected, forgetful.finite_memory.got} == {0.0, 1.0}
