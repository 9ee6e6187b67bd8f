from __future__ import annotations

import random

import pytest

from onetape.domain.bars import BarSize
from onetape.domain.errors import BadInput
from onetape.domain.market import Print
from onetape.domain.units import SECOND
from onetape.marketdata.bars import BarBuilder, InOrder, aggregate_bars

START = 1_700_000_000 * SECOND


def trades(*rows: tuple[float, float]) -> list[dict[str, float]]:
    return [{"timestamp": START + i * SECOND, "price": p, "amount": q} for i, (p, q) in enumerate(rows)]


def test_a_bar_of_trades_closes_with_its_last_trade() -> None:
    bars = aggregate_bars(trades((10, 1), (12, 2), (9, 1), (11, 1), (8, 5)), "2t")
    assert bars["open"].tolist() == [10, 9]
    assert bars["high"].tolist() == [12, 11]
    assert bars["low"].tolist() == [10, 9]
    assert bars["close"].tolist() == [12, 11]
    assert bars["volume"].tolist() == [3, 2]
    assert bars["turnover"].tolist() == [34, 20]
    assert ((bars["open_ts"] - START) // SECOND).tolist() == [0, 2]
    assert ((bars["close_ts"] - START) // SECOND).tolist() == [1, 3]


def test_a_bar_of_volume_takes_the_trade_that_fills_it_whole() -> None:
    bars = aggregate_bars(trades((10, 1), (10, 3), (10, 9), (10, 1)), "3.5v")
    assert bars["volume"].tolist() == [4, 9]
    assert bars["trades"].tolist() == [2, 1]


def test_ten_tenths_are_one() -> None:
    assert aggregate_bars(trades(*[(10, 0.1)] * 20), "1v")["trades"].tolist() == [10, 10]


def test_a_bar_of_quote_currency_counts_money() -> None:
    bars = aggregate_bars(trades((10, 1), (20, 4), (50, 1), (50, 1), (10, 1)), "90q")
    assert bars["turnover"].tolist() == [90, 100]
    assert bars["trades"].tolist() == [2, 2]


@pytest.mark.parametrize("size", ["7t", "2.5v", "300q"])
def test_print_by_print_equals_the_list_at_once(size: str) -> None:
    rng = random.Random(5)
    rows = [(rng.uniform(90, 110), rng.uniform(0.01, 2)) for _ in range(2_000)]
    builder = BarBuilder("okx", "A-B", size)
    bars = [
        bar
        for i, (p, q) in enumerate(rows)
        if (bar := builder.add(Print("okx", "A-B", str(i), START + i * SECOND, p, q, 1)))
    ]
    columns = aggregate_bars(trades(*rows), size)
    for name in ("open_ts", "close_ts", "open", "high", "low", "close", "volume", "turnover", "trades"):
        assert columns[name].tolist() == [getattr(bar, name) for bar in bars]
    assert bars[0].size == size
    assert sum(bar.trades for bar in bars) <= 2_000


def test_without_trades_there_are_no_bars() -> None:
    assert aggregate_bars([], "5t")["open"].tolist() == []


@pytest.mark.parametrize("text", ["0t", "1.5t", "t", "5x", "-1v", "5m", ""])
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not a size of bars"):
        BarSize.parse(text)


@pytest.mark.parametrize("text", ["100t", "5v", "0.25v", "10000q"])
def test_a_size_is_written_as_it_is_read(text: str) -> None:
    assert str(BarSize.parse(text)) == text


def given(*seconds: float) -> list[Print]:
    return [Print("t", "A-B", str(i), START + round(s * SECOND), 1.0, 1.0, 1) for i, s in enumerate(seconds)]


def test_trades_come_out_by_time_and_equal_ones_as_they_came() -> None:
    order = InOrder(lateness=2 * SECOND)
    out = [one.id for trade in given(0, 1, 0.5, 1, 4) for one in order.add(trade)]
    assert out == ["0", "2", "1", "3"]
    assert [one.id for one in order.rest()] == ["4"]
    assert order.late == 0


def test_a_trade_later_than_the_lateness_is_left_out_and_counted() -> None:
    order = InOrder(lateness=2 * SECOND)
    out = [one.id for trade in given(0, 1, 5, 0.5, 6) for one in order.add(trade)]
    assert out == ["0", "1"]
    assert [one.id for one in order.rest()] == ["2", "4"]
    assert order.late == 1
