"""What it costs to take from the market instead of waiting in it: prices, never quantities."""

from __future__ import annotations

import numpy as np

from onetape.core.bars import Bar
from onetape.core.compiled import inlined, kernel
from onetape.core.state import ASK, ASK_SIZE, BID, BID_SIZE, BUYS, SHOWN, SLOTS
from onetape.domain.accounts import Rules
from onetape.domain.frame import Floats
from onetape.domain.units import Micros, Price, Qty, Rate


@inlined
def taken(book: Floats, price: Price, side: float, qty: Qty, bar: Bar, rules: Rules) -> Price:
    """What an order of `qty` pays that takes the market at an undisturbed `price`; never more than the venue's band."""
    costs = rules.costs
    worse = costs.slippage
    if costs.spread + costs.share_impact + costs.root_impact > 0.0 or book[SLOTS, SHOWN] > 0.0:
        worse += impact(book, side, qty, bar, rules)
    if rules.terms.band > 0.0:
        worse = min(worse, rules.terms.band)
    return price * (1.0 + side * worse)


@kernel
def impact(book: Floats, side: float, qty: Qty, bar: Bar, rules: Rules) -> Rate:
    """How much worse than the undisturbed price an order of this size is filled, beside the fixed slippage."""
    costs = rules.costs
    if book[SLOTS, SHOWN] > 0.0:
        walked = walk(book, side, qty)
        if walked >= 0.0:
            return float(walked)
    if bar.length <= 0.0 and bar.ts > 0.0:  # the size of a single trade says nothing of what the market bears
        return 0.5 * costs.spread
    share = 1.0
    if bar.volume > 0.0:
        share = min(qty / bar.volume, 1.0)
    span = (bar.high - bar.low) / bar.close
    return float(0.5 * costs.spread + costs.share_impact * share * share + costs.root_impact * span * np.sqrt(share))


@kernel
def walk(book: Floats, side: float, qty: Qty) -> Rate:
    """How much worse than the middle an order is filled that takes level after level of the recorded order book; what
    is larger than the book pays its last level for the rest. -1 when a side of it has no level."""
    top = SLOTS + 1
    if book[top, BID_SIZE] <= 0.0 or book[top, ASK_SIZE] <= 0.0:
        return -1.0
    middle = 0.5 * (book[top, BID] + book[top, ASK])
    price_at, size_at = (ASK, ASK_SIZE) if side == BUYS else (BID, BID_SIZE)
    left, paid, price = qty, 0.0, 0.0
    for row in range(top, top + int(book[SLOTS, SHOWN])):
        if book[row, size_at] <= 0.0 or left <= 0.0:
            break
        price = book[row, price_at]
        part = min(left, book[row, size_at])
        paid += part * price
        left -= part
    paid += max(left, 0.0) * price
    return float(max((paid / qty / middle - 1.0) * side, 0.0))


@kernel
def shown_at(book: Floats, side: float, price: Price) -> Qty:
    """Base units that wait at a price on one side of the recorded order book: 0 when the price is better than all of
    them, NaN when it is behind the last level or none was recorded, for then nothing is known."""
    price_at, size_at = (BID, BID_SIZE) if side == BUYS else (ASK, ASK_SIZE)
    for row in range(SLOTS + 1, SLOTS + 1 + int(book[SLOTS, SHOWN])):
        if book[row, size_at] <= 0.0:
            break
        if book[row, price_at] == price:
            return float(book[row, size_at])
        if (price - book[row, price_at]) * side > 0.0:
            return 0.0
    return np.nan


@inlined
def delayed(bar: Bar, side: float, active_ts: float) -> Price:
    """The undisturbed price of a market order that arrives inside a candle: for the share of the candle that is over by
    then, the price is taken to have run against it as far as it ever did."""
    part = 0.0
    if bar.length > 0.0 and active_ts > bar.ts:
        part = min((active_ts - bar.ts) / bar.length, 1.0)
    against = bar.high if side == BUYS else bar.low
    return bar.open + part * (against - bar.open)


@inlined
def bankrupt(entry_price: Price, held: Qty, leverage: float) -> Price:
    """The price at which a position has lost all of its margin."""
    return entry_price * (1.0 - 1.0 / leverage) if held > 0.0 else entry_price * (1.0 + 1.0 / leverage)


@inlined
def liquidated(entry_price: Price, held: Qty, leverage: float, maintenance: Rate) -> Price:
    """The price at which the margin that is left falls to the maintenance margin: entry_price * (1 - 1/leverage) /
    (1 - maintenance) for a long position of a linear contract, with both signs turned for a short one."""
    side = 1.0 if held > 0.0 else -1.0
    return bankrupt(entry_price, held, leverage) / (1.0 - side * maintenance)


def when(ts: Micros, latency: Micros) -> float:
    """When an order sent at `ts` is at the venue, as a book row says it: 0 = at once."""
    return float(ts + latency) if latency > 0 else 0.0
