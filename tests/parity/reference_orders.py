"""The orders and the account of the reference simulator: what a fill does to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from exact import (
    ENTRY,
    LIMIT,
    LIQUIDATION,
    MARKET,
    SLOTS,
    STOP,
    STOP_LIMIT,
    STOP_LOSS,
    TAKE_PROFIT,
    TRAILING,
    ZERO,
    Candle,
    D,
    Done,
    Order,
    World,
    better,
    floored,
    taken,
    toward,
    worse,
)


@dataclass
class Orders:
    """An account and its resting orders; what a fill does to both."""

    world: World
    cash: D
    held: D = ZERO  # signed
    entry_price: D = ZERO
    best: D = ZERO
    orders: list[Order] = field(default_factory=list)  # the older first
    said: D | None = None
    made_for: D = ZERO
    halted: bool = False
    fills: list[Done] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    bar: int = -1
    now: int = 0
    ended: int = 0
    used: D = ZERO  # of the candle's volume

    def __post_init__(self) -> None:
        self.peak = self.cash

    def refuse(self, why: str) -> None:
        self.refused[why] = self.refused.get(why, 0) + 1

    # -- fills --------------------------------------------------------------------------------------------------------

    def side(self) -> int:
        return 1 if self.held > 0 else -1

    def drop(self, o: Order) -> None:
        if o in self.orders:
            self.orders.remove(o)

    def volume_left(self, c: Candle) -> D:
        if not self.world.share:
            return D("Infinity")
        assert c.volume is not None
        return self.world.share * c.volume - self.used

    def fill(self, o: Order, price: D, c: Candle, *, taking: bool = False, maker: bool = False) -> None:
        """As much as the candle has left. `price` is undisturbed: who takes pays slippage on top."""
        world = self.world
        whole = o.qty
        if o.reduces:
            whole = min(whole, abs(self.held)) if self.held * o.side < 0 else ZERO
        if whole <= 0:
            self.drop(o)
            return
        qty, rate = whole, world.maker if maker else world.taker
        if o.role != LIQUIDATION:
            left = self.volume_left(c)
            if maker and o.ahead is not None:
                left = min(left, o.ready)
            if left.is_finite():
                qty = min(whole, floored(max(left, ZERO), world.lot))
        if qty <= 0:
            return
        if o.role == LIQUIDATION:
            price, rate = self.entry_price * (1 - self.side() / world.leverage), ZERO
        elif taking:
            price = taken(price, o.side, qty, c, world)
            ceiling = o.price if o.kind == LIMIT else o.worst if o.kind == STOP_LIMIT else None
            price = price if ceiling is None else better(price, ceiling, o.side)
        if not o.reduces and o.side > 0 and world.max_exposure <= 1 and qty * price * (1 + rate) > self.cash:
            qty = whole = floored(max(self.cash, ZERO) / (price * (1 + rate)), world.lot)
            if self.too_small(qty, price):
                self.drop(o)
                return
        o.parts += 1
        self.used += qty
        self._book(o, qty, price, rate, maker)
        self._rest_of(o, whole - qty, qty)

    def _book(self, o: Order, qty: D, price: D, rate: D, maker: bool) -> None:
        """Money, position and what the position's exits are after a fill."""
        fee, before = qty * price * rate, self.held
        self.cash -= o.side * qty * price + fee
        self.held += o.side * qty
        self.fills.append(Done(self.bar, o.role, o.side, qty, price, fee, maker, o.parts))
        if before * o.side >= 0:
            self.entry_price = (abs(before) * self.entry_price + qty * price) / (abs(before) + qty)
            self.best = price if not before else worse(self.best, price, o.side)
        elif self.held * before < 0:
            self.entry_price = self.best = price
        if not self.held:
            self.entry_price = self.best = ZERO
        if self.held * before <= 0 and before:  # closed: its exits go
            self.orders = [other for other in self.orders if not other.reduces or other is o]

    def _rest_of(self, o: Order, left: D, qty: D) -> None:
        if left > 0:
            o.qty, o.ready = left, max(o.ready - qty, ZERO)
            if o.kind != LIMIT:
                self.no_stop_any_more(o)
        else:
            self.drop(o)
        if o.group:
            for other in [other for other in self.orders if other.group == o.group and other is not o]:
                other.qty -= qty
                if left <= 0 or other.qty <= 0:
                    self.drop(other)
        if not self.held:
            self.orders = [other for other in self.orders if not other.reduces]
        elif o.role == ENTRY and self.held * o.side > 0:
            self._protect(o)
        else:
            for other in self.orders:
                if other.reduces:
                    other.qty = min(other.qty, abs(self.held))

    def _protect(self, entry: Order) -> None:
        """A rate sets an exit anew from the average price, none keeps what is there and lets it cover all."""
        world, side, price = self.world, self.side(), self.entry_price
        prices: dict[int, D | None] = {
            STOP_LOSS: None if entry.stop is None else toward(price * (1 - side * entry.stop), world.tick, -side),
            TRAILING: None if entry.trail is None else toward(self.best * (1 - side * entry.trail), world.tick, -side),
            TAKE_PROFIT: None if entry.take is None else toward(price * (1 + side * entry.take), world.tick, side),
            LIQUIDATION: None,
        }
        if world.leverage:
            prices[LIQUIDATION] = price * (1 - side / world.leverage) / (1 - side * world.maintenance)
        for role, at in prices.items():
            there = next((o for o in self.orders if o.role == role), None)
            if there is not None and at is None:
                there.qty = abs(self.held)
            if at is None:
                continue
            if there is not None:
                self.drop(there)
            self._rest_an_exit(role, at, entry.trail if role == TRAILING else None)
        self.follow()

    def _rest_an_exit(self, role: int, price: D, trail: D | None) -> None:
        self.make_room()
        side = -self.side()
        o = Order(LIMIT if role == TAKE_PROFIT else STOP, role, side, abs(self.held), price, True, trail=trail)
        if role == STOP_LOSS and self.world.stop_limit:
            o.kind = STOP_LIMIT
            o.worst = toward(price * (1 + side * self.world.stop_limit), self.world.tick, side)
        o.queues = role == TAKE_PROFIT and self.world.queue
        self.orders.append(o)

    def make_room(self) -> None:
        """Protection and exits always find a slot: the youngest entry goes, else the youngest limit."""
        if len(self.orders) >= SLOTS:
            entries = [o for o in self.orders if not o.reduces]
            self.drop((entries or [o for o in self.orders if o.kind == LIMIT])[-1])

    def no_stop_any_more(self, o: Order) -> None:
        o.kind, o.price = (LIMIT, o.worst) if o.kind == STOP_LIMIT else (MARKET, None)

    def follow(self) -> None:
        side = self.side()
        for o in self.orders:
            if o.role == TRAILING and o.kind == STOP:
                assert o.price is not None
                assert o.trail is not None
                o.price = worse(o.price, toward(self.best * (1 - side * o.trail), self.world.tick, -side), side)

    def leave(self, held: D, qty: D, role: int) -> None:
        """Sells at the market what no other order at the market sells already."""
        qty -= sum((o.qty for o in self.orders if o.kind == MARKET and o.reduces), ZERO)
        if qty > 0:
            self.make_room()
            self.orders.append(self.sent(Order(MARKET, role, -1 if held > 0 else 1, qty, reduces=True)))

    def sent(self, o: Order, life: int = 0) -> Order:
        """On its way to the venue."""
        if self.world.latency:
            o.arrives = self.ended + self.world.latency
        if life:
            o.expires = self.ended + self.world.latency + life
        o.queues = o.kind == LIMIT and self.world.queue
        return o

    def too_small(self, qty: D, price: D) -> bool:
        return qty <= 0 or qty < self.world.min_qty or qty * price < self.world.min_notional

    def outside(self, price: D, close: D, side: int) -> bool:
        band = self.world.band
        return bool(band) and (price - close * (1 + side * band)) * side > 0
