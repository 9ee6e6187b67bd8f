"""From a signal row to orders in the book. What is placed here is matched from the next fill candle on."""

from __future__ import annotations

import numpy as np

from onetape.core.compiled import inlined, kernel
from onetape.core.portfolio import heard
from onetape.core.sizing import position_qty, smallest
from onetape.core.snap import beyond, nearest
from onetape.core.state import (
    ACTIVE,
    AHEAD,
    COUNT,
    ENTRY,
    EXIT,
    EXPIRES,
    FORCE,
    KIND,
    LIMIT,
    MARKET,
    NO_SHORT,
    NO_SLOT,
    NOTHING,
    OUT_OF_BAND,
    QTY,
    REDUCE,
    SLOTS,
    STOP,
    TAKE,
    TOO_SMALL,
    TRAIL,
    add_order,
    arrival,
    drop_role,
    ended,
    make_room,
    watch,
)
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats
from onetape.domain.units import Price, Qty

Signal = tuple[float, float, float, float, float]  # target, stop, take, trail, limit; NaN = none


@inlined
def decide(account: Account, book: Floats, signal: Signal, close: Price, rules: Rules) -> tuple[Account, int]:
    """Acts on a row that says something new; gives the account and why nothing was sent (0 = no reason to say).

    The caller leaves out rows that repeat the one before, so that a position which was stopped out is not opened again
    by the same wish. A row that says nothing (NaN) is only remembered. A new wish replaces the entries and exits of the
    last one that still wait. `close` is the last price known.
    """
    target = signal[0]
    if target != target:
        return heard(account, target, account.target, account.next_id), NOTHING
    account, reason = fulfil(account, book, signal, close, rules)
    watch(book)
    return account, reason


@inlined
def fulfil(account: Account, book: Floats, signal: Signal, close: Price, rules: Rules) -> tuple[Account, int]:
    """Places what a new wish needs, after taking back what the last one still has waiting."""
    target = signal[0]
    waiting = book[SLOTS, COUNT]
    if waiting > 0.0:
        drop_role(book, ENTRY)
        drop_role(book, EXIT)
    made = account.target if book[SLOTS, COUNT] == waiting else 0.0  # else it never became what was wished
    next_id = account.next_id
    held = account.qty
    if held != 0.0 and target * held <= 0.0:
        next_id = leave(book, held, abs(held), next_id, EXIT, rules.execution.latency)
        held = 0.0
    if target == 0.0 or (held != 0.0 and target == made):
        return heard(account, target, target, next_id), NOTHING
    if target < 0.0 and rules.limits.allow_short == 0.0:
        return heard(account, target, made, next_id), NO_SHORT
    next_id, reason = resize(account, book, signal, close, rules, held, next_id)
    return heard(account, target, target if reason == NOTHING else made, next_id), reason


@inlined
def resize(
    account: Account, book: Floats, signal: Signal, close: Price, rules: Rules, held: Qty, next_id: float
) -> tuple[float, int]:
    """Places the order that brings a position (`held`, on the wanted side or flat) to the wanted size. A position that
    would become smaller than the venue takes is closed."""
    stop = signal[1] if signal[1] == signal[1] else rules.exits.stop
    limit = signal[4] == signal[4]
    side = 1.0 if signal[0] > 0.0 else -1.0
    price = beyond(signal[4], rules.terms.tick, -side) if limit else close
    if limit and outside(price, close, side, rules):
        return next_id, OUT_OF_BAND
    qty, reason = position_qty(account.cash + account.qty * close, price, signal[0], stop, rules)
    if reason == TOO_SMALL and held != 0.0:
        return leave(book, held, abs(held), next_id, EXIT, rules.execution.latency), NOTHING
    if reason != NOTHING:
        return next_id, reason
    more = nearest(qty - abs(held), rules.terms.lot)
    if more < 0.0:
        less, reason = smallest(-more, close, rules)
        return (
            leave(book, held, less, next_id, EXIT, rules.execution.latency) if reason == NOTHING else next_id
        ), reason
    if more == 0.0:
        return next_id, NOTHING
    if account.halted != 0.0:
        return next_id, int(account.halted)
    if held != 0.0:
        more, reason = smallest(more, price, rules)
        if reason != NOTHING:
            return next_id, reason
    row = add_order(book, next_id, LIMIT if limit else MARKET, ENTRY, side, more, price if limit else 0.0)
    if row < 0:
        return next_id, NO_SLOT
    book[row, STOP] = stop
    book[row, TAKE] = signal[2] if signal[2] == signal[2] else rules.exits.take
    book[row, TRAIL] = signal[3] if signal[3] == signal[3] else rules.exits.trail
    send(book, row, limit, rules)
    return next_id + 1.0, NOTHING


@inlined
def outside(price: Price, close: Price, side: float, rules: Rules) -> bool:
    """Whether the venue refuses a limit because it lies too far on the other side of the last price."""
    return rules.terms.band > 0.0 and (price - close * (1.0 + side * rules.terms.band)) * side > 0.0


@inlined
def send(book: Floats, row: int, limit: bool, rules: Rules) -> None:
    """How a new entry goes to the venue: when it arrives, in which force, and how long it waits as a limit."""
    how = rules.execution
    book[row, ACTIVE] = arrival(book, how.latency)
    if limit:
        book[row, FORCE] = how.force
        if how.life > 0.0:
            book[row, EXPIRES] = ended(book) + how.latency + how.life
        if how.queue > 0.0:
            book[row, AHEAD] = np.inf


@kernel
def leave(book: Floats, held: Qty, qty: Qty, next_id: float, role: float, latency: float) -> float:
    """Places a market order that reduces the position, as far as none rests already; gives the next free number.

    An exit must always fit: when all slots are taken the youngest entry makes room for it.
    """
    n = int(book[SLOTS, COUNT])
    for row in range(n):
        if book[row, KIND] == MARKET and book[row, REDUCE] == 1.0:
            qty = max(qty - book[row, QTY], 0.0) if book[row, QTY] < qty * (1.0 - 1e-9) else 0.0
    if qty == 0.0:
        return next_id
    make_room(book)
    row = add_order(book, next_id, MARKET, role, -1.0 if held > 0.0 else 1.0, qty, 0.0)
    book[row, ACTIVE] = arrival(book, latency)
    return next_id + 1.0
