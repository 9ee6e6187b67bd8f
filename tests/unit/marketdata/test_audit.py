from __future__ import annotations

import msgspec
import pytest

from onetape.domain.market import Candle, Gap, Print
from onetape.domain.units import MINUTE, SECOND, Timeframe
from onetape.marketdata.audit import SeriesAudit, compare

M1 = Timeframe.parse("1m")


def candle(minute: int, *prices: float, volume: float = 3.0) -> Candle:
    open_, high, low, close = prices
    ts = minute * MINUTE
    return Candle("okx", "A-B", "1m", ts, ts + MINUTE, open_, high, low, close, volume, 0.0)


def trade(seconds: float, price: float, qty: float = 1.0) -> Print:
    return Print("okx", "A-B", str(seconds), int(seconds * SECOND), price, qty, 1)


SAID = candle(1, 10.0, 12.0, 9.0, 11.0)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "equal"),
        ({"volume": 3.0 * (1 + 1e-12)}, "equal"),
        ({"volume": 3.0 * (1 + 1e-7)}, "rounding"),
        ({"volume": 2.5}, "missing trades"),
        ({"volume": 2.5, "high": 11.5}, "missing trades"),
        ({"volume": 3.5}, "volume"),
        ({"high": 11.5}, "price"),
        ({"high": 12.0 * (1 + 1e-12)}, "rounding"),
    ],
)
def test_a_difference_gets_its_name(changes: dict[str, float], name: str) -> None:
    assert compare(SAID, msgspec.structs.replace(SAID, **changes)) == name


def test_without_trades_only_a_candle_without_volume_is_right() -> None:
    assert compare(SAID, None) == "missing trades"
    assert compare(candle(1, 5.0, 5.0, 5.0, 5.0, volume=0.0), None) == "equal"


def audit_of(*trades: Print) -> SeriesAudit:
    audit = SeriesAudit("okx", "A-B", M1, 2 * SECOND)
    for one in trades:
        audit.trade(one)
    return audit


TRADES = (trade(30, 8.0), trade(61, 10.0), trade(70, 12.0), trade(90, 9.0, 0.5), trade(119, 11.0, 0.5))


def test_a_candle_waits_until_no_trade_of_it_can_be_on_its_way() -> None:
    audit = audit_of(*TRADES)
    audit.venue(SAID, now_ts=0)
    assert audit.verdicts(now_ts=SECOND) == []
    audit.trade(trade(122.5, 11.0))
    (verdict,) = audit.verdicts(now_ts=SECOND)
    assert (verdict.verdict, verdict.open_ts) == ("equal", MINUTE)
    assert verdict.venue[:5] == verdict.built[:5] == [10.0, 12.0, 9.0, 11.0, 3.0]


def test_a_late_trade_still_counts() -> None:
    audit = audit_of(*TRADES[:-1], trade(120.5, 11.0), TRADES[-1], trade(123, 11.0))
    audit.venue(SAID, now_ts=0)
    assert [v.verdict for v in audit.verdicts(0)] == ["equal"]


def test_on_a_quiet_market_our_own_clock_decides() -> None:
    audit = audit_of(*TRADES)
    audit.venue(SAID, now_ts=0)
    assert [v.verdict for v in audit.verdicts(now_ts=6 * SECOND)] == ["equal"]


def test_a_candle_with_a_lost_trade_is_named() -> None:
    audit = audit_of(*TRADES[:2], *TRADES[3:], trade(123, 11.0))
    audit.venue(SAID, now_ts=0)
    (verdict,) = audit.verdicts(0)
    assert (verdict.verdict, verdict.built[4]) == ("missing trades", 2.0)


def test_the_candle_in_which_the_listening_began_is_not_judged() -> None:
    audit = audit_of(*TRADES[1:], trade(123, 11.0))
    audit.venue(SAID, now_ts=0)
    assert [v.verdict for v in audit.verdicts(0)] == ["not judged"]


def test_a_candle_on_a_stretch_without_trades_is_not_judged_and_the_next_is() -> None:
    audit = audit_of(*TRADES, trade(121, 11.0, 1.0), trade(183, 1.0))
    audit.gap(Gap("okx", "A-B", "trades", 75 * SECOND, 80 * SECOND, "the line was cut"))
    audit.venue(SAID, now_ts=0)
    audit.venue(candle(2, 11.0, 11.0, 11.0, 11.0, volume=1.0), now_ts=0)
    assert [v.verdict for v in audit.verdicts(0)] == ["not judged", "equal"]


def test_a_candle_that_the_venue_tells_again_is_compared_again() -> None:
    audit = audit_of(*TRADES, trade(123, 11.0))
    audit.venue(candle(1, 10.0, 12.0, 9.0, 10.0, volume=1.5), now_ts=0)
    audit.venue(SAID, now_ts=0)
    assert [v.verdict for v in audit.verdicts(0)] == ["volume", "equal"]
