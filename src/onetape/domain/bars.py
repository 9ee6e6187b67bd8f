"""Bars that close by what was traded, not by the clock: `100t` after 100 trades, `5v` after 5 base units, `10000q`
after 10,000 of quote currency."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from onetape.domain.errors import BadInput
from onetape.domain.units import Micros, Money, Price, Qty

_SIZE: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)([tvq])")


class BarSize(NamedTuple):
    """How much is traded in one bar. `unit` is t (trades), v (volume in base units) or q (in quote currency)."""

    amount: float
    unit: str

    @classmethod
    def parse(cls, text: str | BarSize, field: str = "bars") -> BarSize:
        """Raises BadInput naming `field`."""
        if isinstance(text, BarSize):
            return text
        found = _SIZE.fullmatch(text.strip())
        amount = float(found[1]) if found else 0.0
        if not found or amount <= 0 or (found[2] == "t" and amount % 1):
            remedy = "Use 100t (trades), 5v (base units) or 10000q (quote currency)."
            raise BadInput(field, text, "not a size of bars", remedy)
        return cls(amount, found[2])

    def __str__(self) -> str:
        return f"{self.amount:.9f}".rstrip("0").rstrip(".") + self.unit


class Bar(msgspec.Struct, frozen=True, tag="bar"):
    """A closed bar: from its first trade to the one that closed it, both included. A trade is never split, so the last
    one may lift the bar above its size."""

    exchange: str
    symbol: str
    size: str
    open_ts: Micros
    close_ts: Micros
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Qty
    turnover: Money
    trades: int
