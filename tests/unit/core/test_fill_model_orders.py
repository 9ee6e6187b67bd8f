"""Forces, times, shares of volume, delay, margin and funding: each case worked by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from minutes import MINUTE, NAN, SECOND, flat, run

from onetape.core import loop
from onetape.core.bars import bars_of, fixed, funding_of
from onetape.core.state import (
    F_BAR,
    F_DELAY,
    F_FEE,
    F_MAKER,
    F_PART,
    F_PRICE,
    F_QTY,
    F_ROLE,
    FOK,
    IOC,
    LIQUIDATION,
    POST_ONLY,
    REASONS,
    STOP_LOSS,
    empty_book,
    fill_buffer,
    resting,
)
from onetape.domain.accounts import Account, Costs, Execution, Exits, RiskLimits, Rules, Sizing, Terms


def test_a_large_order_takes_its_share_of_each_candle_and_waits_for_the_rest() -> None:
    # 10 wanted, a tenth of 40 units may be had of each candle: 4 + 4 + 2
    bars = [flat(100.0, 40.0) for _ in range(5)]
    account, fills, _, _ = run(
        bars, [1.0], sizing=Sizing.parse("qty:10"), execution=Execution(share=0.1), cash=10_000.0
    )
    assert fills[:, F_QTY].tolist() == [4.0, 4.0, 2.0]
    assert fills[:, F_BAR].tolist() == [1.0, 2.0, 3.0]
    assert fills[:, F_PART].tolist() == [1.0, 2.0, 3.0]
    assert account.qty == 10.0
    assert account.cash == 9_000.0


def test_a_stop_that_finds_too_little_volume_goes_on_at_the_market() -> None:
    # bought 2 at 100; the stop at 98 is touched in a candle with room for 1; the other one fills at the next open
    bars = [flat(100.0), flat(100.0), (99.0, 99.0, 97.0, 97.5, 10.0), (97.0, 98.0, 96.0, 97.0, 10.0), flat(97.0)]
    account, fills, _, _ = run(
        bars, [1.0], sizing=Sizing.parse("qty:2"), exits=Exits(stop=0.02), execution=Execution(share=0.1)
    )
    assert fills[1:, [F_BAR, F_ROLE, F_QTY, F_PRICE]].tolist() == [
        [2.0, STOP_LOSS, 1.0, 98.0],
        [3.0, STOP_LOSS, 1.0, 97.0],
    ]
    assert account.qty == 0.0
    assert account.cash == 10_000.0 - 200.0 + 98.0 + 97.0


def test_a_market_order_on_its_way_meets_the_share_of_the_candle_that_is_over_against_it() -> None:
    # sent at the close of candle 0 with 15 s of delay: a quarter of candle 1 is over, its high is 104
    bars = [flat(100.0), (100.0, 104.0, 99.0, 101.0, 50.0), flat(101.0)]
    account, fills, _, _ = run(bars, [1.0], execution=Execution(latency=15.0 * SECOND))
    assert fills[0, [F_PRICE, F_DELAY]].tolist() == [101.0, 1.0]
    assert account.delay == 1.0


def test_a_delay_of_a_whole_candle_fills_at_the_open_after_it() -> None:
    bars = [flat(100.0), (101.0, 110.0, 90.0, 105.0, 50.0), (103.0, 104.0, 99.0, 101.0, 50.0)]
    _, fills, _, _ = run(bars, [1.0], execution=Execution(latency=60.0 * SECOND))
    assert fills[:, [F_BAR, F_PRICE]].tolist() == [[2.0, 103.0]]


def test_a_limit_on_its_way_is_not_filled_by_the_candle_in_which_it_arrives() -> None:
    bars = [flat(100.0), (100.0, 100.0, 98.0, 100.0, 50.0), (100.0, 100.0, 98.0, 100.0, 50.0), flat(100.0)]
    _, fills, _, _ = run(bars, [{"target": 1.0, "limit": 99.0}], execution=Execution(latency=1.0 * SECOND))
    assert fills[:, [F_BAR, F_PRICE]].tolist() == [[2.0, 99.0]]


def test_a_limit_whose_time_is_over_is_taken_back_and_counted() -> None:
    # two minutes from the close of candle 0: it may fill in candles 1 and 2, and is gone when candle 3 opens
    bars = [flat(100.0), flat(100.0), flat(100.0), (100.0, 100.0, 98.0, 99.0, 5.0), flat(99.0)]
    _, fills, book, rejected = run(bars, [{"target": 1.0, "limit": 99.0}], execution=Execution(life=2.0 * MINUTE))
    assert len(fills) == 0
    assert len(resting(book)) == 0
    assert rejected == {"not filled within its time": 1}


@pytest.mark.parametrize(
    ("opened", "filled", "refused"),
    [(98.5, 0, 1), (99.0, 0, 1), (99.5, 1, 0)],
    ids=["opens beyond: refused", "opens at the price: refused", "opens above: rests and fills"],
)
def test_post_only_is_refused_when_it_would_take(opened: float, filled: int, refused: int) -> None:
    bars = [flat(100.0), (opened, 99.5, 98.0, 99.0, 50.0), flat(99.0)]
    _, fills, _, rejected = run(
        bars, [{"target": 1.0, "limit": 99.0}], execution=Execution(force=POST_ONLY), costs=Costs(0.001, 0.002)
    )
    assert len(fills) == filled
    assert rejected.get("a post-only order that would have taken", 0) == refused
    if filled:
        assert fills[0, [F_MAKER, F_FEE]].tolist() == [1.0, 99.0 * 0.001]


def test_immediate_or_cancel_takes_the_open_up_to_its_price_and_drops_the_rest() -> None:
    # 5 wanted at 99 at most, room for 2: the open of 98.5 with a slippage of 1 % would be 99.485, but 99 is the limit
    bars = [flat(100.0), (98.5, 99.5, 98.0, 99.0, 20.0), flat(98.0, 20.0)]
    account, fills, book, rejected = run(
        bars, [{"target": 1.0, "limit": 99.0}], sizing=Sizing.parse("qty:5"),
        execution=Execution(force=IOC, share=0.1), costs=Costs(0.0, 0.0, 0.01),
    )  # fmt: skip
    assert fills[:, [F_BAR, F_QTY, F_PRICE, F_MAKER]].tolist() == [[1.0, 2.0, 99.0, 0.0]]
    assert len(resting(book)) == 0
    assert account.qty == 2.0
    assert rejected == {"not to be had at once": 1}


def test_fill_or_kill_fills_whole_or_not_at_all() -> None:
    bars = [flat(100.0), (98.5, 99.5, 98.0, 99.0, 20.0), flat(98.0, 20.0)]
    wish = {"target": 1.0, "limit": 99.0}
    _, fills, _, rejected = run(bars, [wish], sizing=Sizing.parse("qty:5"), execution=Execution(force=FOK, share=0.1))
    assert (len(fills), rejected) == (0, {"not to be had at once": 1})
    _, fills, _, _ = run(bars, [wish], sizing=Sizing.parse("qty:2"), execution=Execution(force=FOK, share=0.1))
    assert fills[:, [F_QTY, F_PRICE]].tolist() == [[2.0, 98.5]]


def test_a_stop_with_a_limit_waits_when_the_market_jumps_over_it() -> None:
    # bought at 100, stop 98 with a limit of 97.02 (1 % below); an open of 95 is beyond it; sold when the price is back
    bars = [flat(100.0), flat(100.0), (95.0, 96.0, 94.0, 95.0, 9.0), (96.0, 98.0, 96.0, 98.0, 9.0), flat(98.0)]
    _, fills, _, _ = run(bars, [1.0], exits=Exits(stop=0.02), execution=Execution(stop_limit=0.01))
    assert fills[1:, [F_BAR, F_ROLE, F_PRICE, F_MAKER]].tolist() == [[3.0, STOP_LOSS, 97.02, 1.0]]


def test_a_liquidated_position_loses_its_margin_and_no_more() -> None:
    # 1 bought at 100 with a leverage of 10: margin 10, bankrupt at 90, liquidated at 90 / (1 - 0.01) = 90.909...
    bars = [flat(100.0), flat(100.0), (95.0, 95.0, 90.9, 94.0, 9.0), flat(60.0)]
    account, fills, _, _ = run(
        bars, [1.0], limits=RiskLimits(max_exposure=10.0, leverage=10.0), terms=Terms(0.01, 0.01, maintenance=0.01)
    )
    assert fills[1, [F_BAR, F_ROLE, F_PRICE, F_FEE]].tolist() == [2.0, LIQUIDATION, 90.0, 0.0]
    assert account.cash == 9_990.0


def test_a_position_that_stays_above_its_maintenance_margin_is_kept() -> None:
    bars = [flat(100.0), flat(100.0), (95.0, 95.0, 90.92, 94.0, 9.0), flat(94.0)]
    account, fills, _, _ = run(
        bars, [1.0], limits=RiskLimits(max_exposure=10.0, leverage=10.0), terms=Terms(0.01, 0.01, maintenance=0.01)
    )
    assert (len(fills), account.qty) == (1, 1.0)


def test_funding_is_paid_on_what_is_held_at_the_open_of_its_candle() -> None:
    # held from the open of candle 1 on; 0.01 % of 101 at candle 2, 0.02 % of 102 received at candle 3, none at candle 1
    bars = [flat(100.0), flat(100.0), flat(101.0), flat(102.0)]
    funding = funding_of(np.array([1, 2, 3]), np.array([0.5, 0.0001, -0.0002]))
    account, _, _, _ = run(bars, [1.0], funding=funding)
    assert account.funding == pytest.approx(101.0 * 0.0001 - 102.0 * 0.0002, rel=1e-12)
    assert account.cash == pytest.approx(9_900.0 - account.funding, rel=1e-15)


def test_slippage_by_share_of_volume_and_by_its_root_add_up() -> None:
    # 1 of 25 units: share 0.04; spread 0.2 % / 2 + 0.5 * 0.04² + 0.1 * (104 - 96) / 100 * 0.2
    bars = [flat(100.0), (100.0, 104.0, 96.0, 100.0, 25.0)]
    costs = Costs(0.0, 0.0, 0.0, spread=0.002, share_impact=0.5, root_impact=0.1)
    _, fills, _, _ = run(bars, [1.0], costs=costs)
    assert fills[0, F_PRICE] == pytest.approx(100.0 * (1 + 0.001 + 0.0008 + 0.0016), rel=1e-12)


def test_a_recorded_book_is_walked_level_by_level() -> None:
    # middle 100; 2 at 101 and 1 at 102 for an order of 3: (202 + 102) / 3 = 101.33, 1.33 % above the middle
    depth = np.array([[[99.0, 5.0, 101.0, 2.0], [98.0, 5.0, 102.0, 2.0]]])
    _, fills, _, _ = run([flat(100.0), flat(100.0)], [1.0], sizing=Sizing.parse("qty:3"), depth=depth)
    assert fills[0, F_PRICE] == pytest.approx(304.0 / 3.0, rel=1e-12)


def test_a_queued_limit_fills_only_after_what_stood_before_it_has_traded() -> None:
    # 3 wait at 99 when ours arrives with 2; trades there: 2 (1 left ahead), 2 (1 of ours), 0.5, then one below frees it
    depth = np.array([[[99.0, 3.0, 101.0, 2.0]]])
    bars = [flat(100.0, 1.0), flat(100.0, 1.0), flat(99.0, 2.0), flat(99.0, 2.0), flat(99.0, 0.5), flat(98.9, 0.1)]
    _, fills, _, _ = run(
        bars, [{"target": 1.0, "limit": 99.0}], sizing=Sizing.parse("qty:2"), execution=Execution(queue=1.0),
        depth=depth, length=0, costs=Costs(0.001, 0.002),
    )  # fmt: skip
    assert fills[:, [F_BAR, F_QTY, F_PRICE, F_MAKER]].tolist() == [
        [3.0, 1.0, 99.0, 1.0],
        [4.0, 0.5, 99.0, 1.0],
        [5.0, 0.5, 99.0, 1.0],
    ]


def test_a_limit_outside_the_price_band_is_refused() -> None:
    bars = [flat(100.0), flat(100.0), flat(100.0)]
    _, fills, _, rejected = run(bars, [{"target": 1.0, "limit": 106.0}], terms=Terms(0.01, 0.01, band=0.05))
    assert (len(fills), rejected) == (0, {"outside the venue's price band": 1})


def test_a_halt_leaves_all_of_a_position_of_which_a_part_was_being_sold_already() -> None:
    # 2 bought at 100; half is to be sold, a tenth of 5 units a candle: 0.5 of 1 at candle 3, when equity has fallen by
    # more than 5 %; the halt sells what that order does not: all is gone in the end
    bars = [flat(100.0), flat(100.0), flat(100.0), flat(60.0, 5.0), flat(60.0, 1_000.0), flat(60.0, 1_000.0)]
    account, fills, book, _ = run(
        bars, [1.0, NAN, 0.5], cash=1_000.0, sizing=Sizing.parse("qty:2"), execution=Execution(share=0.1),
        limits=RiskLimits(max_drawdown=0.05),
    )  # fmt: skip
    assert fills[:, [F_BAR, F_QTY]].tolist() == [[1.0, 2.0], [3.0, 0.5], [4.0, 0.5], [4.0, 1.0]]
    assert account.qty == 0.0
    assert len(resting(book)) == 0


def mixed(rows: list[tuple[float, ...]], signals: list[float], **parts: Any) -> tuple[np.ndarray, np.ndarray]:
    """Rows are (ts, length, open, high, low, close, volume); single trades have the length 0."""
    plain: dict[str, Any] = {
        "costs": Costs(0.0, 0.0), "sizing": Sizing.parse("qty:1"), "limits": RiskLimits(), "exits": Exits(),
        "terms": Terms(0.01, 0.01),
    }  # fmt: skip
    depth = parts.pop("depth", None)
    limit = parts.pop("limit", NAN)
    array, n = np.array(rows, float), len(rows)
    none = fixed(np.empty(0))
    columns: Any = (fixed(np.array(signals)), none, none, none, fixed(np.full(n, limit)))
    equity, fills, book = np.empty(n), fill_buffer(1000), empty_book()
    books = (np.zeros(n, np.int64), depth) if depth is not None else (None, None)
    prices: Any = tuple(array.T[2:6])
    _, _, _, count, _ = loop.run(
        bars_of(prices, array[:, 6], array[:, 0].astype(np.int64), array[:, 1].astype(np.int64), *books),
        np.empty(0, np.int64), columns, Account(cash=10_000.0, peak=10_000.0), book, Rules(**(plain | parts)),
        funding_of(), (0, 0, 0, 0), n, equity, fills, np.zeros(len(REASONS), np.int64),
    )  # fmt: skip
    return fills[:count], book


def test_an_order_on_its_way_between_single_trades_and_a_candle_meets_the_candle_in_which_it_arrives() -> None:
    # sent at the trade at 10 s with a delay of 20 s; the candle from 20 s on lasts 40 s: a quarter of it is over
    rows = [
        (10 * SECOND, 0, 100.0, 100.0, 100.0, 100.0, 1.0),
        (20 * SECOND, 40 * SECOND, 100.0, 104.0, 99.0, 101.0, 50.0),
        (60 * SECOND, MINUTE, 101.0, 101.0, 101.0, 101.0, 50.0),
    ]
    fills, _ = mixed(rows, [1.0, 1.0, 1.0], execution=Execution(latency=20.0 * SECOND))
    assert fills[:, [F_BAR, F_PRICE]].tolist() == [[1.0, 101.0]]


def test_a_place_in_the_queue_does_not_move_by_a_candle_that_only_touches_the_price() -> None:
    # 3 stand at 99; the candle trades 50 units down to 99, nobody knows how many there; the next one goes through it
    depth = np.array([[[99.0, 3.0, 101.0, 2.0]]])
    rows = [
        (10 * SECOND, 0, 100.0, 100.0, 100.0, 100.0, 1.0),
        (20 * SECOND, 0, 100.0, 100.0, 100.0, 100.0, 1.0),
        (MINUTE, MINUTE, 100.0, 100.0, 99.0, 99.5, 50.0),
        (2 * MINUTE, MINUTE, 99.5, 99.5, 98.9, 99.0, 50.0),
    ]
    fills, _ = mixed(rows, [1.0, 1.0, 1.0, 1.0], limit=99.0, depth=depth, execution=Execution(queue=1.0))
    assert fills[:, [F_BAR, F_PRICE, F_MAKER]].tolist() == [[3.0, 99.0, 1.0]]


def test_impact_by_volume_and_range_is_a_matter_of_candles_not_of_single_trades() -> None:
    # an order of 1 that meets a trade of 0.01 is no hundred times the market: half of the spread of 0.2 % is all
    rows = [(10 * SECOND, 0, 100.0, 100.0, 100.0, 100.0, 1.0), (20 * SECOND, 0, 100.0, 100.0, 100.0, 100.0, 0.01)]
    fills, _ = mixed(rows, [1.0, 1.0], costs=Costs(0.0, 0.0, 0.0, spread=0.002, share_impact=0.5, root_impact=0.1))
    assert fills[0, F_PRICE] == pytest.approx(100.1, rel=1e-12)


@pytest.mark.parametrize("how", [Execution(share=0.1, life=2.0 * MINUTE), Execution(share=0.1, force=IOC)])
def test_the_same_wish_said_again_completes_an_entry_whose_rest_was_taken_back(how: Execution) -> None:
    # 5 wanted, 2 to be had; the rest is taken back at once or after two minutes; wished again, the missing 3 are sent
    bars = [
        flat(100.0), (98.5, 99.5, 98.0, 99.0, 20.0), flat(100.0, 0.0), flat(100.0, 0.0), flat(100.0, 0.0),
        (98.5, 99.5, 98.0, 99.0, 30.0), flat(99.0),
    ]  # fmt: skip
    wish = {"target": 1.0, "limit": 99.0}
    account, fills, _, _ = run(bars, [wish, NAN, NAN, NAN, wish], sizing=Sizing.parse("qty:5"), execution=how)
    assert fills[:, F_QTY].tolist() == [2.0, 3.0]
    assert account.qty == 5.0
