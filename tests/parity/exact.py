"""What the reference simulator speaks of, in exact decimals: markets, rules, orders, fills, and what taking costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple

D = Decimal
ZERO, ONE = D(0), D(1)
ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT, TRAILING, HALT, LIQUIDATION = 1, 2, 3, 4, 5, 6, 7  # roles
MARKET, LIMIT, STOP, STOP_LIMIT, TOUCH = "market", "limit", "stop", "stop_limit", "touch"  # kinds
STAYS, IOC, FOK, POST_ONLY = "stays", "ioc", "fok", "post_only"  # times in force
SLOTS = 16


class Level(NamedTuple):
    """One level of a recorded order book; a size of 0 is none."""

    bid: D
    bid_size: D
    ask: D
    ask_size: D


class Candle(NamedTuple):
    """`volume` None: not known. A single trade has the length 0, the last of its signal candle a negative one."""

    open: D
    high: D
    low: D
    close: D
    volume: D | None = None
    ts: int = 0
    length: int = 0
    depth: Sequence[Level] = ()

    def worst(self, side: int) -> D:
        """The extreme that is worst for one who buys (1) or sells (-1)."""
        return self.high if side > 0 else self.low

    def best(self, side: int) -> D:
        return self.low if side > 0 else self.high


class Wish(NamedTuple):
    """A signal row; None = nothing said."""

    target: D | None
    stop: D | None = None
    take: D | None = None
    trail: D | None = None
    limit: D | None = None


class Quote(NamedTuple):
    """An order of a plan."""

    kind: str
    side: int
    qty: D
    price: D | None = None
    worst: D | None = None
    reduce: bool = False
    force: str = STAYS
    life: int = 0
    group: int = 0
    stop: D | None = None
    take: D | None = None
    trail: D | None = None


class World(NamedTuple):
    """Costs, sizing, limits, steps, and how orders go and wait."""

    maker: D
    taker: D
    slippage: D
    mode: str  # fraction, quote, qty, risk
    value: D
    max_exposure: D
    max_notional: D | None
    max_drawdown: D
    shorts: bool
    stop: D | None
    take: D | None
    trail: D | None
    tick: D
    lot: D
    min_qty: D
    min_notional: D
    spread: D = ZERO
    impact_share: D = ZERO
    impact_root: D = ZERO
    latency: int = 0
    share: D = ZERO
    force: str = STAYS
    life: int = 0
    stop_limit: D = ZERO
    queue: bool = False
    leverage: D = ZERO
    maintenance: D = ZERO
    band: D = ZERO


class Done(NamedTuple):
    """A fill."""

    bar: int
    role: int
    side: int
    qty: D
    price: D
    fee: D
    maker: bool
    part: int


@dataclass(eq=False)
class Order:
    """`ahead`: what must trade at a limit's price before it; None = only a trade through the price fills it."""

    kind: str
    role: int
    side: int
    qty: D
    price: D | None = None
    reduces: bool = False
    stop: D | None = None
    take: D | None = None
    trail: D | None = None
    worst: D | None = None
    force: str = STAYS
    arrives: int | None = None
    expires: int | None = None
    group: int = 0
    queues: bool = False  # its place in the queue is still to be looked up
    ahead: D | None = None
    ready: D = ZERO  # what the queue lets fill now
    came: int | None = None  # the candle at which it was looked at when it arrived
    parts: int = 0
    leaving: bool = False  # a cancel is on its way

    @property
    def looked_at(self) -> bool:
        """Whether the first candle that it meets decides something about it."""
        return self.came is None and (self.force != STAYS or self.queues)


def floored(x: D, step: D) -> D:
    return steps(x, step).to_integral_value(ROUND_FLOOR) * step if step else x


def ceiled(x: D, step: D) -> D:
    return steps(x, step).to_integral_value(ROUND_CEILING) * step if step else x


def steps(x: D, step: D) -> D:
    """How many steps: a third of 96 times 3 is 96, though decimals end."""
    return round(x / step, 15)


def toward(x: D, step: D, way: int) -> D:
    """On the tick, rounded up for way 1 and down for way -1."""
    return ceiled(x, step) if way > 0 else floored(x, step)


def worse(a: D, b: D, side: int) -> D:
    """The price of the two that is worse for one who buys (1) or sells (-1)."""
    return max(a, b) if side > 0 else min(a, b)


def better(a: D, b: D, side: int) -> D:
    return worse(a, b, -side)


def taken(price: D, side: int, qty: D, c: Candle, world: World) -> D:
    """What one pays who takes `qty` from the market at an undisturbed price."""
    rate = world.slippage
    walked = _walked(side, qty, c.depth)
    if walked is not None:
        rate += walked
    else:
        rate += world.spread / 2
        if c.length > 0 or c.ts == 0:  # not among single trades
            share = ZERO if c.volume is None else ONE if c.volume <= 0 else min(qty / c.volume, ONE)
            rate += world.impact_share * share * share
            rate += world.impact_root * (c.high - c.low) / c.close * share.sqrt()
    if world.band:
        rate = min(rate, world.band)
    return price * (1 + side * rate)


def _walked(side: int, qty: D, depth: Sequence[Level]) -> D | None:
    if not depth or not depth[0].bid_size or not depth[0].ask_size:
        return None
    left, paid, last = qty, ZERO, ZERO
    for level in depth:
        last_here, size = (level.ask, level.ask_size) if side > 0 else (level.bid, level.bid_size)
        if not size or not left:
            break
        last = last_here
        part = min(left, size)
        paid, left = paid + part * last, left - part
    paid += left * last
    middle = (depth[0].bid + depth[0].ask) / 2
    return max((paid / qty / middle - 1) * side, ZERO)


def waiting_at(price: D, side: int, depth: Sequence[Level]) -> D | None:
    """What stands at a price of one side of the recorded book; None where nothing is known."""
    for level in depth:
        at, size = (level.bid, level.bid_size) if side > 0 else (level.ask, level.ask_size)
        if not size:
            break
        if at == price:
            return size
        if (price - at) * side > 0:
            return ZERO
    return None
