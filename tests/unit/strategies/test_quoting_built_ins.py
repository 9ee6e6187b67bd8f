"""What the built-in quoting strategies want to rest, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from onetape import Market, Quote, View
from onetape.domain.accounts import Account, Terms
from onetape.domain.errors import BadInput
from onetape.domain.orders import OrderKind, Side
from onetape.strategies.dca import Dca
from onetape.strategies.grid import Grid
from onetape.strategies.market_maker import MarketMaker
from onetape.strategies.quoting import prepared


def view(close: float, account: Account, **row: float) -> View:
    return View(0, close, row, account, Terms())


def said(quotes: list[Quote]) -> list[tuple[str, float, float]]:
    return [(quote.side.name, pytest.approx(quote.qty), pytest.approx(quote.price)) for quote in quotes]


# --- grid: levels are powers of 1.1; 1.1^47 = 88.197, 1.1^48 = 97.017, 1.1^49 = 106.719, 1.1^50 = 117.391

GRID = Grid(levels=2, spacing=0.1, size=0.4, length=5)
L46, L47, L48, L49, L50 = (1.1**i for i in range(46, 51))
SLICE = 0.4 * 10_000 / L49  # the top, 100, lies just under level 49


def test_grid_without_a_position_bids_at_the_levels_below_the_top() -> None:
    quotes = GRID.quotes(view(100.0, Account(cash=10_000.0), top=100.0))
    assert said(quotes) == [("BUY", SLICE, L48), ("BUY", SLICE, L47)]
    assert {quote.force for quote in quotes} == {"post_only"}


def test_grid_sells_a_slice_one_level_above_its_purchase_and_bids_for_the_rest() -> None:
    held = Account(cash=10_000.0 - SLICE * L48, qty=SLICE, entry_price=L48)
    quotes = GRID.quotes(view(97.0, held, top=100.0))
    assert said(quotes) == [("SELL", SLICE, L49), ("BUY", SLICE, L47)]
    assert quotes[0].reduce_only


def test_grid_that_is_filled_offers_each_slice_one_level_above_its_purchase() -> None:
    average = (L48 + L47) / 2
    held = Account(cash=10_000.0 - 2 * SLICE * average, qty=2 * SLICE, entry_price=average)
    assert said(GRID.quotes(view(85.0, held, top=100.0))) == [("SELL", SLICE, L49), ("SELL", SLICE, L48)]


def test_grid_levels_that_the_price_has_passed_are_quoted_beyond_the_last_close() -> None:
    # at 85 the nearest level below is 46 (80.179): both slices wait there, as one order
    assert said(GRID.quotes(view(85.0, Account(cash=10_000.0), top=100.0))) == [("BUY", 2 * SLICE, L46)]
    # at 110, above level 49, the slice is offered at level 50
    held = Account(cash=10_000.0 - SLICE * L48, qty=SLICE, entry_price=L48)
    assert said(GRID.quotes(view(110.0, held, top=100.0)))[0] == ("SELL", SLICE, L50)


def test_grid_price_on_a_level_bids_one_below_it() -> None:
    quotes = GRID.quotes(view(L48, Account(cash=10_000.0), top=L48))
    slice_qty = 0.4 * 10_000 / L48
    assert said(quotes) == [("BUY", slice_qty, L47), ("BUY", slice_qty, L46)]


def test_grid_that_would_spend_more_than_there_is_is_refused() -> None:
    with pytest.raises(BadInput, match=r"parameters\.size.*too large: 5 slices of it are 1\.5"):
        Grid(levels=5, size=0.3)


# --- dca


DCA = Dca(base=0.1, safety=0.1, orders=2, step=0.1, scale=2.0, take=0.05)


def test_dca_buys_at_the_market_when_nothing_is_held() -> None:
    [quote] = DCA.quotes(view(100.0, Account(cash=10_000.0)))
    assert quote == Quote(Side.BUY, 10.0, kind=OrderKind.MARKET, take=0.05)


def test_dca_safety_orders_hang_from_the_first_purchase() -> None:
    # 10 units at 100: safety orders for 1,000 at 90 and for 2,000 at 80
    quotes = DCA.quotes(view(99.0, Account(cash=9_000.0, qty=10.0, entry_price=100.0)))
    assert said(quotes) == [("BUY", 1_000 / 90, 90.0), ("BUY", 25.0, 80.0)]
    assert {(quote.take, quote.stop) for quote in quotes} == {(0.05, None)}


def test_dca_finds_the_first_purchase_from_the_average_after_a_safety_order() -> None:
    # 10 at 100 and 11.111 at 90: 2,000 for 21.111 units, 94.737 each; the last safety order stays at 80
    qty = 10 + 1_000 / 90
    [last] = DCA.quotes(view(92.0, Account(cash=8_000.0, qty=qty, entry_price=2_000 / qty)))
    assert (last.price, last.qty) == (pytest.approx(80.0), pytest.approx(25.0))


def test_dca_with_all_safety_orders_filled_only_waits() -> None:
    qty = 10 + 1_000 / 90 + 25
    assert DCA.quotes(view(75.0, Account(cash=6_000.0, qty=qty, entry_price=4_000 / qty))) == []


def test_dca_level_that_the_price_has_passed_waits_at_the_last_close() -> None:
    quotes = DCA.quotes(view(85.0, Account(cash=9_000.0, qty=10.0, entry_price=100.0)))
    assert said(quotes) == [("BUY", 1_000 / 85, 85.0), ("BUY", 25.0, 80.0)]


def test_dca_stop_follows_the_average_too() -> None:
    [quote] = Dca(stop=0.2).quotes(view(100.0, Account(cash=10_000.0)))
    assert quote.stop == 0.2


def test_dca_orders_beyond_the_equity_or_below_zero_are_refused() -> None:
    with pytest.raises(BadInput, match=r"all orders are 1\.3 of equity"):
        Dca(base=0.3, safety=0.5, orders=2, scale=1.0)
    with pytest.raises(BadInput, match="the last is below 0"):
        Dca(step=0.25, orders=4)


# --- market maker: fair value 100, mean range 2, so quotes 2 beside the centre


MAKER = MarketMaker(width=1.0, skew=1.0, size=0.1, most=0.8, least=0.001)
ROW = {"fair": 100.0, "range": 2.0}


def test_market_maker_at_its_aim_quotes_both_sides_evenly() -> None:
    # 40 units at 100 of an equity of 10,000 are the aim, 0.4
    quotes = MAKER.quotes(view(100.0, Account(cash=6_000.0, qty=40.0, entry_price=100.0), **ROW))
    assert said(quotes) == [("SELL", 1_000 / 102, 102.0), ("BUY", 1_000 / 98, 98.0)]
    assert [(quote.force, quote.reduce_only) for quote in quotes] == [("post_only", True), ("post_only", False)]


def test_market_maker_without_a_position_leans_up_but_never_takes() -> None:
    # leaning -1: the centre is 102, the bid would be 100, and 0.1 % below the last price is 99.9; nothing to sell
    assert said(MAKER.quotes(view(100.0, Account(cash=10_000.0), **ROW))) == [("BUY", 1_000 / 99.9, 99.9)]


def test_market_maker_that_is_full_leans_down_and_only_sells() -> None:
    quotes = MAKER.quotes(view(100.0, Account(cash=2_000.0, qty=80.0, entry_price=100.0), **ROW))
    assert said(quotes) == [("SELL", 1_000 / 100.1, pytest.approx(100.1))]


def test_market_maker_that_may_sell_short_aims_at_nothing() -> None:
    maker = MarketMaker(width=1.0, size=0.1, most=0.5, short=True)
    quotes = maker.quotes(view(100.0, Account(cash=10_000.0), **ROW))
    assert said(quotes) == [("SELL", 1_000 / 102, 102.0), ("BUY", 1_000 / 98, 98.0)]
    assert not quotes[0].reduce_only
    full = Account(cash=15_000.0, qty=-50.0, entry_price=100.0)  # half of the equity, short: nothing more to sell
    assert [quote.side for quote in maker.quotes(view(100.0, full, **ROW))] == [Side.BUY]


def test_market_maker_without_equity_quotes_nothing() -> None:
    assert MAKER.quotes(view(100.0, Account(cash=0.0), **ROW)) == []


# --- columns


@pytest.mark.parametrize("strategy", [Grid(length=4), MarketMaker(fair=3, length=4)])
def test_columns_have_values_from_the_warm_up_on(strategy, frames) -> None:
    columns = prepared(strategy, Market(frames([10, 12, 11, 14, 13, 12, 15])))
    for values in columns.values():
        assert np.isfinite(values[strategy.warmup() - 1 :]).all()


def test_market_maker_columns_are_means_of_closes_and_of_ranges(frames) -> None:
    # every candle is 2 high; a step of 1 from close to close lies inside it, one of 3 reaches 4
    columns = prepared(MarketMaker(fair=2, length=2), Market(frames([10, 11, 14, 13])))
    assert columns["fair"][3] == 13.5
    assert columns["range"][3] == (4.0 + 2.0) / 2
