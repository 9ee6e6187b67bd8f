"""What `onetape data check` finds in a series."""

from __future__ import annotations

import dataclasses

import numpy as np

from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.marketdata.soundness import examine, outliers

START = 1_600_000_020 * 10**6


def series(minutes: list[int], **changed: dict[int, float]) -> CandleFrame:
    n = len(minutes)
    columns = {"open": 100.0, "high": 101.0, "low": 99.0, "close": 100.0, "volume": 5.0}
    values: dict[str, object] = {"ts": [START + m * MINUTE for m in minutes]}
    for name, usual in columns.items():
        column = np.full(n, usual)
        for i, value in changed.get(name, {}).items():
            column[i] = value
        values[name] = column
    return CandleFrame.of("okx", "BTC-USDT", "1m", values)


def test_sound_series_has_nothing():
    found = examine(series(list(range(30))))
    assert (found.gaps, found.missing, found.longest_gap, found.impossible, found.outliers) == (0, 0, None, 0, 0)


def test_gaps_are_counted_and_the_longest_named():
    found = examine(series([0, 1, 3, 4, 10, 11]))  # 2 is missing, and 5 to 9
    assert (found.gaps, found.missing, found.missing_rate) == (2, 6, 0.5)
    assert found.longest_gap is not None
    assert (found.longest_gap.start_ts, found.longest_gap.candles) == (START + 5 * MINUTE, 5)


def test_months_are_counted_not_measured():
    months = [1_577_836_800, 1_580_515_200, 1_588_291_200]  # January, February, May 2020
    ones = np.ones(3)
    columns = {"ts": np.array(months) * 10**6} | dict.fromkeys(("open", "high", "low", "close", "volume"), ones)
    assert examine(CandleFrame.of("okx", "BTC-USDT", "1M", dict(columns))).missing == 2


def test_runs_without_volume_are_found():
    found = examine(series(list(range(40)), volume=dict.fromkeys([3, *range(10, 22)], 0.0)))
    assert (found.zero_volume, found.zero_volume_runs) == (13, 1)
    assert found.longest_zero_volume is not None
    assert (found.longest_zero_volume.start_ts, found.longest_zero_volume.candles) == (START + 10 * MINUTE, 12)


def test_impossible_candles_are_named_once_each():
    found = examine(series(list(range(10)), high={4: 98.0}, close={7: -1.0}, volume={8: float("nan")}))
    assert [row.reason for row in found.impossible_rows] == [
        "high below low",
        "a price is zero or negative",
        "volume is missing",
    ]


def test_a_spike_beyond_both_neighbours_is_an_outlier_a_new_level_is_not():
    spike = series(list(range(10)), high={5: 160.0})
    assert np.flatnonzero(outliers(spike)).tolist() == [5]
    first_tick = series(list(range(10)), high={0: 400.0}, open={0: 400.0})
    assert np.flatnonzero(outliers(first_tick)).tolist() == [0]
    level = dict.fromkeys(range(5, 10), 160.0)
    assert not outliers(series(list(range(10)), high=level, close=level)).any()


def test_candles_that_repeat_the_one_before_are_counted_but_not_quiet_ones():
    flat = {"open": 100.0, "high": 100.0, "low": 100.0, "volume": 0.0}
    quiet = {name: {5: value, 6: value} for name, value in flat.items()}
    moving = {"close": {i: 100.0 + i / 10 for i in (1, 2, 3, 7, 8)}}  # 4 says what 0 said, and 5, 6 stand still
    found = examine(series(list(range(9)), **quiet, **moving))
    assert (found.repeated, found.duplicates, found.off_grid) == (0, 0, 0)
    assert examine(series(list(range(4)))).repeated == 3


def test_doubled_times_and_times_off_the_grid_are_counted():
    sound = series(list(range(6)))
    ts = sound.ts.copy()
    ts[3] = ts[2]
    ts[5] += MINUTE // 2
    found = examine(dataclasses.replace(sound, ts=ts))
    assert (found.duplicates, found.off_grid) == (1, 1)
