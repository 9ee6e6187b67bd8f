"""Every usual way to fool oneself is caught, and named in a trader's words."""

from __future__ import annotations

from pathlib import Path

import pytest

from onetape.domain.frame import CandleFrame, resample
from onetape.strategies import gate_hints as hints
from onetape.strategies.gate import check
from onetape.strategies.registry import Registry

BAD = Registry.load(Path(__file__).resolve().parents[2] / "data" / "strategies" / "bad")


@pytest.mark.parametrize(
    ("tag", "hint"),
    [
        ("shifted", hints.NEXT),
        ("centred_mean", hints.CENTRED),
        ("scaled", hints.SCALED),
        ("open_bar", hints.OPEN_BAR),
        ("fitted", hints.FITTED),
        ("foresees", hints.NEXT),
        ("peeks", hints.NEXT),
        ("crystal", hints.NEXT),
    ],
)
@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_looking_ahead_is_caught_by_name(tag: str, hint: str, timeframe: str, sample: CandleFrame) -> None:
    report = check(BAD.build(tag), resample(sample, timeframe).rows(7, 6007))
    verdict = report.causal
    assert not verdict.ok, tag
    assert verdict.hint == hint, verdict.evidence
    assert hint in verdict.evidence
    assert verdict.time is not None
    assert verdict.time in verdict.evidence
    assert verdict.expected != verdict.got
    assert report.failed is verdict


def test_cumulative_indicator_is_caught_by_name(sample: CandleFrame) -> None:
    report = check(BAD.build("cumulative"), sample.rows(0, 6000))
    assert report.causal.ok, report.causal.evidence
    assert report.finite_memory.hint == hints.CUMULATIVE, report.finite_memory.evidence
    assert "no warm-up is long enough" in report.finite_memory.evidence


@pytest.mark.parametrize(
    ("tag", "says"),
    [
        ("remembers", "long.*other orders than before"),
        ("undecided", "another value than in the run before"),
    ],
)
def test_what_answers_otherwise_the_second_time_is_caught(tag: str, says: str, sample: CandleFrame) -> None:
    report = check(BAD.build(tag), sample.rows(0, 6000))
    assert report.failed is not None
    import re

    assert re.search(says, report.failed.evidence), report.failed.evidence


def test_a_fit_that_keeps_what_others_saw_is_caught(sample: CandleFrame) -> None:
    report = check(BAD.build("hoards"), sample.rows(0, 6000))
    assert not report.ok


def test_weights_that_know_another_markets_future_are_caught_in_the_first_ones_column(sample: CandleFrame) -> None:
    report = check(BAD.build("crystal"), sample.rows(0, 6000))
    assert report.causal.column == "BTC-USD"
    assert report.symbol == "BTC-USD,MIRROR-USD,ROLLED-USD"


def test_all_known_bad_files_load() -> None:
    assert not BAD.errors
    assert len([entry for entry in BAD.entries.values() if not entry.built_in]) == 12
