from __future__ import annotations

from onetape.domain.market import Channel
from onetape.exchanges.okx.spread import CHANNELS, DEEP, Slot, Spread
from onetape.exchanges.okx.wire import Arg


def test_what_matters_is_carried_on_two_lanes_and_the_rest_on_one() -> None:
    spread = Spread(2)
    assert spread.place(Arg("trades", "X"), Channel.TRADES) == [Slot("public", "a", 1), Slot("public", "b", 1)]
    assert spread.place(Arg("mark-price", "X"), Channel.MARK) == [Slot("public", "a", 1)]
    assert spread.place(Arg("candle1m", "X"), Channel.CANDLES) == [Slot("business", "a", 1), Slot("business", "b", 1)]
    assert str(Slot("public", "b", 1)) == "public/b1"


def test_one_lane_carries_everything_once() -> None:
    assert len(Spread(1).place(Arg("trades", "X"), Channel.TRADES)) == 1


def test_no_connection_has_more_books_than_the_venue_advises() -> None:
    spread = Spread(1)
    slots = [spread.place(Arg("books", str(i)), Channel.BOOK)[0] for i in range(60)]
    assert DEEP < 30
    assert [slots.count(Slot("public", "a", n)) for n in (1, 2, 3)] == [DEEP, DEEP, 60 - 2 * DEEP]
    assert spread.place(Arg("trades", "X"), Channel.TRADES) == [Slot("public", "a", 1)]  # which has room for others


def test_full_connection_is_followed_by_another_and_room_is_used_again() -> None:
    spread = Spread(1)
    args = [Arg("trades", str(i)) for i in range(CHANNELS)]
    for arg in args:
        spread.place(arg, Channel.TRADES)
    assert spread.place(Arg("trades", "more"), Channel.TRADES) == [Slot("public", "a", 2)]
    assert spread.remove([args[0]]) == []
    assert spread.place(Arg("trades", "again"), Channel.TRADES) == [Slot("public", "a", 1)]


def test_connection_without_a_subscription_is_given_up() -> None:
    spread = Spread(2)
    spread.place(Arg("trades", "X"), Channel.TRADES)
    assert spread.remove([Arg("trades", "X")]) == [Slot("public", "a", 1), Slot("public", "b", 1)]


def test_successor_has_a_new_name_and_all_subscriptions() -> None:
    spread = Spread(1)
    for name in ("X", "Y"):
        spread.place(Arg("trades", name), Channel.TRADES)
    after, args = spread.replace(Slot("public", "a", 1))
    assert after == Slot("public", "a", 2)
    assert args == (Arg("trades", "X"), Arg("trades", "Y"))
    assert spread.place(Arg("trades", "Z"), Channel.TRADES) == [after]
