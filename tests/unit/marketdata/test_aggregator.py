from __future__ import annotations

import gzip
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onetape.domain.errors import BadInput
from onetape.domain.market import Candle, Origin, Print
from onetape.domain.units import MINUTE, Timeframe
from onetape.marketdata.aggregator import CandleBuilder, aggregate_candles

T0 = 1_600_000_020_000_000  # on the minute
PRICES = ("open", "high", "low", "close", "volume", "turnover")


def trade(ts: int, price: float, amount: float = 1.0) -> dict[str, Any]:
    return {"timestamp": ts, "price": price, "amount": amount}


def test_one_candle_by_hand() -> None:
    trades = [trade(T0, 10, 1), trade(T0 + 1, 12, 2), trade(T0 + 2, 9, 3), trade(T0 + 3, 11, 4)]
    got = aggregate_candles(trades, "1m")
    assert got["timestamp"].tolist() == [T0]
    assert [got[name][0] for name in PRICES] == [10, 12, 9, 11, 10, 10 + 24 + 27 + 44]
    assert got["trades"].tolist() == [4]


def test_trade_on_the_boundary_opens_the_next_candle_when_right() -> None:
    got = aggregate_candles([trade(T0, 1), trade(T0 + MINUTE, 2)], "1m", alignment="right")
    assert got["timestamp"].tolist() == [T0, T0 + MINUTE]


def test_trade_on_the_boundary_ends_the_candle_before_when_left() -> None:
    got = aggregate_candles([trade(T0, 1), trade(T0 + MINUTE, 2)], "1m", alignment="left")
    assert got["timestamp"].tolist() == [T0 - MINUTE, T0]
    assert got["close"].tolist() == [1, 2]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_seconds_milliseconds_and_microseconds_are_told_apart(unit: int) -> None:
    got = aggregate_candles([trade(T0 // unit, 1)], "1m")
    assert got["timestamp"].tolist() == [T0]


def test_first_and_last_go_by_time_not_by_place() -> None:
    got = aggregate_candles([trade(T0 + 5, 3), trade(T0 + 1, 1), trade(T0 + 3, 2)], "1m")
    assert (got["open"][0], got["close"][0]) == (1, 3)


def test_equal_times_keep_their_place() -> None:
    got = aggregate_candles([trade(T0, 1), trade(T0, 2), trade(T0, 3)], "1m")
    assert (got["open"][0], got["close"][0]) == (1, 3)


def test_arrays_are_taken_too_and_nothing_gives_nothing() -> None:
    arrays = {"timestamp": [T0, T0 + MINUTE], "price": [1.0, 2.0], "amount": [1.0, 1.0]}
    assert aggregate_candles(arrays, "1m")["close"].tolist() == [1, 2]
    assert len(aggregate_candles([], "1h")["open"]) == 0


def test_day_begins_at_midnight_utc_week_on_monday_month_on_the_first() -> None:
    moment = 1_584_622_800_000_000  # Thursday 2020-03-19 13:00 UTC
    opens = {tf: int(aggregate_candles([trade(moment, 1)], tf)["timestamp"][0]) for tf in ("1d", "1w", "1M")}
    assert opens == {
        "1d": 1_584_576_000_000_000,  # 2020-03-19
        "1w": 1_584_316_800_000_000,  # Monday 2020-03-16
        "1M": 1_583_020_800_000_000,  # 2020-03-01
    }


@pytest.mark.parametrize(
    ("trades", "field"),
    [
        ([{"timestamp": T0, "price": 1.0}], "trades.amount"),
        ([trade(T0, 1), trade(T0, math.nan)], r"trades\[1\].price"),
        ([trade(T0, 1, -1)], r"trades\[0\].amount"),
        ([{"timestamp": "noon", "price": 1, "amount": 1}], r"trades\[0\].timestamp"),
        ([trade(T0, "x")], "trades.price"),  # type: ignore[arg-type]
    ],
)
def test_bad_trade_is_named(trades: list[dict[str, Any]], field: str) -> None:
    with pytest.raises(BadInput, match=field):
        aggregate_candles(trades, "1m")


def test_unknown_alignment_and_timeframe_are_refused() -> None:
    with pytest.raises(BadInput, match="alignment"):
        aggregate_candles([], "1m", alignment="middle")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="timeframe"):
        aggregate_candles([], "soon")


def built(prints: list[Print], timeframe: str) -> list[Candle]:
    builder = CandleBuilder("okx", "BTC-USDT", timeframe)
    closed = [candle for p in prints if (candle := builder.add(p))]
    last = builder.advance(prints[-1].ts + 100 * Timeframe.parse(timeframe).micros)
    return [*closed, last] if last else closed


amounts = st.floats(0.0, 1e6, allow_subnormal=False)
prices = st.floats(1e-8, 1e6)
times = st.integers(T0, T0 + 20 * MINUTE)


@given(st.lists(st.tuples(times, prices, amounts), min_size=1, max_size=200), st.sampled_from(["1s", "1m", "5m", "1h"]))
def test_builder_equals_the_whole_bit_for_bit(rows: list[tuple[int, float, float]], timeframe: str) -> None:
    rows.sort(key=lambda r: r[0])
    prints = [Print("okx", "BTC-USDT", str(i), ts, price, qty, 1) for i, (ts, price, qty) in enumerate(rows)]
    whole = aggregate_candles([trade(*row) for row in rows], timeframe)
    candles = built(prints, timeframe)
    assert [c.open_ts for c in candles] == whole["timestamp"].tolist()
    for name in PRICES:
        assert [getattr(c, name) for c in candles] == whole[name].tolist()
    assert all(c.origin is Origin.BUILT for c in candles)


def test_print_for_a_closed_candle_comes_too_late_and_changes_nothing() -> None:
    builder = CandleBuilder("okx", "BTC-USDT", "1m")
    builder.add(Print("okx", "BTC-USDT", "1", T0, 1.0, 1.0, 1))
    assert builder.add(Print("okx", "BTC-USDT", "2", T0 + MINUTE, 2.0, 1.0, 1)) is not None
    assert builder.add(Print("okx", "BTC-USDT", "3", T0 + 1, 9.0, 1.0, 1)) is None
    assert builder.late == 1
    forming = builder.forming()
    assert forming is not None
    assert (forming.open, forming.high) == (2.0, 2.0)


def test_time_alone_closes_a_candle() -> None:
    builder = CandleBuilder("okx", "BTC-USDT", "1m")
    builder.add(Print("okx", "BTC-USDT", "1", T0 + 5, 1.0, 1.0, 1))
    assert builder.advance(T0 + MINUTE - 1) is None
    closed = builder.advance(T0 + MINUTE)
    assert closed is not None
    assert closed.close_ts == T0 + MINUTE
    assert builder.forming() is None


def test_recorded_trades_make_the_same_candles_as_plain_arithmetic(shared_data: Path) -> None:
    """69 real trades of BTC-USDT: an independent few lines over the raw text are the oracle."""
    seconds: dict[int, list[tuple[float, float]]] = {}
    trades = []
    recording = shared_data / "capture" / "okx_v5_public_2022-05-13_BTC-USDT_UNI-USD-SWAP.ws.gz"
    with gzip.open(recording, "rt") as lines:
        for line in lines:
            if not (found := re.match(r"^[\d.]+: (.*\"trades\".*)$", line.rstrip())):
                continue
            message = json.loads(found[1])
            rows = message.get("data", []) if message["arg"]["instId"] == "BTC-USDT" else []
            trades += [trade(int(t["ts"]), float(t["px"]), float(t["sz"])) for t in rows]
    trades.sort(key=lambda t: t["timestamp"])
    for t in trades:
        seconds.setdefault(t["timestamp"] // 1_000 * 1_000_000, []).append((t["price"], t["amount"]))
    got = aggregate_candles(trades, "1s")
    assert len(trades) == 69
    assert got["timestamp"].tolist() == list(seconds)
    assert got["high"].tolist() == [max(p for p, _ in rows) for rows in seconds.values()]
    assert got["close"].tolist() == [rows[-1][0] for rows in seconds.values()]
    assert got["volume"].tolist() == [sum(a for _, a in rows) for rows in seconds.values()]


@pytest.mark.parametrize("unit", [1.0, 1e3])
def test_a_fraction_of_a_second_is_not_cut_off(unit: float) -> None:
    """0.3 s after the boundary is not on it: (open, close] of the next minute. And of two trades in one second the
    later one is the close, wherever it stands."""
    moment = T0 / 1e6 + 60.3
    late, early = moment + 0.5, moment
    columns = {"timestamp": [late * unit, early * unit], "price": [2.0, 1.0], "amount": [1.0, 1.0]}
    got = aggregate_candles(columns, "1m", "left")
    assert got["timestamp"].tolist() == [T0 + MINUTE]
    assert (got["open"].tolist(), got["close"].tolist()) == ([1.0], [2.0])


@pytest.mark.parametrize("time", [float("nan"), float("inf"), 1e30])
def test_a_number_that_is_no_time_is_named(time: float) -> None:
    with pytest.raises(BadInput, match=r"trades\[1\].timestamp"):
        aggregate_candles({"timestamp": [1.5, time], "price": [1.0, 1.0], "amount": [1.0, 1.0]}, "1m")
