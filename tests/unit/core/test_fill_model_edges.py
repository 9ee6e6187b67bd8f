"""Cases in which a plausible kernel is wrong: crossing wishes, additions, reopened positions, odd steps, huge sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from onetape.core import loop
from onetape.core.bars import bars_of, fixed, funding_of
from onetape.core.snap import above, below, beyond, nearest
from onetape.core.state import REASONS, empty_book, fill_buffer
from onetape.core.stats import T_OPEN, T_WIDTH, bars_held, round_trips
from onetape.domain.accounts import Account, Costs, Exits, RiskLimits, Rules, Sizing, Terms

ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT, TRAILING = 1, 2, 3, 4, 5
NAN = math.nan
QUIET = (100.0, 101.0, 99.0, 100.0)
TWO = Sizing.parse("qty:2")
SHORT = RiskLimits(allow_short=1.0)


# -- snapping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("units", [1e9, 9.3e10, 1e12, 1e15])
def test_a_billion_units_in_tiny_lots_stay_what_they_are(units):
    # 1e12 / 1e-8 = 1e20 steps: more than a 64-bit integer counts
    assert nearest(units, 1e-8) == below(units, 1e-8) == above(units, 1e-8) == units


@pytest.mark.parametrize("step", [0.05, 5.0, 100.0, 0.25, 1e-8])
def test_multiples_of_any_step_stay_where_they_are(step):
    for count in (1, 3, 7, 999, 123_457):
        x = float(f"{count * step:.12g}")
        assert nearest(x, step) == below(x, step) == above(x, step) == x


def test_a_price_beyond_goes_to_the_next_tick_outward():
    assert beyond(97.706, 0.5, -1.0) == 97.5
    assert beyond(97.706, 0.5, 1.0) == 98.0
    assert beyond(97.5, 0.5, 1.0) == beyond(97.5, 0.5, -1.0) == 97.5
    assert beyond(97.706, 0.0, 1.0) == 97.706


def test_a_stop_never_snaps_to_the_wrong_side_of_its_entry(play):
    # 0.1 % below 100.4 is 100.2996; the nearest tick, 100.5, would lie above what was paid
    bars = [(100.4, 100.4, 100.4, 100.4)] * 2
    out = play(bars, [1.0], exits=Exits(stop=0.001, take=0.001), terms=Terms(tick=0.5))
    assert out.orders == [(STOP_LOSS, -1.0, 100.0), (TAKE_PROFIT, -1.0, 101.0)]


def test_the_exits_of_a_short_snap_outward_too(play):
    bars = [(100.4, 100.4, 100.4, 100.4)] * 2
    out = play(bars, [-1.0], exits=Exits(stop=0.001, take=0.001), terms=Terms(tick=0.5), limits=SHORT)
    assert out.orders == [(STOP_LOSS, 1.0, 101.0), (TAKE_PROFIT, 1.0, 100.0)]


def test_a_limit_to_sell_snaps_up(play):
    out = play([QUIET, QUIET], [{"target": -1.0, "limit": 105.1}], terms=Terms(tick=0.5), limits=SHORT)
    assert out.orders == [(ENTRY, -1.0, 105.5)]


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_limit_that_the_open_has_crossed_already_pays_the_taker_fee(play):
    # it opens at 94 below a buy at 95: nothing proves that the order rested; 95 * 0.2 %
    out = play([QUIET, (94, 96, 93, 95)], [{"target": 1.0, "limit": 95.0}], costs=Costs(0.001, 0.002, 0.01))
    assert out.rows == [(1, ENTRY, 1.0, 95.0)]
    assert out.account.fees == pytest.approx(0.19)
    assert out.fills[0, 4] == 0.0


def test_the_size_of_a_limit_uses_the_equity_at_the_close(play):
    # turning 50 at a close of 100: equity 10,000; half of it at a limit of 125 is 40 (at 125 it would seem 11,250: 45)
    start = Account(cash=5_000.0, qty=50.0, entry_price=100.0, peak=10_000.0, target=1.0, said=1.0)
    limits = RiskLimits(allow_short=1.0)
    out = play([QUIET], [{"target": -1.0, "limit": 125.0}], account=start, sizing=Sizing(0.0, 0.5), limits=limits)
    assert out.orders == [(EXIT, -50.0, 0.0), (ENTRY, -40.0, 125.0)]


def test_what_is_bought_inside_a_candle_does_not_profit_from_a_take_the_candle_reached(play):
    # 1 held with a take at 104; 1 more waits at 95 and brings no take. The candle sees 106 and 94, in an unknown order:
    # the old unit is sold at 104, the new one stays
    bars = [QUIET, QUIET, (100, 106, 94, 100)]
    signals = [{"target": 0.5, "take": 0.04}, {"target": 1.0, "limit": 95.0}]
    out = play(bars, signals, sizing=TWO)
    assert out.rows[1:] == [(2, TAKE_PROFIT, -1.0, 104.0), (2, ENTRY, 1.0, 95.0)]
    assert out.account.qty == 1.0


# -- wishes that meet orders which wait --------------------------------------------------------------------------------


def test_a_wish_said_again_keeps_the_addition_that_waits(play):
    signals = [0.5, {"target": 1.0, "limit": 95.0}, NAN, {"target": 1.0, "limit": 94.0}]
    out = play([QUIET] * 4 + [(100, 100, 93, 99)], signals, sizing=TWO)
    assert out.rows[1:] == [(4, ENTRY, 1.0, 94.0)]


def test_an_addition_that_was_refused_may_be_wished_again(play):
    start = Account(cash=9_900.0, qty=1.0, entry_price=100.0, peak=10_000.0, target=0.5, said=0.5)
    terms = Terms(min_notional=150.0)  # 1 more at 100 is too little, at 160 it is enough
    bars = [QUIET, QUIET, (160, 160, 160, 160), QUIET]
    out = play(bars, [1.0, NAN, 1.0], account=start, sizing=TWO, terms=terms)
    assert out.rows == [(3, ENTRY, 1.0, 100.0)]
    assert len(out.rejected) == 1


def by_rows(targets, known, n, **parts):
    """Several signal rows between two fill candles."""
    plain = {"costs": Costs(0.0, 0.0, 0.0), "sizing": TWO, "limits": RiskLimits(), "exits": Exits(), "terms": Terms()}
    column = np.full(n, 100.0)
    none = np.empty(0)
    fills = fill_buffer(1000)
    account, _, _, count, _ = loop.run(
        bars_of((column, column, column, column)),
        np.array(known),
        tuple(fixed(one) for one in (np.array(targets), none, none, none, none)),
        Account(cash=10_000.0, peak=10_000.0),
        empty_book(),
        Rules(**(plain | parts)),
        funding_of(),
        (0, 0, 0, 0),
        n,
        np.empty(n),
        fills,
        np.zeros(len(REASONS), np.int64),
    )
    return account, fills[:count]


def test_a_reduction_wished_twice_before_it_could_fill_is_made_once():
    account, fills = by_rows([1.0, 0.5, NAN, 0.5], [1, 4, 4], 3)
    assert account[1] == 1.0
    assert len(fills) == 2


def test_an_exit_taken_back_before_it_could_fill_leaves_the_position():
    account, fills = by_rows([1.0, 0.0, 1.0], [1, 3, 3], 3)
    assert account[1] == 2.0
    assert len(fills) == 1


# -- small rests -------------------------------------------------------------------------------------------------------


def test_a_whole_position_leaves_even_below_the_smallest_size(play):
    start = Account(cash=9_999.0, qty=0.01, entry_price=100.0, peak=10_000.0, target=1.0, said=1.0)
    out = play([QUIET, QUIET], [0.0], account=start, terms=Terms(lot=0.01, min_qty=0.1, min_notional=10.0))
    assert out.rows == [(1, EXIT, -0.01, 100.0)]
    assert out.account.qty == 0.0


def test_a_wish_for_less_than_the_smallest_size_closes(play):
    out = play([QUIET, QUIET, QUIET], [1.0, 0.01], sizing=TWO, terms=Terms(min_qty=0.1))
    assert out.rows[1:] == [(2, EXIT, -2.0, 100.0)]


def test_a_part_below_the_smallest_size_is_not_sold(play):
    out = play([QUIET, QUIET, QUIET], [1.0, 0.99], sizing=TWO, terms=Terms(min_qty=0.1))
    assert len(out.rows) == 1
    assert out.rejected == {"below the venue's minimum size": 1}


def test_a_buy_cut_below_the_smallest_size_is_dropped(play):
    # 10,000 at a close of 100 are 100; at an open of 300 cash covers 33, below the smallest size of 50
    out = play([QUIET, (300, 300, 300, 300)], [1.0], sizing=Sizing.parse("fraction:1"), terms=Terms(0.0, 1.0, 50.0))
    assert out.rows == []
    assert out.orders == []


# -- trailing stops ----------------------------------------------------------------------------------------------------


def test_an_addition_never_draws_a_trailing_stop_back(play):
    # best 150: stop at 142.5; 1 more at 145 makes the average 122.5, but the stop stays
    bars = [QUIET, QUIET, (100, 150, 100, 150), (145, 146, 144, 145)]
    out = play(bars, [0.5, NAN, 1.0], sizing=TWO, exits=Exits(trail=0.05))
    assert out.orders == [(TRAILING, -2.0, pytest.approx(142.5))]


def test_the_best_price_of_a_position_that_was_reopened_begins_at_its_entry(play):
    # the long from 100 is stopped at 98; the waiting buy at 95 fills. The high of 103 came before it: 5 % below the
    # close of 97 is 92.15
    bars = [QUIET, QUIET, (100, 103, 94, 97)]
    signals = [{"target": 0.5, "stop": 0.02}, {"target": 1.0, "limit": 95.0, "trail": 0.05}]
    out = play(bars, signals, sizing=TWO)
    assert out.rows[1:] == [(2, STOP_LOSS, -1.0, 98.0), (2, ENTRY, 1.0, 95.0)]
    assert out.orders == [(TRAILING, -1.0, pytest.approx(92.15))]


# -- dust --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "lot"), [(1e-8, 1e-8), (1e-5, 1e-8), (1e-3, 1e-8), (3.0, 0.3), (1e5, 1e-8), (7.0, 0.0)]
)
def test_trips_are_flat_when_the_account_is(play, price, lot):
    random = np.random.default_rng(5)
    close = price * np.exp(np.cumsum(random.normal(0, 0.01, 240)))
    bars = np.stack([close, close * 1.001, close * 0.999, close], axis=1)
    signals = [1.0, 0.5, 0.7, 0.9, 0.3, 0.0] * 30
    out = play(bars, signals, sizing=Sizing(), costs=Costs(), terms=Terms(0.0, lot))
    trips = np.empty((len(out.fills) + 1, T_WIDTH))
    count = round_trips(out.fills, 239, float(close[-1]), lot, trips)
    assert out.account.qty == 0.0
    assert count == 30
    assert not trips[:count, T_OPEN].any()
    assert bars_held(out.fills, 240) == 30 * 5
