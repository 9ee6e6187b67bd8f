"""The batch loop: thousands of candles in one call, by the very steps that a live bot takes one at a time."""

from __future__ import annotations

import numpy as np

from onetape.core.compiled import inlined, kernel
from onetape.core.matching import Bar
from onetape.core.portfolio import coasted
from onetape.core.state import F_BAR, HIGH, LOW, MAX_FILLS, NOTHING, SLOTS, TRAILS
from onetape.core.step import acts, on_candle, on_signal
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats, Ints


@inlined
def pick(column: Floats, row: int) -> float:
    """A value of an optional column; an empty one is NaN."""
    return column[row] if len(column) else np.nan


@kernel
def coast(
    i: int,
    s: int,
    opens: Floats,
    highs: Floats,
    lows: Floats,
    closes: Floats,
    known: Ints,
    target: Floats,
    said: float,
    cash: float,
    qty: float,
    peak: float,
    drawdown: float,
    low: float,
    high: float,
    equity: Floats,
) -> tuple[int, int, float, float]:
    """Goes on as long as nothing can happen but a new equity: a short cut that folds the same steps over plain numbers.

    Stops before the first candle that leaves the band (low, high) of the resting orders, reaches the drawdown limit, or
    brings a signal row that wishes something new. Returns it, the next signal row, the peak, and what was said last.

    An open below the band implies a low below it: it is read here only because reading in sequence brings it into the
    cache, where the step that stops the coasting needs it. Waiting for main memory there took a third of the time.
    """
    if len(known) == 0:
        while i < len(closes):
            wish = target[i]
            if lows[i] <= low or highs[i] >= high or opens[i] <= low or (wish == wish and wish != said):
                break
            worth = cash + qty * closes[i]
            if worth < peak * (1.0 - drawdown):
                break
            peak, said = max(peak, worth), wish
            equity[i] = worth
            i += 1
        return i, i, peak, said
    while i < len(closes):
        if lows[i] <= low or highs[i] >= high or opens[i] <= low:
            break
        until = known[i]
        row, last = s, said
        while row < until and not (acts(last, target[row]) and target[row] == target[row]):
            last = target[row]
            row += 1
        worth = cash + qty * closes[i]
        if row < until or worth < peak * (1.0 - drawdown):
            break
        peak, said = max(peak, worth), last
        equity[i] = worth
        s = until
        i += 1
    return i, s, peak, said


@kernel
def run(
    bars: tuple[Floats, Floats, Floats, Floats],
    known: Ints,
    columns: tuple[Floats, Floats, Floats, Floats, Floats],
    account: Account,
    book: Floats,
    rules: Rules,
    at: tuple[int, int, int],
    equity: Floats,
    fills: Floats,
    rejected: Ints,
) -> tuple[Account, int, int, int]:
    """Folds on_candle and on_signal over fill candles `bars` (open, high, low, close).

    `known[i]` is the number of signal rows known when candle i + 1 opens (an empty array: row i is known after candle
    i). `at` says where to go on: next candle, next signal row, fills written. Writes `equity` at each close, `fills`
    and the counts of `rejected` by reason; `book` changes in place. Returns the account and `at`; when it stops before
    the last candle, `fills` is full: call again with a larger copy.
    """
    opens, highs, lows, closes = bars
    target, stop, take, trail, limit = columns
    drawdown = rules.limits.max_drawdown
    i, s, n = at
    while i < len(closes):
        if book[SLOTS, TRAILS] == 0.0 and lows[i] > book[SLOTS, LOW] and highs[i] < book[SLOTS, HIGH]:
            i, s, peak, said = coast(
                i, s, opens, highs, lows, closes, known, target,
                account.said, account.cash, account.qty, account.peak, drawdown,
                book[SLOTS, LOW], book[SLOTS, HIGH], equity,
            )  # fmt: skip
            account = coasted(account, peak, said)
            if i == len(closes):
                break
        if n + MAX_FILLS > len(fills):
            break
        before = n
        account, n = on_candle(account, book, Bar(opens[i], highs[i], lows[i], closes[i]), rules, fills, n)
        for k in range(before, n):
            fills[k, F_BAR] = i
        equity[i] = account.cash + account.qty * closes[i]
        until = i + 1 if len(known) == 0 else known[i]
        while s < until:
            row = (target[s], pick(stop, s), pick(take, s), pick(trail, s), pick(limit, s))
            account, reason = on_signal(account, book, row, closes[i], rules)
            if reason != NOTHING:
                rejected[reason] += 1
            s += 1
        i += 1
    return account, i, s, n
