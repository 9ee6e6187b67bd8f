"""What one archive file holds, by kind and length."""

from __future__ import annotations

import pytest

from onetape.domain.parts import CANDLES, RAW, Part
from onetape.domain.units import parse_time


@pytest.mark.parametrize(
    ("kind", "channel", "start", "end", "label"),
    [
        (RAW, "trades", "2024-02-29", "2024-03-01", "2024-02-29"),
        (RAW, "candles:1h", "2024-02-29", "2024-03-01", "2024-02-29"),
        (CANDLES, "30s", "2024-02-29", "2024-03-01", "2024-02-29"),
        (CANDLES, "1m", "2024-02-01", "2024-03-01", "2024-02"),
        (CANDLES, "59m", "2024-02-01", "2024-03-01", "2024-02"),
        (CANDLES, "1h", "2024-01-01", "2025-01-01", "2024"),
        (CANDLES, "1M", "2024-01-01", "2025-01-01", "2024"),
    ],
)
def test_a_part_is_a_day_a_month_or_a_year(kind: str, channel: str, start: str, end: str, label: str) -> None:
    part = Part.holding(kind, ("okx", "BTC-USDT", channel), parse_time("2024-02-29T23:59:59"))
    assert (part.start_ts, part.end_ts, part.label) == (parse_time(start), parse_time(end), label)
    assert str(part) == f"{kind} okx BTC-USDT {channel} {label}"
