"""The arithmetic of an account. A fill changes it here and nowhere else, in every mode."""

from __future__ import annotations

from onetape.core.compiled import inlined
from onetape.core.snap import nearest
from onetape.domain.accounts import Account
from onetape.domain.units import Money, Price, Qty


@inlined
def apply_fill(
    account: Account, side: float, qty: Qty, price: Price, fee: Money, slip: Money, lot: Qty
) -> tuple[Account, Money]:
    """The account after a fill, and the profit it closed (before fees).

    A fill against the position closes first and opens the rest on the other side at its own price. The position is
    snapped to the lot, so that no dust is left behind. The best price of a position is at least that of its last entry.
    """
    held = account.qty
    signed = side * qty
    after = nearest(held + signed, lot)
    realised = 0.0
    entry, best = account.entry_price, account.best
    if held * signed >= 0.0:
        total = abs(held) + qty
        entry = (abs(held) * entry + qty * price) / total if total > 0.0 else 0.0
        best = price if held == 0.0 else (max(best, price) if side > 0.0 else min(best, price))
    else:
        closed = min(qty, abs(held))
        realised = closed * (price - entry) * (1.0 if held > 0.0 else -1.0)
        if after * held < 0.0:
            entry, best = price, price
    if after == 0.0:
        entry, best = 0.0, 0.0
    changed = Account(
        account.cash - signed * price - fee,
        after,
        entry,
        account.realised + realised,
        account.fees + fee,
        account.slippage + slip,
        best,
        account.peak,
        account.halted,
        account.target,
        account.said,
        account.next_id,
        account.funding,
        account.delay,
    )
    return changed, realised


@inlined
def watched(account: Account, best: Price, peak: Money, halted: float, next_id: float) -> Account:
    """The account with what is remembered beside the money."""
    return Account(
        account.cash, account.qty, account.entry_price, account.realised, account.fees, account.slippage,
        best, peak, halted, account.target, account.said, next_id, account.funding, account.delay,
    )  # fmt: skip


@inlined
def heard(account: Account, said: float, target: float, next_id: float) -> Account:
    """The account after a signal row: what it said, and the exposure that the position is now made for."""
    return Account(
        account.cash, account.qty, account.entry_price, account.realised, account.fees, account.slippage,
        account.best, account.peak, account.halted, target, said, next_id, account.funding, account.delay,
    )  # fmt: skip


@inlined
def coasted(account: Account, peak: Money, said: float) -> Account:
    """The account after candles that changed nothing else."""
    return Account(
        account.cash, account.qty, account.entry_price, account.realised, account.fees, account.slippage,
        account.best, peak, account.halted, account.target, said, account.next_id, account.funding, account.delay,
    )  # fmt: skip


@inlined
def charged(account: Account, funding: Money, delay: Money) -> Account:
    """The account after a funding payment (> 0 = paid), and what a delay has cost (which is in the price already)."""
    return Account(
        account.cash - funding, account.qty, account.entry_price, account.realised, account.fees, account.slippage,
        account.best, account.peak, account.halted, account.target, account.said, account.next_id,
        account.funding + funding, account.delay + delay,
    )  # fmt: skip
