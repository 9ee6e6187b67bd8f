"""What was seen lately: never less than asked for, never more than twice as much."""

from __future__ import annotations

from onetape.domain.market import Print
from onetape.exchanges.once import ById
from onetape.exchanges.recent import Recent


def test_newest_keys_are_known_and_old_ones_are_let_go() -> None:
    recent: Recent[int] = Recent(3)
    assert all(recent.add(key) for key in range(10))
    assert [key in recent for key in (7, 8, 9)] == [True, True, True]
    assert [key in recent for key in range(4)] == [False] * 4  # at most six are remembered


def test_key_that_comes_again_is_not_new_and_stays_as_long_as_a_new_one() -> None:
    recent: Recent[int] = Recent(3)
    for key in (1, 2, 3):  # the first set is full
        recent.add(key)
    assert not recent.add(1)
    for key in (4, 5):  # the second one, with 1 in it
        recent.add(key)
    assert [key in recent for key in (1, 2)] == [True, False]


def test_cleared_knows_nothing() -> None:
    recent: Recent[str] = Recent(1)
    recent.add("a")
    recent.add("b")
    recent.clear()
    assert recent.add("a")


def test_trade_with_an_absurd_id_is_told_once_and_ends_nothing() -> None:
    once = ById()
    odd = Print("okx", "BTC-USDT", "9" * 5_000, 1, 1.0, 1.0, 1)
    assert once.new("a", 1, (odd,), None, 1) == (odd,)
    assert once.new("b", 1, (odd,), None, 2) is None
