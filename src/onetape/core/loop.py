"""The batch loop: thousands of candles in one call, by the very steps that a live bot takes one at a time."""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.core.bars import Bars, Funding, bar_at, length_of
from onetape.core.compiled import inlined, kernel, merged
from onetape.core.portfolio import charged, coasted
from onetape.core.state import (
    F_BAR,
    HIGH,
    LATE,
    LEVELS,
    LOST,
    LOW,
    MAX_FILLS,
    NEXT,
    NOT_PASSIVE,
    NOT_WHOLE,
    NOTHING,
    NOW,
    PARTED,
    SHOWN,
    SLOTS,
    SPAN,
    TIMED_OUT,
    TOOK,
    TRAILS,
)
from onetape.core.step import on_candle, on_signal
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats, Ints

STRETCH: Final = 64  # candles that are looked at together
AHEAD: Final = 4096  # candles whose signals are looked at together


@inlined
def pick(column: Floats, row: int) -> float:
    """A value of an optional column; an empty one is NaN."""
    return column[row] if len(column) else np.nan


@kernel
def awaken(target: Floats, s: int, said: float, known: Ints, i: int, end: int, found: Ints) -> int:
    """Writes the candles in [i, end) at whose close a signal row from s on wishes something new, after a row that said
    `said`; gives their number."""
    n, last = 0, said
    if len(known) == 0:
        rows = target[i:end]
        for j in range(len(rows)):
            wish = rows[j]
            if wish == wish and wish != last:
                found[n] = i + j
                n += 1
            last = wish
        return n
    for candle in range(i, end):
        new = False
        for row in range(s, known[candle]):
            wish = target[row]
            new = new or (wish == wish and wish != last)
            last = wish
        if new:
            found[n] = candle
            n += 1
        s = max(s, known[candle])
    return n


@merged
def coast(
    i: int,
    end: int,
    opens: Floats,
    highs: Floats,
    lows: Floats,
    closes: Floats,
    cash: float,
    qty: float,
    peak: float,
    drawdown: float,
    low: float,
    high: float,
    equity: Floats,
) -> tuple[int, float]:
    """Goes on as long as nothing can happen but a new equity: a short cut that folds the same steps over plain numbers.

    Stops before the first candle that leaves the band (low, high) of the resting orders or reaches the drawdown limit,
    and before candle `end`. Returns it and the peak; equity may be written a stretch further. Candles are looked at a
    stretch at a time, so that it becomes vector code, and one by one where something happens.

    An open below the band implies a low below it: it is read here only because reading in sequence brings it into the
    cache, where the step that stops the coasting needs it. Waiting for main memory there took a third of the time.
    """
    while i < end:
        stop = min(i + STRETCH, end)
        floor, events = peak * (1.0 - drawdown), 0
        first, top, bottom = opens[i:stop], highs[i:stop], lows[i:stop]
        last, curve = closes[i:stop], equity[i:stop]
        for j in range(len(last)):
            worth = cash + qty * last[j]
            curve[j] = worth
            events += (worth > peak) | (worth < floor) | (bottom[j] <= low) | (top[j] >= high) | (first[j] <= low)
        if events > 0:
            for j in range(len(last)):
                worth = curve[j]
                if bottom[j] <= low or top[j] >= high or worth < peak * (1.0 - drawdown):
                    return i + j, peak
                peak = max(peak, worth)
        i = stop
    return end, peak


@kernel
def horizon(i: int, end: int, held: float, next_ts: float, ts: Ints, funding_at: Ints, f: int) -> int:
    """The first candle from i on at which something may happen by its time alone: a funding payment for what is held,
    an order that arrives or ends."""
    if f < len(funding_at) and held != 0.0:
        end = min(end, max(funding_at[f], i))
    if len(ts) > 0:
        end = min(end, i + int(np.searchsorted(ts[i:end], next_ts)))
    return end


@kernel
def show(book: Floats, at: int, depth: Floats) -> None:
    """Lays the market's order book `depth[at]` into the book; -1 = none was recorded."""
    levels = min(depth.shape[1], LEVELS) if at >= 0 else 0
    book[SLOTS, SHOWN] = float(levels)
    for k in range(levels):
        for column in range(4):
            book[SLOTS + 1 + k, column] = depth[at, k, column]


@kernel
def tally(book: Floats, rejected: Ints) -> None:
    """Counts the orders that the venue refused or ended in a candle."""
    rejected[NOT_PASSIVE] += int(book[SLOTS, TOOK])
    rejected[NOT_WHOLE] += int(book[SLOTS, PARTED])
    rejected[TIMED_OUT] += int(book[SLOTS, LATE])
    book[SLOTS, LOST : LATE + 1] = 0.0


def run(
    bars: Bars,
    known: Ints,
    columns: tuple[Floats, Floats, Floats, Floats, Floats],
    account: Account,
    book: Floats,
    rules: Rules,
    funding: Funding,
    at: tuple[int, int, int, int],
    end: int,
    equity: Floats,
    fills: Floats,
    rejected: Ints,
) -> tuple[Account, int, int, int, int]:
    """Folds on_candle and on_signal over the fill candles before `end`.

    `known[i]` is the number of signal rows known when candle i + 1 opens (an empty array: row i is known after candle
    i). `at` says where to go on: next candle, next signal row, fills written, next funding payment. Writes `equity` at
    each close, `fills` and the counts of `rejected` by reason; `book` changes in place. Returns the account and `at`;
    when it stops before `end`, `fills` is full: call again with a larger copy.
    """
    return fold(
        bars, known, columns, account, book, rules, funding, at, end, equity, fills, rejected, np.empty(AHEAD, np.int64)
    )


@kernel
def fold(
    bars: Bars,
    known: Ints,
    columns: tuple[Floats, Floats, Floats, Floats, Floats],
    account: Account,
    book: Floats,
    rules: Rules,
    funding: Funding,
    at: tuple[int, int, int, int],
    end: int,
    equity: Floats,
    fills: Floats,
    rejected: Ints,
    awake: Ints,
) -> tuple[Account, int, int, int, int]:
    """`run`, with room for the candles at whose close a signal wishes something new."""
    target, stop, take, trail, limit = columns
    drawdown = rules.limits.max_drawdown
    i, s, n, f = at
    seen, w, wakes = i, 0, 0
    while i < end:
        if book[SLOTS, TRAILS] == 0.0 and bars.low[i] > book[SLOTS, LOW] and bars.high[i] < book[SLOTS, HIGH]:
            if i >= seen:
                seen = min(i + AHEAD, end)
                w, wakes = 0, awaken(target, s, account.said, known, i, seen, awake)
            while w < wakes and awake[w] < i:
                w += 1
            until = awake[w] if w < wakes else seen
            if len(funding.at) > 0 or book[SLOTS, NEXT] < np.inf:
                until = horizon(i, until, account.qty, book[SLOTS, NEXT], bars.ts, funding.at, f)
            begin = i
            i, peak = coast(
                i, until, bars.open, bars.high, bars.low, bars.close,
                account.cash, account.qty, account.peak, drawdown, book[SLOTS, LOW], book[SLOTS, HIGH], equity,
            )  # fmt: skip
            if i > begin:
                s = i if len(known) == 0 else known[i - 1]
                account = coasted(account, peak, target[s - 1] if s > 0 else account.said)
            if i == end:
                break
            if i == seen:
                continue
        if n + MAX_FILLS > len(fills):
            break
        while f < len(funding.at) and funding.at[f] <= i:
            if funding.at[f] == i:
                account = charged(account, account.qty * bars.open[i] * funding.rate[f], 0.0)
            f += 1
        if len(bars.depth_at) > 0:
            show(book, bars.depth_at[i], bars.depth)
        before = n
        account, n = on_candle(account, book, bar_at(bars, i), rules, fills, n)
        for k in range(before, n):
            fills[k, F_BAR] = i
        equity[i] = account.cash + account.qty * bars.close[i]
        if book[SLOTS, LOST] > 0.0:
            tally(book, rejected)
        until = i + 1 if len(known) == 0 else known[i]
        while s < until:
            row = (target[s], pick(stop, s), pick(take, s), pick(trail, s), pick(limit, s))
            account, reason = on_signal(account, book, row, bars.close[i], rules)
            if reason != NOTHING:
                rejected[reason] += 1
            s += 1
        i += 1
    if i > 0 and len(bars.ts) > 0:
        book[SLOTS, NOW], book[SLOTS, SPAN] = float(bars.ts[i - 1]), length_of(bars, i - 1)
    return account, i, s, n, f
