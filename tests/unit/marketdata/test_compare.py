"""The same instrument on two exchanges. Numbers worked by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Origin
from onetape.domain.units import HOUR, Timeframe, parse_time
from onetape.marketdata.compare import compare

START = 1_600_002_000_000_000 - 1_600_002_000_000_000 % HOUR


def hours(
    exchange: str, closes: Sequence[float], *, at: Sequence[int] = (), volume: float = 1.0, origin: Sequence[int] = ()
) -> CandleFrame:
    n = len(closes)
    close = np.asarray(closes, np.float64)
    columns: dict[str, object] = {
        "ts": START + np.asarray(at or range(n)) * HOUR,
        **dict.fromkeys(("open", "high", "low", "close"), close),
        "volume": np.full(n, volume),
        "origin": origin or [int(Origin.VENUE)] * n,
    }
    return CandleFrame.of(exchange, "BTC-USDT", "1h", columns)


def test_closes_are_compared_where_both_have_candles() -> None:
    first = hours("okx", [100.0, 100.0, 200.0, 100.0, 100.0], at=(0, 1, 2, 3, 5))
    second = hours("binance", [100.6, 199.0, 100.0, 100.0, 100.2], at=(1, 2, 3, 4, 5), volume=3.0)
    found = compare(first, second)
    assert (found.first, found.second, found.timeframe) == ("okx", "binance", "1h")
    assert (found.start_ts, found.end_ts) == (START + HOUR, START + 6 * HOUR)
    assert (found.both, found.only_first, found.only_second) == (4, 0, 1)
    # +60, -50, 0 and +20 basis points
    assert found.median_bps == pytest.approx(10.0)
    assert found.worst_bps == pytest.approx(60.0)
    assert found.worst_ts == START + HOUR
    assert found.p95_bps == pytest.approx(58.5)  # 85 % of the way from the third to the fourth
    assert found.volume_ratio == 3.0
    assert math.isnan(found.correlation)  # too few to say
    assert found.lag == 0


@pytest.mark.parametrize("lag", [-3, 0, 2])
def test_who_moves_later_is_found(lag: int) -> None:
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 300)))
    first, second = hours("okx", walk[10:290].tolist()), hours("binance", walk[10 - lag : 290 - lag].tolist())
    found = compare(first, second)
    assert found.lag == lag
    assert found.lag_correlation == pytest.approx(1.0)
    assert (found.correlation > 0.99) == (lag == 0)


def test_a_hole_makes_no_change_of_two_candles_into_one() -> None:
    walk = (100 * np.exp(np.cumsum(np.random.default_rng(4).normal(0, 0.01, 200)))).tolist()
    kept = [i for i in range(200) if i % 7]
    first, second = hours("okx", walk), hours("binance", [walk[i] for i in kept], at=kept)
    found = compare(first, second)
    assert (found.lag, found.only_first) == (0, 200 - len(kept) - 1)  # the one before the second's first is outside
    assert found.correlation == pytest.approx(1.0)


def test_what_an_exchange_has_not_from_itself_is_left_out() -> None:
    first = hours("okx", [100.0, 101.0, 102.0])
    second = hours("kraken", [100.0, 101.0, 105.0], origin=[Origin.VENUE, Origin.FOREIGN, Origin.VENUE])
    found = compare(first, second)
    assert (found.both, found.only_first) == (2, 1)


def test_series_without_a_common_time_are_refused() -> None:
    with pytest.raises(BadInput, match="without a common time"):
        compare(hours("okx", [1.0, 1.0]), hours("binance", [1.0], at=(5,)))


@pytest.mark.parametrize("timeframe", ["1M", "2M", "1w"])
def test_changes_are_matched_by_the_number_of_the_month_though_months_are_not_equally_long(timeframe: str) -> None:
    """The second exchange lacks the first month that both could have: its numbers must not begin there."""
    walk = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.01, 240)))
    length = Timeframe.parse(timeframe)
    ts = [length.floor(parse_time("1970-01-01"))]
    while len(ts) < 240:
        ts.append(length.next(ts[-1]))

    def series(exchange: str, which: list[int]) -> CandleFrame:
        closes = walk[which]
        columns: dict[str, object] = dict.fromkeys(("open", "high", "low", "close"), closes)
        columns |= {"ts": [ts[i] for i in which], "volume": np.ones(len(which))}
        return CandleFrame.of(exchange, "BTC-USDT", timeframe, columns)

    found = compare(series("okx", list(range(1, 240))), series("binance", [0, *range(2, 240)]))
    assert found.lag == 0
    assert found.correlation == pytest.approx(1.0)
