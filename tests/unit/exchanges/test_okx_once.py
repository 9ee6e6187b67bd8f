"""Two copies of a stream make one, whoever is first, and what was let through once is let through again on replay."""

from __future__ import annotations

from onetape.domain.market import Candle, Channel, Forming, Mark, Print
from onetape.exchanges.okx.once import Trades, rule
from onetape.exchanges.once import Bars, ByContent, ById, LatestWins

A, B = "a", "b"


def mark(ts: int, price: float = 1.0) -> tuple[Mark, ...]:
    return (Mark("okx", "X", ts, price),)


def prints(*ids: int) -> tuple[Print, ...]:
    return tuple(Print("okx", "X", str(i), i, 1.0, 1.0, 1) for i in ids)


def forming(open_ts: int, volume: float, close: float = 1.0) -> tuple[Forming, ...]:
    return (Forming("okx", "X", "1m", open_ts, 1.0, 2.0, 1.0, close, volume),)


def closed(open_ts: int, volume: float, close: float = 1.0) -> tuple[Candle, ...]:
    return (Candle("okx", "X", "1m", open_ts, open_ts + 60, 1.0, 2.0, 1.0, close, volume),)


def test_message_that_is_half_known_gives_its_other_half() -> None:
    once = ById()
    assert once.new(A, 2, prints(1, 2), [], 0) == prints(1, 2)
    assert once.new(B, 3, prints(2, 3), [], 0) == prints(3)
    assert once.new(B, 3, prints(1, 2, 3), [], 0) is None


def test_trade_that_comes_late_is_kept() -> None:
    once = ById()
    once.new(A, 5, prints(5), [], 0)
    assert once.new(B, 4, prints(4), [], 0) == prints(4)


def test_older_state_from_the_other_connection_is_left_out() -> None:
    once = LatestWins()
    assert once.new(A, 10, mark(10), ["x"], 0) == mark(10)
    assert once.new(B, 9, mark(9), ["w"], 0) is None
    assert once.new(B, 11, mark(11), ["y"], 0) == mark(11)


def test_two_messages_of_one_time_are_both_told_once() -> None:
    once = LatestWins()
    for source, expected in ((A, True), (B, False)):
        for content in ("first", "second"):
            assert (once.new(source, 10, mark(10), [content], 0) is not None) == expected


def test_clock_of_the_venue_that_is_set_back_is_followed() -> None:
    once = LatestWins()
    once.new(A, 100, mark(100), ["x"], 0)
    assert once.new(A, 50, mark(50), ["y"], 0) == mark(50)
    assert once.new(B, 50, mark(50), ["y"], 0) is None


def test_running_candle_does_not_go_backward_to_the_slower_connection() -> None:
    once = Bars()
    assert once.new(A, 0, forming(0, 5.0), [], 0)
    assert once.new(B, 0, forming(0, 3.0), [], 0) is None
    assert once.new(B, 0, forming(0, 6.0), [], 0)


def test_closed_candle_comes_even_after_the_next_has_begun_and_only_once() -> None:
    once = Bars()
    once.new(A, 0, forming(0, 5.0), [], 0)
    assert once.new(A, 60, forming(60, 1.0), [], 0)
    assert once.new(B, 0, closed(0, 7.0), [], 0) == closed(0, 7.0)
    assert once.new(A, 0, closed(0, 7.0), [], 0) is None
    assert once.new(B, 0, forming(0, 6.0), [], 0) is None


def test_closed_candle_that_the_venue_corrects_is_told_again() -> None:
    once = Bars()
    once.new(A, 0, closed(0, 7.0), [], 0)
    assert once.new(A, 0, closed(0, 8.0), [], 0) == closed(0, 8.0)


def test_candle_and_its_correction_come_once_though_one_line_lags_behind_both() -> None:
    once = Bars()
    heard = [
        once.new(source, 0, closed(0, volume), [], 0) is not None
        for source, volume in ((A, 7.0), (A, 8.0), (B, 7.0), (B, 8.0), (B, 8.0), (A, 8.0))
    ]
    assert heard == [True, True, False, False, False, False]


def test_candle_that_the_venue_corrects_back_is_told_again() -> None:
    once = Bars()
    for source in (A, B):
        for volume in (7.0, 8.0):
            once.new(source, 0, closed(0, volume), [], 0)
    assert once.new(A, 0, closed(0, 7.0), [], 0) == closed(0, 7.0)
    assert once.new(B, 0, closed(0, 7.0), [], 0) is None


def test_same_list_of_instruments_within_seconds_is_one() -> None:
    once = ByContent()
    assert once.new(A, 0, (), b"[1]", 0) == ()
    assert once.new(B, 0, (), b"[1]", 1_000_000) is None
    assert once.new(B, 0, (), b"[2]", 1_000_000) == ()
    assert once.new(A, 0, (), b"[1]", 60_000_000) == ()


def test_every_channel_has_its_rule() -> None:
    kinds = {channel: type(rule(channel)) for channel in Channel if channel is not Channel.BOOK}
    assert kinds[Channel.TRADES] is kinds[Channel.TRADES_ALL] is Trades
    assert kinds[Channel.CANDLES] is Bars
    assert kinds[Channel.INSTRUMENTS] is ByContent
    assert {kinds[c] for c in (Channel.TICKER, Channel.MARK, Channel.BBO, Channel.STATUS)} == {LatestWins}


def test_states_that_one_line_brings_in_the_wrong_order_are_not_new_on_the_other() -> None:
    once = LatestWins()
    heard = [
        once.new(source, ts, (), content, 0)
        for source, ts, content in (("one", 2, "b"), ("one", 1, "a"), ("two", 1, "a"), ("two", 2, "b"), ("two", 3, "c"))
    ]
    assert heard == [(), (), None, None, ()]
