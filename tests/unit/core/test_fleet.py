"""Many books in time order: apart they are what they are alone; together they share what is common."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from onetape.core import loop
from onetape.core.bars import bars_of, fixed, funding_of
from onetape.core.fleet import run_together
from onetape.core.many import (
    ACCOUNT,
    COMMON_LIMIT,
    F_BOOK,
    FILL_WIDTH,
    MADE,
    TOLD,
    Aim,
    CommonLimits,
    Series,
    going,
    lists_of,
    no_aim,
    rule_rows,
)
from onetape.core.state import F_BAR, F_PRICE, F_QTY, F_SIDE, F_WIDTH, REASONS, empty_book, fill_buffer
from onetape.domain.accounts import Account, Costs, Exits, RiskLimits, Rules, Sizing, Terms

MINUTE = 60_000_000
NAN = math.nan


class Tape(NamedTuple):
    """Candles float64[n, 4] from minute `start` on, and one signal row per candle float64[n, 5]."""

    start: int
    bars: np.ndarray
    rows: np.ndarray


def tape(closes: list[float], targets: list[float], start: int = 0) -> Tape:
    """Candles that open at the close before them, without shadows."""
    opens = [closes[0], *closes[:-1]]
    bars = np.array([(o, max(o, c), min(o, c), c) for o, c in zip(opens, closes, strict=True)], float)
    rows = np.full((len(closes), 5), NAN)
    rows[: len(targets), 0] = targets
    return Tape(start, bars, rows)


def series_of(tapes: list[Tape]) -> Series:
    bars = np.concatenate([one.bars for one in tapes])
    ts = np.concatenate([(one.start + np.arange(len(one.bars))) * MINUTE for one in tapes])
    offsets = lists_of([len(one.bars) for one in tapes])
    known = np.concatenate([np.arange(1, len(one.rows) + 1) for one in tapes])
    rows = np.ascontiguousarray(np.concatenate([one.rows for one in tapes]))
    o, h, low, c = (np.ascontiguousarray(column) for column in bars.T)
    volume, length = np.full(len(bars), np.inf), np.full(len(tapes), float(MINUTE))
    never = np.empty(0, np.int64)
    return Series(
        offsets[:-1], offsets[1:], offsets[:-1], ts, o, h, low, c, volume, length, never, np.empty((0, 0, 4)),
        np.zeros(len(tapes) + 1, np.int64), never, np.empty(0), offsets, known, np.ascontiguousarray(rows[:, 0]),
        offsets[:-1], np.ascontiguousarray(rows[:, 1:]),
    )  # fmt: skip


class Together(NamedTuple):
    accounts: np.ndarray
    fills: np.ndarray
    equity: np.ndarray
    whole: np.ndarray
    rejected: np.ndarray


def together(
    tapes: list[Tape],
    rules: list[Rules],
    *,
    cash: list[float],
    shared: float = 0.0,
    limits: Any = None,
    room: int = 500,
) -> Together:
    series = series_of(tapes)
    accounts = [Account(cash=one, peak=one) for one in cash]
    now = going(series, accounts, rules, np.stack([empty_book() for _ in tapes]), shared or sum(cash), len(series.ts))
    now.equity[:] = NAN
    fills = np.empty((room, FILL_WIDTH))
    while not run_together(series, limits or CommonLimits(), shared > 0.0, no_aim(), now, fills):
        fills = np.concatenate((fills, np.empty((room, FILL_WIDTH))))
    return Together(now.accounts, fills[: now.counts[MADE]], now.equity, now.whole[: now.counts[TOLD]], now.rejected)


def plain(**parts: Any) -> Rules:
    given: dict[str, Any] = {
        "costs": Costs(0.0, 0.0), "sizing": Sizing.parse("qty:1"), "limits": RiskLimits(), "exits": Exits(),
        "terms": Terms(0.01, 0.01),
    }  # fmt: skip
    return Rules(**(given | parts))


def test_rows_hold_all_that_accounts_and_rules_have() -> None:
    assert len(Account._fields) == ACCOUNT == 14
    rules = plain(costs=Costs(1, 2, 3, 4, 5, 6))
    assert rule_rows([rules]).shape == (1, 28)
    assert FILL_WIDTH == F_WIDTH + 1


def test_bots_of_their_own_accounts_are_what_they_are_alone_bit_for_bit() -> None:
    random = np.random.default_rng(3)
    tapes, rules = [], []
    for k in range(4):
        n = 300 + 70 * k
        closes = np.round(100.0 * np.exp(np.cumsum(random.normal(0, 0.01, n))), 2)
        targets = random.choice([NAN, 0.0, 0.5, 1.0, -1.0], n, p=[0.7, 0.1, 0.05, 0.1, 0.05])
        tapes.append(tape(closes.tolist(), targets.tolist(), start=13 * k))
        rules.append(
            plain(
                costs=Costs(0.0002, 0.0005, 0.0001),
                sizing=Sizing.parse(["qty:1", "fraction:0.5", "quote:500", "risk:0.01"][k]),
                limits=RiskLimits(allow_short=float(k % 2), max_drawdown=0.3),
                exits=Exits(stop=0.03, take=0.05, trail=0.04 if k == 2 else NAN),
            )
        )
    all_of_them = together(tapes, rules, cash=[10_000.0] * 4, room=200)
    for k, (one, mine) in enumerate(zip(tapes, rules, strict=True)):
        equity, fills, n = np.empty(len(one.bars)), fill_buffer(5_000), len(one.bars)
        rejected = np.zeros(len(REASONS), np.int64)
        columns: Any = tuple(fixed(column) for column in one.rows.T)
        account, _, _, count, _ = loop.run(
            bars_of(tuple(one.bars.T), None, np.arange(n) * MINUTE, MINUTE), np.empty(0, np.int64), columns,  # type: ignore[arg-type]
            Account(cash=10_000.0, peak=10_000.0), empty_book(), mine, funding_of(), (0, 0, 0, 0), n,
            equity, fills, rejected,
        )  # fmt: skip
        made = all_of_them.fills[all_of_them.fills[:, F_BOOK] == k][:, :F_WIDTH]
        np.testing.assert_array_equal(made, fills[:count])
        np.testing.assert_array_equal(all_of_them.accounts[k], np.array(account))
        begin = sum(len(other.bars) for other in tapes[:k])
        np.testing.assert_array_equal(all_of_them.equity[begin : begin + n], equity)
        np.testing.assert_array_equal(all_of_them.rejected[k, :-1], rejected)
    assert len(all_of_them.fills) > 100


def test_the_equity_of_all_is_the_sum_at_each_time() -> None:
    # the second one begins a minute later; each buys 1 at the open after its first candle
    found = together(
        [tape([10.0, 10.0, 12.0, 12.0], [1.0]), tape([20.0, 20.0, 19.0], [1.0], start=1)],
        [plain(), plain()], cash=[100.0, 100.0],
    )  # fmt: skip
    assert found.whole[:, 0].tolist() == [0.0, MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert found.whole[:, 1].tolist() == [200.0, 200.0, 202.0, 201.0]


def test_cash_that_is_shared_is_spent_once() -> None:
    # both want to buy 1 at 60 with 100 in the common account: the second one gets what is left, 0.66
    flat = [60.0] * 4
    found = together(
        [tape(flat, [1.0]), tape(flat, [1.0])], [plain(), plain()], cash=[0.0, 0.0], shared=100.0,
    )  # fmt: skip
    assert found.fills[:, F_QTY].tolist() == [1.0, 0.66]
    assert found.whole[-1, 1] == 100.0


def test_a_common_limit_of_positions_takes_back_what_comes_too_late() -> None:
    flat = [10.0] * 4
    found = together(
        [tape(flat, [1.0]), tape(flat, [1.0]), tape(flat, [NAN, 1.0])], [plain()] * 3, cash=[100.0] * 3,
        limits=CommonLimits(max_positions=2.0),
    )  # fmt: skip
    assert found.fills[:, F_BOOK].tolist() == [0.0, 1.0]
    assert found.rejected[:, COMMON_LIMIT].tolist() == [0, 0, 1]


def test_a_common_limit_of_exposure_counts_what_waits() -> None:
    # 300 of equity, a tenth of it may be at risk: the third 10 are one too many
    flat = [10.0] * 4
    found = together(
        [tape(flat, [1.0])] * 3, [plain(sizing=Sizing.parse("qty:1.2"))] * 3, cash=[100.0] * 3,
        limits=CommonLimits(max_exposure=0.1),
    )  # fmt: skip
    assert found.fills[:, F_BOOK].tolist() == [0.0, 1.0]


def test_the_drawdown_of_all_closes_everything() -> None:
    # 100 + 100; the first loses 5 of its one unit: 195 is 2.5 % below 200, more than 2 %; both leave at the next open
    found = together(
        [tape([10.0, 10.0, 5.0, 5.0, 5.0], [1.0]), tape([20.0] * 5, [1.0])], [plain(), plain()], cash=[100.0, 100.0],
        limits=CommonLimits(max_drawdown=0.02),
    )  # fmt: skip
    sells = found.fills[found.fills[:, F_SIDE] < 0]
    assert sells[:, [F_BAR, F_BOOK, F_PRICE]].tolist() == [[3.0, 0.0, 5.0], [3.0, 1.0, 20.0]]
    assert found.accounts[:, 1].tolist() == [0.0, 0.0]


def test_a_portfolio_is_brought_to_its_weights_sales_first() -> None:
    # 1,000 in halves at 10 and 20: 50 and 25 units. Then 10 -> 30: 1,500 + 500; halves are 1,000 / 30 = 33.33 and 50
    tapes = [tape([10.0, 10.0, 30.0, 30.0, 30.0], []), tape([20.0, 20.0, 20.0, 20.0, 20.0], [])]
    series = series_of([tapes[1], tapes[0]])  # the one that buys comes first
    aim = Aim(np.array([[0.5, 0.5], [0.5, 0.5]]), np.array([MINUTE, 3 * MINUTE]), 0.0)
    books = np.stack([empty_book()] * 2)
    now = going(series, [Account(cash=0.0)] * 2, [plain(), plain()], books, 1_000.0, len(series.ts))
    fills = np.empty((500, FILL_WIDTH))
    assert run_together(series, CommonLimits(), True, aim, now, fills)
    made = fills[: now.counts[MADE]]
    assert (made[:, F_SIDE] * made[:, F_QTY]).tolist() == [25.0, 50.0, -16.67, 25.0]
    assert made[:, F_BAR].tolist() == [1.0, 1.0, 3.0, 3.0]
    assert now.whole[: now.counts[TOLD], 1].tolist() == [1_000.0, 1_000.0, 2_000.0, 2_000.0, 2_000.0]
    assert round(now.state[0], 9) == round(16.67 * 30 - 500.0, 9)


def test_weights_are_not_traded_before_they_are_known() -> None:
    # the second market has candles of 2 minutes: when its first one is over the weights of minute 2 are not known yet
    # to the first market's candle of minute 1, which falls from 10 to 5 and may not be sold at its open
    fine, coarse = tape([10.0, 10.0, 5.0, 5.0], []), tape([20.0, 20.0], [])
    series = series_of([fine, coarse])
    ts = np.concatenate((np.arange(4), np.arange(2) * 2)) * MINUTE
    series = series._replace(ts=ts, length=np.array([MINUTE, 2.0 * MINUTE]))
    aim = Aim(np.array([[1.0, 0.0]]), np.array([2 * MINUTE]), 0.0)
    now = going(series, [Account(cash=0.0)] * 2, [plain(), plain()], np.stack([empty_book()] * 2), 1_000.0, 6)
    fills = np.empty((200, FILL_WIDTH))
    assert run_together(series, CommonLimits(), True, aim, now, fills)
    assert fills[: now.counts[MADE], F_BAR].tolist() == [2.0]
