"""Prints in any order inside the lateness make the candles that the batch makes of them, bit for bit."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape.domain.market import Candle, Print
from onetape.domain.units import SECOND, Timeframe
from onetape.marketdata.aggregator import CandleBuilder, aggregate_candles
from onetape.marketdata.building import LateBuilder

LATENESS = 2 * SECOND
START = 1_700_000_000 * SECOND


def built(candle: Candle) -> tuple[float, ...]:
    return (candle.open, candle.high, candle.low, candle.close, candle.volume, candle.turnover)


def batch(prints: list[Print], timeframe: str) -> dict[int, tuple[float, ...]]:
    columns = aggregate_candles(
        {"timestamp": [p.ts for p in prints], "price": [p.price for p in prints], "amount": [p.qty for p in prints]},
        timeframe,
    )
    names = ("open", "high", "low", "close", "volume", "turnover")
    return {int(ts): tuple(float(columns[name][i]) for name in names) for i, ts in enumerate(columns["timestamp"])}


def arriving(seed: int, n: int, step: float) -> list[Print]:
    """In order of arrival: each at most the lateness after its time."""
    rng = random.Random(seed)
    prints, ts = [], START
    for i in range(n):
        ts += int(rng.expovariate(1 / step)) if rng.random() < 0.8 else 0  # several share a moment
        prints.append(Print("okx", "A-B", str(i), ts, rng.uniform(90, 110), rng.uniform(0.001, 3), 1))
    delays = {p.id: rng.choice((0, 0, 0, rng.randrange(LATENESS))) for p in prints}
    return sorted(prints, key=lambda p: p.ts + delays[p.id])


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 200),
    timeframe=st.sampled_from(["1s", "2s", "7s", "1m", "1h"]),
    step=st.sampled_from([1_000, 100_000, 900_000, 20_000_000]),
)
@settings(max_examples=150, deadline=None)
def test_what_is_given_last_is_what_the_batch_makes(seed: int, n: int, timeframe: str, step: float) -> None:
    prints = arriving(seed, n, step)
    builder = LateBuilder("okx", "A-B", Timeframe.parse(timeframe), LATENESS)
    last: dict[int, tuple[float, ...]] = {}
    given_again = 0
    for trade in prints:
        for candle in builder.add(trade):
            given_again += candle.open_ts in last
            last[candle.open_ts] = built(candle)
        if seed % 3 == 0:
            for candle in builder.advance(trade.ts):
                given_again += candle.open_ts in last
                last[candle.open_ts] = built(candle)
    for candle in builder.advance(prints[-1].ts + 10**13):
        last[candle.open_ts] = built(candle)
    assert last == batch(prints, timeframe)
    assert builder.late == 0
    assert builder.corrected == given_again


@given(seed=st.integers(0, 10**6), timeframe=st.sampled_from(["1s", "7m", "1h", "1d", "1w", "1M"]))
@settings(max_examples=60, deadline=None)
def test_print_by_print_in_order_equals_the_batch(seed: int, timeframe: str) -> None:
    step = Timeframe.parse(timeframe).micros / 20
    prints = sorted(arriving(seed, 200, step), key=lambda p: p.ts)
    builder = CandleBuilder("okx", "A-B", timeframe)
    closed = [candle for trade in prints if (candle := builder.add(trade))]
    closed += [candle for candle in [builder.advance(10**17)] if candle]
    assert {c.open_ts: built(c) for c in closed} == batch(prints, timeframe)


def test_a_late_print_gives_the_candle_again_and_one_too_late_is_counted() -> None:
    def at(seconds: float, price: float) -> Print:
        return Print("okx", "A-B", str(seconds), int(seconds * SECOND), price, 1.0, 1)

    builder = LateBuilder("okx", "A-B", Timeframe.parse("1m"), LATENESS)
    assert builder.add(at(1, 100.0)) == []
    (first,) = builder.add(at(60.5, 101.0))
    assert built(first) == (100.0, 100.0, 100.0, 100.0, 1.0, 100.0)
    (again,) = builder.add(at(59.0, 105.0))  # 1.5 seconds late
    assert built(again) == (100.0, 105.0, 100.0, 105.0, 2.0, 205.0)
    assert builder.add(at(58.0, 1.0)) == []  # 2.5 seconds late
    assert (builder.late, builder.corrected) == (1, 1)


@pytest.mark.parametrize("text", ["1s", "7m", "45m", "3h", "2d", "2w", "3M"])
def test_any_length_has_buckets_that_join(text: str) -> None:
    timeframe, ts = Timeframe.parse(text), START
    for _ in range(30):
        start, end = timeframe.floor(ts), timeframe.next(ts)
        assert start <= ts < end == timeframe.floor(end)
        ts = end
