"""The kernels against the exact reference over all rules at once: what hypothesis finds, it makes small."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from cases import Played, agree, column, markets, rules_of, trades, wishes, worlds
from exact import Candle, D, Wish, World
from reference import play

from onetape.core import loop
from onetape.core.bars import bars_of, fixed, funding_of
from onetape.core.state import REASONS, empty_book, fill_buffer
from onetape.domain.accounts import Account

CASH = 1_000


def by_kernels(
    candles: list[Candle], known: list[int], rows: list[Wish], world: World, funding: dict[int, D]
) -> Played:
    n = len(candles)
    prices, volume = np.array([[float(x) for x in c[:4]] for c in candles]), column([c.volume for c in candles])
    ts, length = np.array([c.ts for c in candles]), np.array([c.length for c in candles])
    columns: Any = tuple(fixed(column([getattr(row, name) for row in rows])) for name in Wish._fields)
    shown = np.array([[[float(x) for x in level] for level in c.depth] or [[0.0] * 4] * 3 for c in candles])
    books = (np.arange(n), shown) if any(c.depth for c in candles) else (None, None)
    equity, fills, rejected = np.empty(n), fill_buffer(2000), np.zeros(len(REASONS), np.int64)
    account, i, _, count, _ = loop.run(
        bars_of(tuple(prices.T), volume, ts, length, *books), np.array(known), columns,
        Account(cash=float(CASH), peak=float(CASH)), empty_book(), rules_of(world),
        funding_of(np.array(sorted(funding), np.int64), np.array([float(funding[k]) for k in sorted(funding)])),
        (0, 0, 0, 0), n, equity, fills, rejected,
    )  # fmt: skip
    assert i == n
    why = {REASONS[k]: int(rejected[k]) for k in np.flatnonzero(rejected)}
    return Played(Account(*account), fills[:count], equity, why)


@st.composite
def cases_of_trades(draw: st.DrawFn) -> tuple[list[Candle], list[int], list[Wish], World, dict[int, D]]:
    world = draw(worlds())._replace(queue=True)
    candles = draw(trades(draw(st.integers(3, 24))))
    known = list(range(1, len(candles) + 1))
    return candles, known, draw(wishes(candles)), world, {}


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Candle], list[int], list[Wish], World, dict[int, D]]:
    world = draw(worlds())
    candles = draw(markets(draw(st.integers(3, 24))))
    known = list(range(1, len(candles) + 1))
    if draw(st.booleans()):  # several fill candles a signal row, or the other way round
        known = np.cumsum([draw(st.sampled_from([0, 0, 1, 1, 2])) for _ in candles]).tolist()
    said = [candles[next(i for i, k in enumerate(known) if k > row)] for row in range(known[-1])]
    due = draw(st.sets(st.integers(0, len(candles) - 1), max_size=4)) if world.leverage else set()
    funding = {i: draw(st.sampled_from([D("0.01"), D("-0.003")])) for i in sorted(due)}
    return candles, known, draw(wishes(said)), world, funding


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_signals_fill_as_in_the_exact_reference_under_all_rules(
    case: tuple[list[Candle], list[int], list[Wish], World, dict[int, D]],
) -> None:
    candles, known, rows, world, funding = case
    exact, marks = play(candles, known, rows, world, D(CASH), funding)
    agree(by_kernels(*case), exact, marks)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases_of_trades())
def test_single_trades_with_books_and_queues_fill_as_in_the_exact_reference(
    case: tuple[list[Candle], list[int], list[Wish], World, dict[int, D]],
) -> None:
    candles, known, rows, world, funding = case
    exact, marks = play(candles, known, rows, world, D(CASH), funding)
    agree(by_kernels(*case), exact, marks)
