from __future__ import annotations

import typing

import pytest

from onetape.domain import topics
from onetape.domain.market import Candle, Forming, Gap, InstrumentChange, Mark, MarketEvent, Print, Quote, VenueStatus
from onetape.domain.units import MINUTE, Timeframe


def test_every_event_but_facts_has_a_topic_for_people() -> None:
    facts = {Candle, Gap, InstrumentChange, Print}
    assert set(typing.get_args(MarketEvent)) - facts == set(typing.get_args(topics.Fleeting))


@pytest.mark.parametrize(
    ("event", "topic"),
    [
        (Quote("okx", "BTC-USDT", 1, 2.0, 1.0, 3.0, 1.0, 2.0), "quote:replay-okx:BTC-USDT"),
        (Mark("okx", "BTC-USDT", 1, 2.0), "mark:replay-okx:BTC-USDT"),
        (VenueStatus("okx", 1, "upgrade", "scheduled", 2, 3), "status:replay-okx"),
        (Forming("okx", "BTC-USDT", "1m", 0, 1.0, 1.0, 1.0, 1.0, 1.0), "forming:replay-okx:BTC-USDT:1m"),
    ],
)
def test_topic_bears_the_name_it_is_told_in(event: topics.Fleeting, topic: str) -> None:
    assert topics.fleeting("replay-okx", event) == topic


@pytest.mark.parametrize(
    ("timeframe", "span", "candles"),
    [
        ("1m", (0, 5 * MINUTE), 5),
        ("1m", (5 * MINUTE, 5 * MINUTE), 0),
        ("1M", (1_704_067_200_000_000, 1_711_929_600_000_000), 3),  # January to March 2024: 91 days
        ("1d", (1_704_067_200_000_000, 1_735_689_600_000_000), 366),
    ],
)
def test_candles_of_a_span_are_counted(timeframe: str, span: tuple[int, int], candles: int) -> None:
    assert Timeframe.parse(timeframe).candles(*span) == candles
