"""How much: from a wanted exposure to a quantity. Sizes worked out from equity are cut to what is allowed; sizes that a
person fixed (QUOTE, QTY) are refused instead, because a smaller order is not what was asked for."""

from __future__ import annotations

from onetape.core.compiled import inlined
from onetape.core.snap import below
from onetape.core.state import NO_CASH, NO_STOP, NOTHING, TOO_LARGE, TOO_SMALL
from onetape.domain.accounts import FRACTION, QTY, QUOTE, RISK, Rules
from onetape.domain.units import Money, Price, Qty, Rate


@inlined
def wanted_qty(equity: float, price: Price, exposure: float, stop: Rate, rules: Rules) -> Qty:
    """Base units for a full position of `exposure` in (0, 1], before limits; NaN when risk sizing has no stop."""
    mode, value = rules.sizing.mode, rules.sizing.value
    if mode == QTY:
        return exposure * value
    if mode == QUOTE:
        return exposure * value / price
    if mode == RISK:
        return exposure * value * equity / (price * stop) if stop > 0.0 else float("nan")
    return exposure * value * equity / price


@inlined
def position_qty(equity: Money, price: Price, exposure: float, stop: Rate, rules: Rules) -> tuple[Qty, int]:
    """The whole position's quantity (>= 0) for an exposure, snapped down to the lot, or 0 and why not."""
    if equity <= 0.0 or price <= 0.0:
        return 0.0, NO_CASH
    qty = wanted_qty(equity, price, abs(exposure), stop, rules)
    if qty != qty:
        return 0.0, NO_STOP
    limits, costs = rules.limits, rules.costs
    computed = rules.sizing.mode == FRACTION or rules.sizing.mode == RISK
    allowed = limits.max_exposure * equity / price
    if exposure > 0.0 and limits.max_exposure <= 1.0:
        allowed = min(allowed, equity / (price * (1.0 + costs.slippage) * (1.0 + costs.taker)))
    if qty > allowed:
        if not computed:
            return 0.0, NO_CASH
        qty = allowed
    if qty * price > limits.max_order_notional:
        if not computed:
            return 0.0, TOO_LARGE
        qty = limits.max_order_notional / price
    return smallest(below(qty, rules.terms.lot), price, rules)


@inlined
def smallest(qty: Qty, price: Price, rules: Rules) -> tuple[Qty, int]:
    """The quantity when the venue takes one so small, else 0 and why not."""
    if qty <= 0.0 or qty < rules.terms.min_qty or qty * price < rules.terms.min_notional:
        return 0.0, TOO_SMALL
    return qty, NOTHING
