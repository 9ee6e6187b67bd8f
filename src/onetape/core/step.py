"""One candle, one signal: the two steps of which every run is made. The batch loop is the fold of these."""

from __future__ import annotations

from onetape.core.bars import Bar
from onetape.core.compiled import inlined, kernel
from onetape.core.decide import Signal, decide, leave
from onetape.core.execution import follow, protect
from onetape.core.matching import match_bar
from onetape.core.portfolio import heard, watched
from onetape.core.snap import nearest
from onetape.core.state import (
    COUNT,
    ENTRY,
    EXPIRES,
    F_QTY,
    F_SIDE,
    HALT,
    HALTED,
    HIGH,
    LATE,
    LEAVING,
    LOST,
    LOW,
    NEXT,
    NOTHING,
    NOW,
    REDUCE,
    ROLE,
    SLOTS,
    SPAN,
    TRAILS,
    drop_order,
    drop_role,
    watch,
)
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats
from onetape.domain.units import Price


@inlined
def on_candle(account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int) -> tuple[Account, int]:
    """A closed fill candle: matches the resting orders (`book` changes in place), draws trailing stops after the price
    and watches the drawdown limit. Writes fills from row `n` on (MAX_FILLS rows must be free); gives the account and
    the row after the last fill.
    """
    book[SLOTS, NOW], book[SLOTS, SPAN] = bar.ts, bar.length
    if bar.ts >= book[SLOTS, NEXT]:
        if turn(book):  # what was wished is not what is held: the same wish, said again, completes it
            account = heard(account, account.said, 0.0, account.next_id)
    if bar.low <= book[SLOTS, LOW] or bar.high >= book[SLOTS, HIGH] or book[SLOTS, TRAILS] > 0.0:
        account, n = work(account, book, bar, rules, fills, n)
    equity = account.cash + account.qty * bar.close
    if equity > account.peak or equity < account.peak * (1.0 - rules.limits.max_drawdown):
        account = marked(account, book, equity, rules.execution.latency)
    return account, n


@kernel
def turn(book: Floats) -> bool:
    """The time has come for some orders: those that are over go, those that arrive count from now on. Whether one that
    went was an entry."""
    gone = False
    row = int(book[SLOTS, COUNT]) - 1
    while row >= 0:
        if 0.0 < book[row, EXPIRES] <= book[SLOTS, NOW]:
            gone = gone or book[row, ROLE] == ENTRY
            if book[row, LEAVING] == 0.0:  # its time was over: nobody took it back
                book[SLOTS, LOST] = 1.0
                book[SLOTS, LATE] += 1.0
            drop_order(book, row)
        row -= 1
    watch(book)
    return gone


@inlined
def work(account: Account, book: Floats, bar: Bar, rules: Rules, fills: Floats, n: int) -> tuple[Account, int]:
    """One candle in which an order may fill or a trailing stop may move."""
    before, held = n, account.qty
    if bar.low <= book[SLOTS, LOW] or bar.high >= book[SLOTS, HIGH]:
        account, n = match_bar(account, book, bar, rules, fills, n)
        watch(book)
    if book[SLOTS, TRAILS] > 0.0:
        account = drawn(account, book, bar, kept(held, fills[before:n], rules.terms.lot), rules)
    return account, n


@kernel
def kept(held: float, fills: Floats, lot: float) -> float:
    """The position from before a candle, 0 when the candle's fills closed it (also when they opened another one)."""
    after = held
    for k in range(len(fills)):
        after = nearest(after + fills[k, F_SIDE] * fills[k, F_QTY], lot)
        if after * held <= 0.0:
            return 0.0
    return held


@kernel
def marked(account: Account, book: Floats, equity: float, latency: float) -> Account:
    """A new highest equity, or the drawdown limit reached."""
    if equity > account.peak:
        return watched(account, account.best, equity, account.halted, account.next_id)
    return account if account.halted == HALTED else halt(account, book, HALTED, latency)


@kernel
def drawn(account: Account, book: Floats, bar: Bar, held: float, rules: Rules) -> Account:
    """The best price of the position so far, with the trailing stops drawn after it. `held` is what it was before the
    candle, 0 when it was opened in it.

    In the candle of the entry only its close counts: its extremes may have come before the fill.
    """
    long = account.qty > 0.0
    reached = bar.close if held == 0.0 else (bar.high if long else bar.low)
    best = max(account.best, reached) if long else min(account.best, reached)
    if best == account.best and held != 0.0:
        return account
    follow(book, best, rules.terms.tick)
    watch(book)
    return watched(account, best, account.peak, account.halted, account.next_id)


@kernel
def halt(account: Account, book: Floats, code: float, latency: float) -> Account:
    """No more entries; what is held is closed at the market in the next candle."""
    drop_role(book, ENTRY)
    next_id = account.next_id
    if account.qty != 0.0:
        next_id = leave(book, account.qty, abs(account.qty), next_id, HALT, latency)
    watch(book)
    return watched(account, account.best, account.peak, float(code), next_id)


@kernel
def protected(account: Account, book: Floats, rules: Rules) -> Account:
    """A position without any exit gets those of the rules: for one that comes back to the tape."""
    if account.qty == 0.0:
        return account
    for row in range(int(book[SLOTS, COUNT])):
        if book[row, REDUCE] == 1.0:
            return account
    exits = rules.exits
    account = protect(account, book, exits.stop, exits.take, exits.trail, rules)
    watch(book)
    return account


@inlined
def acts(said: float, target: float) -> bool:
    """Whether a row with `target` is anything new after one that said `said` (NaN repeats NaN)."""
    return target != said and (target == target or said == said)


@inlined
def on_signal(account: Account, book: Floats, signal: Signal, close: Price, rules: Rules) -> tuple[Account, int]:
    """A signal row, known at its candle's close: places and cancels orders in `book`. Gives the account and the reason
    (core.state.REASONS) why an order was not sent, 0 when there is none."""
    if acts(account.said, signal[0]):
        return decide(account, book, signal, close, rules)
    return account, NOTHING
