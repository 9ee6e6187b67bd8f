from __future__ import annotations

import numpy as np
import pytest

from onetape.backtest.provenance import doubts, line, provenance
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Origin
from onetape.domain.units import DAY, MINUTE


def frame(minutes: list[int], origins: list[Origin], timeframe: str = "1m", step: int = MINUTE) -> CandleFrame:
    ones = np.ones(len(minutes))
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), ones)
    return CandleFrame.of("x", "A-B", timeframe, {"ts": np.array(minutes) * step, **prices, "origin": origins})


def test_origins_and_holes_are_counted_and_told() -> None:
    fills = frame([0, 1, 2, 5, 9], [Origin.VENUE, Origin.VENUE, Origin.BACKFILLED, Origin.SYNTHETIC, Origin.VENUE])
    signals = frame([0], [Origin.BUILT], "5m")
    manifest = {"candles": provenance(signals, fills)}
    assert manifest["candles"]["fills"] == {
        "venue": 3,
        "built": 0,
        "backfilled": 1,
        "synthetic": 1,
        "imported": 0,
        "foreign": 0,
        "gaps": 2,
        "missing": 5,
    }
    assert line(manifest) == "candles: 3 received live, 1 synthetic, 1 backfilled; 2 gaps with 5 candles missing"
    assert [text.split(":")[0] for text in doubts(manifest)] == [
        "1 candles that orders fill on were missed by the recording and repaired",
        "1 candles that orders fill on are synthetic",
        "5 candles that orders fill on are missing, in 2 gaps",
    ]


def test_candles_of_another_exchange_are_told_as_such() -> None:
    one = frame([0, 1], [Origin.VENUE, Origin.FOREIGN])
    assert doubts({"candles": provenance(one, one)}) == ["1 candles that orders fill on are those of another exchange."]


@pytest.mark.parametrize(
    ("minutes", "origin", "said"),
    [
        pytest.param([0, 1, 2], Origin.BACKFILLED, "missed by the recording and repaired", id="repaired"),
        pytest.param([0, 1, 2], Origin.SYNTHETIC, "synthetic: nobody traded at their prices", id="synthetic"),
        pytest.param([0, 1, 2], Origin.FOREIGN, "those of another exchange", id="foreign"),
        pytest.param([0, 1, 5], Origin.VENUE, "3 candles that orders fill on are missing, in 1 gaps", id="missing"),
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_each_origin_that_was_not_received_is_a_doubt_of_its_own(
    minutes: list[int], origin: Origin, said: str, same: bool
) -> None:
    fills = frame(minutes, [Origin.VENUE, origin, Origin.VENUE])
    signals = fills if same else frame([0], [Origin.BUILT], "5m")
    (told,) = doubts({"candles": provenance(signals, fills)})
    assert said in told


def test_a_history_that_was_downloaded_is_no_repair() -> None:
    one = frame([0, 1, 2], [Origin.BACKFILLED] * 3)
    assert doubts({"candles": provenance(one, one)}) == []


def test_whole_and_real_candles_raise_no_doubt() -> None:
    one = frame([0, 1, 2], [Origin.IMPORTED] * 3)
    manifest = {"candles": provenance(one, one)}
    assert line(manifest) == "candles: 3 imported; none missing"
    assert doubts(manifest) == []


def test_missing_months_are_counted_not_measured() -> None:
    january, april = 0, 90  # days since 1970
    one = frame([january, april], [Origin.IMPORTED] * 2, "1M", DAY)
    assert provenance(one, one)["fills"]["missing"] == 2


def test_a_run_stored_before_this_was_counted_says_nothing() -> None:
    assert line({}) == ""
    assert doubts({}) == []
