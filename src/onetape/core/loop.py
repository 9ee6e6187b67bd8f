"""The batch loop: thousands of candles in one call, by the very steps that a live bot takes one at a time."""

from __future__ import annotations

from typing import Final

import numpy as np

from onetape.core.bars import Bars, Funding, bar_at, length_of
from onetape.core.compiled import inlined, kernel
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
from onetape.core.step import acts, on_candle, on_signal
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats, Ints

STRETCH: Final = 32  # candles that are looked at together


@inlined
def pick(column: Floats, row: int) -> float:
    """A value of an optional column; an empty one is NaN."""
    return column[row] if len(column) else np.nan


@kernel
def next_wish(target: Floats, i: int, end: int, said: float) -> int:
    """The first row in [i, end) that wishes something new after `said`, or `end`. Looks at a stretch at a time, so that
    the comparisons become vector code."""
    if i >= end or (target[i] == target[i] and target[i] != said):
        return i
    i += 1
    while i < end:
        stop = min(i + STRETCH, end)
        now, before, news = target[i:stop], target[i - 1 : stop - 1], 0
        for j in range(len(now)):
            news += (now[j] == now[j]) & (now[j] != before[j])
        if news > 0:
            while not (target[i] == target[i] and target[i] != target[i - 1]):
                i += 1
            return i
        i = stop
    return end


@kernel
def glide(
    i: int,
    end: int,
    closes: Floats,
    target: Floats,
    said: float,
    cash: float,
    qty: float,
    peak: float,
    drawdown: float,
    equity: Floats,
) -> tuple[int, int, float, float]:
    """`coast` where no order rests and no row before `end` wishes anything: a stretch without a new peak and above the
    drawdown limit is written at once."""
    begin = i
    while i < end:
        stop = min(i + STRETCH, end)
        floor, moved = peak * (1.0 - drawdown), 0
        prices, worths = closes[i:stop], equity[i:stop]
        for j in range(len(prices)):
            worth = cash + qty * prices[j]
            worths[j] = worth
            moved += (worth > peak) | (worth < floor)
        if moved > 0:
            for j in range(i, stop):
                worth = equity[j]
                if worth < peak * (1.0 - drawdown):
                    return j, j, peak, target[j - 1] if j > begin else said
                peak = max(peak, worth)
        i = stop
    return end, end, peak, target[end - 1] if end > begin else said


@kernel
def coast(
    i: int,
    end: int,
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
    brings a signal row that wishes something new, and before candle `end`. Returns it, the next signal row, the peak,
    and what was said last.

    An open below the band implies a low below it: it is read here only because reading in sequence brings it into the
    cache, where the step that stops the coasting needs it. Waiting for main memory there took a third of the time.
    """
    if len(known) == 0:
        if low == -np.inf and high == np.inf:
            end = next_wish(target, i, end, said)
            return glide(i, end, closes, target, said, cash, qty, peak, drawdown, equity)
        while i < end:
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
    while i < end:
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
def horizon(i: int, end: int, held: float, next_ts: float, ts: Ints, funding_at: Ints, f: int) -> int:
    """The first candle from i on at which something may happen by its time alone: a funding payment for what is held,
    an order that arrives or ends."""
    if f < len(funding_at) and held != 0.0:
        end = min(end, max(funding_at[f], i))
    if len(ts) > 0:
        end = min(end, i + int(np.searchsorted(ts[i:end], next_ts)))
    return end


@kernel
def show(book: Floats, bars: Bars, i: int) -> None:
    """Lays the market's order book of candle i into the book."""
    at = bars.depth_at[i]
    levels = min(bars.depth.shape[1], LEVELS) if at >= 0 else 0
    book[SLOTS, SHOWN] = float(levels)
    for k in range(levels):
        for column in range(4):
            book[SLOTS + 1 + k, column] = bars.depth[at, k, column]


@kernel
def tally(book: Floats, rejected: Ints) -> None:
    """Counts the orders that the venue refused or ended in a candle."""
    rejected[NOT_PASSIVE] += int(book[SLOTS, TOOK])
    rejected[NOT_WHOLE] += int(book[SLOTS, PARTED])
    rejected[TIMED_OUT] += int(book[SLOTS, LATE])
    book[SLOTS, LOST : LATE + 1] = 0.0


@kernel
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
    target, stop, take, trail, limit = columns
    drawdown = rules.limits.max_drawdown
    i, s, n, f = at
    while i < end:
        if book[SLOTS, TRAILS] == 0.0 and bars.low[i] > book[SLOTS, LOW] and bars.high[i] < book[SLOTS, HIGH]:
            until = end
            if len(funding.at) > 0 or book[SLOTS, NEXT] < np.inf:
                until = horizon(i, end, account.qty, book[SLOTS, NEXT], bars.ts, funding.at, f)
            i, s, peak, said = coast(
                i, until, s, bars.open, bars.high, bars.low, bars.close, known, target,
                account.said, account.cash, account.qty, account.peak, drawdown,
                book[SLOTS, LOW], book[SLOTS, HIGH], equity,
            )  # fmt: skip
            account = coasted(account, peak, said)
            if i == end:
                break
        if n + MAX_FILLS > len(fills):
            break
        while f < len(funding.at) and funding.at[f] <= i:
            if funding.at[f] == i:
                account = charged(account, account.qty * bars.open[i] * funding.rate[f], 0.0)
            f += 1
        if len(bars.depth_at) > 0:
            show(book, bars, i)
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
