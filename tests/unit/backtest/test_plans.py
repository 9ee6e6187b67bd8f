"""Quotes as rows of a plan."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from onetape import Quote
from onetape.backtest.plans import write
from onetape.core import plan as col
from onetape.core.plan import PLAN_WIDTH, blank_plan
from onetape.core.state import POST_ONLY
from onetape.domain.errors import BadInput
from onetape.domain.orders import OrderKind, Side


def test_each_field_has_its_column() -> None:
    plan = blank_plan(16)
    whole = Quote(
        Side.SELL, 2.0, 101.0, OrderKind.LIMIT, reduce_only=True, force="post_only", life_s=1.5, group=3,
        stop=0.1, take=0.2, trail=0.3,
    )  # fmt: skip
    write(plan, [whole, Quote(Side.BUY, 1.0, 99.0, OrderKind.STOP_LIMIT, worst=100.0)], "any", 0)
    places = [
        col.P_KIND, col.P_SIDE, col.P_QTY, col.P_PRICE, col.P_WORST, col.P_REDUCE, col.P_FORCE, col.P_LIFE,
        col.P_GROUP, col.P_STOP, col.P_TAKE, col.P_TRAIL,
    ]  # fmt: skip
    assert plan[0, places].tolist() == [2, -1, 2.0, 101.0, 0.0, 1.0, POST_ONLY, 1.5e6, 3.0, 0.1, 0.2, 0.3]
    assert plan[1, places[:9]].tolist() == [4, 1, 1.0, 99.0, 100.0, 0.0, 0.0, 0.0, 0.0]
    assert np.isnan(plan[1, col.P_STOP :]).all()
    assert len(Quote._fields) == PLAN_WIDTH


def test_a_row_that_was_written_before_keeps_nothing() -> None:
    plan = blank_plan(16)
    write(plan, [Quote(Side.SELL, 2.0, 101.0, force="ioc", take=0.2)], "any", 0)
    write(plan, [Quote(Side.BUY, 1.0, kind=OrderKind.MARKET)], "any", 0)
    assert plan[0, : col.P_STOP].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert np.isnan(plan[0, col.P_STOP :]).all()


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"side": 0}, "side.*neither"),
        ({"qty": -0.5}, "qty.*from 0 on"),
        ({"qty": math.nan}, "qty.*from 0 on"),
        ({"qty": "1"}, "qty.*from 0 on"),
        ({"qty": None}, "qty.*from 0 on"),
        ({"price": 0.0}, "price.*above 0"),
        ({"price": math.inf}, "price.*above 0"),
        ({"price": math.nan}, "price.*above 0"),
        ({"kind": OrderKind.MARKET}, "price.*a market order"),
        ({"kind": 9}, "kind.*not an OrderKind"),
        ({"kind": OrderKind.STOP_LIMIT}, "worst.*needs one"),
        ({"worst": 5.0}, "worst.*only a stop-limit"),
        ({"force": "day"}, "force.*none of gtc, ioc, fok, post_only"),
        ({"force": "ioc", "kind": OrderKind.STOP}, "force.*only for a limit"),
        ({"life_s": -1.0}, "life_s.*seconds"),
        ({"group": -1}, "group.*from 0 on"),
        ({"stop": 1.0}, "stop.*between 0 and 1"),
        ({"take": 0.0}, "take.*above 0"),
        ({"trail": math.nan}, "trail.*between 0 and 1"),
    ],
)
def test_what_is_no_order_is_named(parts: dict[str, Any], words: str) -> None:
    good: dict[str, Any] = {"side": Side.BUY, "qty": 1.0, "price": 100.0}
    fine = Quote(**good)
    with pytest.raises(BadInput, match=f"quotes of mine at 1970-01-01T00:00:01Z: number 1, {words}"):
        write(blank_plan(16), [fine, Quote(**(good | parts))], "mine", 1_000_000)


def test_what_is_no_quote_is_named() -> None:
    with pytest.raises(BadInput, match=r"number 0.*not a Quote"):
        write(blank_plan(16), [(Side.BUY, 1.0)], "mine", 0)  # type: ignore[list-item]
