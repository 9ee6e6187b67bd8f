"""A candle against the resting orders of the reference simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exact import (
    ENTRY,
    FOK,
    HALT,
    LIMIT,
    MARKET,
    POST_ONLY,
    STAYS,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TOUCH,
    TRAILING,
    ZERO,
    Candle,
    D,
    Order,
    better,
    waiting_at,
    worse,
)
from reference_orders import Orders


@dataclass
class Market(Orders):
    """One candle after the other against the orders."""

    def pay(self, rate: D, open_: D) -> None:
        """Funding, on what is held when the candle opens."""
        self.cash -= self.held * open_ * rate

    def candle(self, c: Candle) -> D:
        self.bar += 1
        self.now, self.ended, self.used = c.ts, c.ts + abs(c.length), ZERO
        before, since = self.held, len(self.fills)
        self._end_of_time(c)
        self._each(lambda o: o.kind == MARKET and o.reduces, lambda o: self._at_the_open(o, c), c)
        self._arrivals(c)
        self._queues(c)
        self._each(lambda o: o.kind == MARKET and not o.reduces, lambda o: self._at_the_open(o, c), c)
        self._stops(c, c.open)
        self._each(lambda o: o.reduces and o.kind in (LIMIT, TOUCH), lambda o: self._exit(o, c), c)
        self._each(lambda o: not o.reduces and o.kind != MARKET, lambda o: self._entry(o, c), c)
        self._draw(c, before, since)
        return self._watch(c)

    def _awake(self, o: Order, c: Candle) -> bool:
        """Orders at the market count in the candle in which they arrive, others from the next one on."""
        if o.arrives is None or o.arrives <= c.ts:
            return True
        return o.kind == MARKET and o.arrives < c.ts + c.length

    def _each(self, which: Callable[[Order], bool], do: Callable[[Order], None], c: Candle) -> None:
        for o in [o for o in self.orders if which(o)]:
            if o in self.orders and which(o) and self._awake(o, c):
                do(o)

    def _end_of_time(self, c: Candle) -> None:
        for o in [o for o in self.orders if o.expires is not None and o.expires <= c.ts]:
            self.drop(o)
            if not o.leaving:
                self.refuse("not filled within its time")
            if o.role == ENTRY:
                self.made_for = ZERO

    def _arrivals(self, c: Candle) -> None:
        for o in [o for o in self.orders if o.looked_at and self._awake(o, c)]:
            if o not in self.orders:
                continue
            assert o.price is not None
            takes = (o.price - c.open) * o.side >= 0
            if o.force == STAYS or (o.force == POST_ONLY and not takes):
                o.came = self.bar
                o.ahead = waiting_at(o.price, o.side, c.depth) if o.queues and not takes else None
                o.queues = False
                continue
            if takes and o.force != POST_ONLY and (o.force != FOK or o.qty <= self.volume_left(c)):
                o.queues = False
                self.fill(o, c.open, c, taking=True)
                if o not in self.orders:
                    continue
            if o.force == POST_ONLY:
                self.refuse("a post-only order that would have taken")
            else:
                self.refuse("not to be had at once")
            if not o.reduces:
                self.made_for = ZERO
            self.drop(o)

    def _queues(self, c: Candle) -> None:
        for o in self.orders:
            if o.kind != LIMIT or o.ahead is None or not self._awake(o, c):
                continue
            assert o.price is not None
            o.ready = ZERO
            if (o.price - c.best(o.side)) * o.side > 0:
                o.ready = o.qty
            elif c.low <= o.price <= c.high and c.length <= 0:
                assert c.volume is not None
                left = o.ahead - c.volume
                o.ahead, o.ready = max(left, ZERO), min(max(-left, ZERO), o.qty)

    def _reached(self, o: Order, c: Candle) -> bool:
        """A limit: the candle trades through it, or the queue before it is used up."""
        assert o.price is not None
        if o.queues:
            return False
        return o.ready > 0 if o.ahead is not None else (o.price - c.best(o.side)) * o.side > 0

    def _at_the_open(self, o: Order, c: Candle) -> None:
        price = c.open
        if o.arrives is not None and o.arrives > c.ts and c.length > 0:
            price += D(o.arrives - c.ts) / c.length * (c.worst(o.side) - c.open)
        self.fill(o, price, c, taking=True)

    def _stops(self, c: Candle, market: D) -> bool:
        """All stops that are touched, in the order in which the price meets them. `market`: where it was before."""
        filled = False
        while True:
            first = self._first_stop(c)
            if first is None:
                return filled
            filled = self._touched(first, market, c) or filled

    def _first_stop(self, c: Candle) -> Order | None:
        touched = [o for o in self.orders if o.reduces and o.kind in (STOP, STOP_LIMIT) and self._awake(o, c)]
        touched = [o for o in touched if (c.worst(o.side) - o.price) * o.side >= 0]
        return min(touched, key=lambda o: o.price * o.side, default=None)

    def _touched(self, o: Order, market: D, c: Candle) -> bool:
        """A stop takes the market, or waits as a limit where it has one and the market is beyond it."""
        assert o.price is not None
        count, price = len(self.fills), worse(o.price, market, o.side)
        if o.kind == STOP_LIMIT and (price - o.worst) * o.side > 0:
            o.kind, o.price = LIMIT, o.worst
            return False
        self.fill(o, price, c, taking=True)
        if len(self.fills) == count and o in self.orders:
            self.no_stop_any_more(o)
        return len(self.fills) > count

    def _exit(self, o: Order, c: Candle) -> None:
        assert o.price is not None
        if o.kind == LIMIT and self._reached(o, c):
            self.fill(o, o.price, c, maker=True)
        elif o.kind == TOUCH and (o.price - c.best(o.side)) * o.side >= 0:
            self.fill(o, o.price, c, taking=True)

    def _entry(self, o: Order, c: Candle) -> None:
        assert o.price is not None
        count, market = len(self.fills), o.price
        if o.kind == LIMIT:
            if self._reached(o, c):
                rested = (c.open - o.price) * o.side > 0 or (o.came is not None and o.came < self.bar)
                market = better(o.price, c.open, o.side)
                self.fill(o, o.price, c, maker=rested)
        elif o.kind == TOUCH:
            if (o.price - c.best(o.side)) * o.side >= 0:
                self.fill(o, o.price, c, taking=True)
        elif (c.worst(o.side) - o.price) * o.side >= 0:
            market = worse(o.price, c.open, o.side)
            self._touched(o, c.open, c)
        if len(self.fills) > count:
            self._after_an_entry(c, market)

    def _after_an_entry(self, c: Candle, market: D) -> None:
        """What the rest of the candle proves about the exits."""
        first = self._first_stop(c)
        if first is not None:
            self._touched(first, market, c)
            return
        for o in self.orders:
            if o.role == TAKE_PROFIT and o.price is not None and (c.close - o.price) * o.side < 0:
                if not o.queues and o.ahead is None:
                    self.fill(o, o.price, c, maker=True)
                return

    def _draw(self, c: Candle, before: D, since: int) -> None:
        trails = [o for o in self.orders if o.role == TRAILING]
        if not trails or not self.held:
            return
        went, opened_here = before, before == 0
        for fill in self.fills[since:]:
            went += fill.side * fill.qty
            opened_here = opened_here or went * before <= 0
        side = self.side()
        self.best = worse(self.best, c.close if opened_here else c.worst(side), side)
        self.follow()

    def _watch(self, c: Candle) -> D:
        equity = self.cash + self.held * c.close
        if equity > self.peak:
            self.peak = equity
        elif equity < self.peak * (1 - self.world.max_drawdown) and not self.halted:
            self.halted = True
            self.orders = [o for o in self.orders if o.role != ENTRY]
            if self.held:
                self.leave(self.held, abs(self.held), HALT)
        return equity
