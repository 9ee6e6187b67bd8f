"""The fill model once more: slow, in exact decimals, one plain rule after the other, written from docs/fill-model.md
and docs/decisions/0003 and not from the kernels. Tests hold the kernels against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exact import (
    ENTRY,
    EXIT,
    LIMIT,
    MARKET,
    ZERO,
    Candle,
    D,
    Order,
    Wish,
    World,
    floored,
    toward,
)
from reference_candle import Market


@dataclass
class Reference(Market):
    """`candle` for each closed candle, `pay` before it where funding is due, then `wish` for each signal row known at
    its close."""

    def wish(self, row: Wish, close: D) -> None:
        if row.target == self.said:
            return
        self.said = row.target
        if row.target is None:
            return
        kept = [o for o in self.orders if o.role not in (ENTRY, EXIT)]
        if len(kept) < len(self.orders):
            self.orders, self.made_for = kept, ZERO
        keeps = self.held
        if keeps and row.target * keeps <= 0:
            self.leave(keeps, abs(keeps), EXIT)
            keeps = ZERO
        if row.target == 0 or (keeps and row.target == self.made_for):
            self.made_for = row.target
            return
        if row.target < 0 and not self.world.shorts:
            why = "short is not allowed"
        else:
            why = self._resize(row, close, row.target, abs(keeps))
        if why:
            self.refuse(why)
        else:
            self.made_for = row.target

    def _resize(self, row: Wish, close: D, target: D, held: D) -> str:
        """Why nothing was sent, "" when something was or nothing is needed."""
        world, side, small = self.world, 1 if target > 0 else -1, "below the venue's minimum size"
        price = close if row.limit is None else toward(row.limit, world.tick, -side)
        if row.limit is not None and self.outside(price, close, side):
            return "outside the venue's price band"
        stop = world.stop if row.stop is None else row.stop
        qty, why = self._size(price, close, abs(target), side, stop)
        if why:
            return why
        if self.too_small(qty, price):
            if held:
                self.leave(self.held, held, EXIT)
            return "" if held else small
        if qty == held:
            return ""
        if qty < held:
            if self.too_small(held - qty, close):
                return small
            self.leave(self.held, held - qty, EXIT)
            return ""
        if self.halted:
            return "halted by the drawdown limit"
        if held and self.too_small(qty - held, price):
            return small
        take = world.take if row.take is None else row.take
        trail = world.trail if row.trail is None else row.trail
        if row.limit is None:
            o = self.sent(Order(MARKET, ENTRY, side, qty - held, stop=stop, take=take, trail=trail))
        else:
            o = Order(LIMIT, ENTRY, side, qty - held, price, stop=stop, take=take, trail=trail, force=world.force)
            self.sent(o, world.life)
        self.orders.append(o)
        return ""

    def _size(self, price: D, close: D, share: D, side: int, stop: D | None) -> tuple[D, str]:
        """The whole position's quantity on the lot, or why it is refused."""
        world = self.world
        equity = self.cash + self.held * close
        if equity <= 0 or price <= 0:
            return ZERO, "not enough cash"
        if world.mode == "risk" and not stop:
            return ZERO, "risk sizing needs a stop"
        qty = share * world.value
        if world.mode in ("fraction", "risk"):
            qty *= equity
        if world.mode != "qty":
            qty /= price * (stop if world.mode == "risk" and stop else 1)
        fixed = world.mode in ("qty", "quote")
        most = world.max_exposure * equity / price
        if side > 0 and world.max_exposure <= 1:
            most = min(most, equity / (price * (1 + world.slippage) * (1 + world.taker)))
        if qty > most and fixed:
            return ZERO, "not enough cash"
        qty = min(qty, most)
        if world.max_notional is not None and qty * price > world.max_notional:
            if fixed:
                return ZERO, "larger than the limit allows"
            qty = world.max_notional / price
        return floored(qty, world.lot), ""


def play(
    candles: Sequence[Candle],
    known: Sequence[int],
    wishes: Sequence[Wish],
    world: World,
    cash: D,
    funding: Mapping[int, D] | None = None,
) -> tuple[Reference, list[D]]:
    """`known[i]` signal rows are known when candle i + 1 opens; `funding` is a rate by candle. The end state and the
    equity at each close."""
    reference, equity, said = Reference(world, cash), [], 0
    for i, (candle, until) in enumerate(zip(candles, known, strict=True)):
        if funding and i in funding:
            reference.pay(funding[i], candle.open)
        equity.append(reference.candle(candle))
        while said < until:
            reference.wish(wishes[said], candle.close)
            said += 1
    return reference, equity
