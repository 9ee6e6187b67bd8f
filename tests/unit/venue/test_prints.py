from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.venue.listing import listing_of
from onetape.venue.prints import SLOTS, Minutes, prints_of
from onetape.venue.tape import Tape
from onetape.venue.wire import trade

prices = st.integers(1, 10**13)
candles = st.lists(
    st.tuples(prices, prices, prices, prices, st.one_of(st.integers(0, 30), st.integers(0, 10**17))),
    min_size=1,
    max_size=20,
)


def minutes_of(rows: list[tuple[int, int, int, int, int]]) -> Minutes:
    table = np.array([(r[0], max(r[:4]), min(r[:4]), r[3], r[4]) for r in rows], np.int64)
    return Minutes(np.arange(len(rows)) + 25_000_000, *table.T)


@settings(max_examples=200, deadline=None)
@given(candles, st.integers(0, 2**40), st.sampled_from([1, 10, 10**7]))
def test_prints_rebuild_any_candle_exactly(rows: list[tuple[int, int, int, int, int]], seed: int, step: int) -> None:
    minutes = minutes_of(rows)
    prints = prints_of(minutes, seed, step)
    for i, n in enumerate(prints.n):
        price, lots, ms = prints.price[i, :n], prints.lots[i, :n], prints.ms[i, :n]
        if minutes.lots[i] == 0 and minutes.high[i] == minutes.low[i]:
            assert n == 0
            continue
        assert 1 <= n <= SLOTS
        assert (price[0], price.max(), price.min(), price[-1]) == tuple(column[i] for column in minutes[1:5])
        assert lots.sum() == minutes.lots[i]
        assert lots.min() >= 0
        assert (np.diff(ms) > 0).all()
        assert ms[0] >= 0
        assert ms[-1] < 60_000


@settings(max_examples=50, deadline=None)
@given(candles, st.integers(0, 1000))
def test_the_same_seed_gives_the_same_prints_whatever_is_made_beside_them(
    rows: list[tuple[int, ...]], seed: int
) -> None:
    minutes = minutes_of(rows)  # type: ignore[arg-type]
    whole, alone = prints_of(minutes, seed, 1), prints_of(minutes.rows(len(rows) - 1, len(rows)), seed, 1)
    assert all((a[-1] == b[-1]).all() for a, b in zip(whole, alone, strict=True))


def test_no_print_has_size_zero_when_there_are_four_lots() -> None:
    prints = prints_of(minutes_of([(5, 9, 1, 6, 4), (5, 5, 5, 5, 1), (5, 9, 1, 6, 10**9)]), 0, 1)
    assert prints.n.tolist()[:2] == [4, 1]
    assert 6 <= prints.n[2] <= 20
    assert all(prints.lots[i, :n].min() >= 1 for i, n in enumerate(prints.n))


def test_text_on_the_wire_sums_to_the_candle_of_the_file() -> None:
    # values as a real exchange gave them, with eight decimals and with a tail of binary arithmetic
    columns = {
        "ts": [0, MINUTE],
        "open": [13_800.12345678, 13_790.0],
        "high": [13_820.5, 13_799.99999999],
        "low": [13_799.0, 13_750.1],
        "close": [13_801.0, 13_760.0],
        "volume": [1.2867745400000001, 0.00000007],
    }
    frame = CandleFrame.of("okx", "BTC-USD", "1m", columns)
    tape = Tape(frame, listing_of(frame, 0, None), seed=3)
    for i in range(2):
        found = [trade(tape.listing, t) for t in tape.trades(i * MINUTE - 1, (i + 1) * MINUTE - 1)]
        wire = [Decimal(t["px"]) for t in found]
        candle = frame.candle(i)
        assert [float(x) for x in (wire[0], max(wire), min(wire), wire[-1])] == [
            candle.open,
            candle.high,
            candle.low,
            candle.close,
        ]
        sizes = [t["sz"] for t in found]
        assert sum(map(Decimal, sizes)) == round(Decimal(candle.volume), 8)
        assert sum(map(float, sizes)) == pytest.approx(candle.volume, abs=1e-9)
        assert "0" not in sizes
        assert [int(t["tradeId"]) for t in found] == sorted({int(t["tradeId"]) for t in found})
