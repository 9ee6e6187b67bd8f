"""One account over several instruments: it is brought to its target weights at the market, sales first."""

from __future__ import annotations

from onetape.core.compiled import kernel
from onetape.core.many import (
    ALL_HALTED,
    HELD,
    NEXT_ID,
    TARGET,
    WEIGHED,
    Aim,
    Going,
    Series,
    candle,
    due,
    earliest,
    passed,
    rules_at,
)
from onetape.core.sizing import smallest
from onetape.core.snap import below, nearest
from onetape.core.state import (
    ACTIVE,
    COUNT,
    ENTRY,
    EXIT,
    KIND,
    MARKET,
    NO_SHORT,
    NOTHING,
    SIDE,
    SLOTS,
    add_order,
    arrival,
    drop_role,
    ended,
    make_room,
    watch,
)
from onetape.domain.accounts import Rules
from onetape.domain.frame import Floats
from onetape.domain.units import Money


@kernel
def sales_first(series: Series, now: Going, ts: int, fills: Floats) -> None:
    """The bars of one time: those of books that buy come last. What a book wants is looked at before any of them."""
    for k in range(len(now.at)):
        now.row_at[k] = 1 if wants_to_buy(now.books[k]) else 0  # a portfolio has no rows of signals
    for buys in range(2):
        for k in range(len(now.at)):
            if due(series, now, k, ts) and now.row_at[k] == buys and not passed(series, True, now, k):
                candle(series, True, now, k, fills)


@kernel
def rebalance_all(series: Series, aim: Aim, now: Going, worth: Money) -> None:
    """The weights that are known when the next bar of any book opens: the last row counts."""
    until, last = earliest(series.ts, now.at, series.end), now.counts[WEIGHED]
    if until < 0:
        for k in range(len(now.at)):
            until = max(until, int(ended(now.books[k])))
    while now.counts[WEIGHED] < len(aim.known) and aim.known[now.counts[WEIGHED]] <= until:
        now.counts[WEIGHED] += 1
    if now.counts[WEIGHED] == last or now.state[ALL_HALTED] != 0.0:
        return
    for k in range(len(now.at)):
        weight = aim.weights[now.counts[WEIGHED] - 1, k]
        if weight == weight and now.closes[k] > 0.0:
            reason = rebalance(now, k, rules_at(now.rules, k), weight, worth, aim.band)
            if reason != NOTHING:
                now.rejected[k, reason] += 1


@kernel
def wants_to_buy(book: Floats) -> bool:
    """Whether an order at the market waits that buys."""
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, KIND] == MARKET and book[row, SIDE] > 0.0:
            return True
    return False


@kernel
def rebalance(now: Going, k: int, rules: Rules, weight: float, worth: Money, band: float) -> int:
    """Places the orders at the market that bring one instrument to its weight; gives why none was sent."""
    book, close, held, lot = now.books[k], now.closes[k], now.accounts[k, HELD], rules.terms.lot
    number = now.accounts[k, NEXT_ID]
    if weight < 0.0 and rules.limits.allow_short == 0.0:
        return NO_SHORT
    drop_role(book, ENTRY)
    drop_role(book, EXIT)
    side = 1.0 if weight >= 0.0 else -1.0
    wanted = side * below(abs(weight) * max(worth, 0.0) / close, lot)
    change = nearest(wanted - held, lot)
    watch(book)
    if change == 0.0 or (abs(change) * close < band * worth and wanted != 0.0):
        return NOTHING
    reason = NOTHING
    if held != 0.0 and change * held < 0.0:
        out = min(abs(change), abs(held))
        number = market(book, number, EXIT, -1.0 if held > 0.0 else 1.0, out, rules)
        change = nearest(change + (out if held > 0.0 else -out), lot)
    if change != 0.0:
        qty, reason = smallest(abs(change), close, rules)
        if reason == NOTHING:
            number = market(book, number, ENTRY, 1.0 if change > 0.0 else -1.0, qty, rules)
    now.accounts[k, TARGET], now.accounts[k, NEXT_ID] = weight, number
    watch(book)
    return reason


@kernel
def market(book: Floats, number: float, role: float, side: float, qty: float, rules: Rules) -> float:
    """Sends an order at the market; gives the next free number."""
    make_room(book)
    row = add_order(book, number, MARKET, role, side, qty, 0.0)
    book[row, ACTIVE] = arrival(book, rules.execution.latency)
    return number + 1.0
