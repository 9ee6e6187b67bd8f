from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.marketdata.latency import Histogram
from onetape.marketdata.quality import fault, missing, without
from onetape.marketdata.soundness import examine


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, ""),
        ({"high": 1.0}, "high below low"),
        ({"low": 1e6}, "high below low"),
        ({"close": float("nan")}, "a price is missing"),
        ({"low": 0.0}, "zero or negative"),
        ({"volume": -1.0}, "volume is negative"),
        ({"volume": float("inf")}, "volume is missing"),
        ({"turnover": float("nan")}, "turnover is missing"),
        ({"open_ts": 5}, "grid"),
    ],
)
def test_impossible_candle_is_named(changes: dict[str, Any], problem: str, candle: Any) -> None:
    found = fault(msgspec.structs.replace(candle(3), **changes))
    assert problem in found
    assert bool(found) == bool(changes)


def test_what_is_taken_from_a_venue_is_what_a_check_of_the_stored_series_calls_possible(candle: Any) -> None:
    one = candle(3)
    dust = msgspec.structs.replace(one, high=max(one.open, one.close) * (1 - 1e-12), low=min(one.open, one.close))
    for each in (one, dust):
        assert fault(each) == ""
        assert examine(CandleFrame.from_candles([each])).impossible == 0
    assert fault(msgspec.structs.replace(dust, high=dust.high * (1 - 1e-6))) != ""


def test_missing_spans_at_both_ends_and_inside(candle: Any) -> None:
    frame = CandleFrame.from_candles([candle(m) for m in (3, 4, 8)])
    spans = missing(frame, 1 * MINUTE, 10 * MINUTE)
    assert [(a // MINUTE, b // MINUTE) for a, b in spans] == [(1, 3), (5, 8), (9, 10)]
    assert missing(frame, 3 * MINUTE, 5 * MINUTE) == []
    assert missing(frame.rows(0, 0), MINUTE, MINUTE) == []
    assert dataclasses.is_dataclass(frame)


@pytest.mark.parametrize(
    ("known", "left"),
    [
        ([], [(10, 20)]),
        ([(10, 20)], []),
        ([(5, 30)], []),
        ([(12, 14)], [(10, 12), (14, 20)]),
        ([(5, 12), (18, 25)], [(12, 18)]),
        ([(0, 10), (20, 30)], [(10, 20)]),
    ],
)
def test_known_spans_are_cut_out(known: list[tuple[int, int]], left: list[tuple[int, int]]) -> None:
    assert without([(10, 20)], known) == left


def test_histogram_quantiles_are_within_a_bucket() -> None:
    histogram = Histogram()
    for ms in range(1, 1_001):
        histogram.add(float(ms))
    assert histogram.quantile(0.5) == pytest.approx(500, rel=0.2)
    assert histogram.quantile(0.99) == pytest.approx(990, rel=0.2)
    assert histogram.summary()["worst_ms"] == 1_000
    assert Histogram().summary() == {"count": 0, "p50_ms": 0.0, "p99_ms": 0.0, "worst_ms": 0.0}
