"""The numbers of an account and the rules it trades under: named tuples of floats, which kernels take as they are.

All fields are float (never int), because a compiled kernel is made for one type.
"""

from __future__ import annotations

from typing import NamedTuple

from onetape.domain.errors import BadInput
from onetape.domain.instrument import Instrument
from onetape.domain.units import Money, Price, Qty, Rate

FRACTION, QUOTE, QTY, RISK = 0.0, 1.0, 2.0, 3.0
_MODES = {"fraction": FRACTION, "quote": QUOTE, "qty": QTY, "risk": RISK}


class Account(NamedTuple):
    """One bot's account in one instrument. `qty` is signed: negative is short. Money in settle currency."""

    cash: Money
    qty: Qty = 0.0
    entry_price: Price = 0.0  # average of the open position, 0 when flat
    realised: Money = 0.0  # closed profit before fees
    fees: Money = 0.0  # paid so far; negative = rebates
    slippage: Money = 0.0  # what fills cost against their undisturbed price
    best: Price = 0.0  # best price since the position was opened, for trailing stops
    peak: Money = 0.0  # highest equity at a close
    halted: float = 0.0  # reason code (core.state) that forbids new entries; 0 = none
    target: float = 0.0  # the exposure that the open position was made for
    said: float = float("nan")  # the target of the last signal row; only a row that says something else acts
    next_id: float = 1.0  # number of the next order
    funding: Money = 0.0  # paid so far on perpetuals; negative = received
    delay: Money = 0.0  # what fills cost because orders were on their way

    def equity(self, price: Price) -> Money:
        return self.cash + self.qty * price


class Costs(NamedTuple):
    """Fees and slippage as rates of the price: 0.001 = ten basis points. What takes pays slippage, what rests does not.

    Its parts add up: a fixed rate; half of the spread; `share_impact` times the square of the order's share of the
    candle's volume; `root_impact` times the candle's range over its close times the square root of that share. Where
    the order book was recorded it is walked instead of the last three.
    """

    maker: Rate = 0.0008
    taker: Rate = 0.001
    slippage: Rate = 0.0
    spread: Rate = 0.0  # between bid and ask
    share_impact: float = 0.0
    root_impact: float = 0.0


class Execution(NamedTuple):
    """How orders go to the venue and how they wait there. 0 = none, everywhere."""

    latency: float = 0.0  # micros from a signal candle's close until its order is at the venue
    share: Rate = 0.0  # most of a candle's volume that our fills take; the rest of an order waits for the next candle
    force: float = 0.0  # time in force of limit entries: core.state GTC, IOC, FOK, POST_ONLY
    life: float = 0.0  # micros after which a limit entry that still waits is taken back
    stop_limit: Rate = 0.0  # a stop-loss becomes a limit this far beyond its trigger; 0 = it takes the market
    queue: float = 0.0  # 1 = fill candles are single trades, and what stood at a limit's price trades before it


class Sizing(NamedTuple):
    """How large a full entry (|target| = 1) is.

    mode FRACTION: `value` of equity; QUOTE: `value` in quote currency; QTY: `value` in base units;
    RISK: so large that the stop loses `value` of equity (a signal without a stop is then refused).
    """

    mode: float = FRACTION
    value: float = 0.95

    @classmethod
    def parse(cls, text: str, field: str = "--sizing") -> Sizing:
        """`fraction:0.95`, `quote:1000`, `qty:1` or `risk:0.01`. Raises BadInput."""
        name, _, number = text.partition(":")
        remedy = "Write fraction:0.95, quote:1000, qty:1 or risk:0.01."
        if name not in _MODES:
            raise BadInput(field, text, "not a sizing rule", remedy)
        try:
            value = float(number)
        except ValueError:
            raise BadInput(field, text, "without a number behind the colon", remedy) from None
        if not 0 < value < float("inf") or (name in ("fraction", "risk") and value > 1):
            raise BadInput(field, text, "out of range", remedy)
        return cls(_MODES[name], value)

    def __str__(self) -> str:
        return f"{next(k for k, v in _MODES.items() if v == self.mode)}:{self.value:g}"


class RiskLimits(NamedTuple):
    """What an order must not do. Infinite = no limit."""

    max_exposure: Rate = 1.0  # position value over equity, after the order
    max_order_notional: Money = float("inf")
    max_drawdown: Rate = 1.0  # from the highest equity; reached = the position is closed and the bot halted
    allow_short: float = 0.0  # 1.0 = yes
    leverage: float = 0.0  # of an isolated margin on a linear contract; 0 = bought and sold outright


class Exits(NamedTuple):
    """Protective exits for every entry, as rates from the fill price; NaN = none. A signal's own rates win."""

    stop: Rate = float("nan")
    take: Rate = float("nan")
    trail: Rate = float("nan")


class Terms(NamedTuple):
    """The instrument's steps and minima, as the kernels want them; 0 = none."""

    tick: Price = 0.0
    lot: Qty = 0.0
    min_qty: Qty = 0.0
    min_notional: Money = 0.0
    maintenance: Rate = 0.0  # margin, as a share of the position's value, below which the venue liquidates
    band: Rate = 0.0  # how far from the last price the venue takes an order; 0 = anywhere

    @classmethod
    def of(cls, instrument: Instrument) -> Terms:
        return cls(instrument.tick, instrument.lot, instrument.min_qty, instrument.min_notional)


class Rules(NamedTuple):
    """All that a decision depends on beside account, orders and market."""

    costs: Costs
    sizing: Sizing
    limits: RiskLimits
    exits: Exits
    terms: Terms
    execution: Execution = Execution()
