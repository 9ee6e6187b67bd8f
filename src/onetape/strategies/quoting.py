"""Strategies that say which orders rest: grids, averaging in, market makers.

A quoting strategy works in two steps. `prepare` makes columns out of candles, in one batch, as indicators are made; the
gate proves that they look at nothing later. `quotes` answers, at each candle's close, the orders that shall rest, from
that row of the columns and from the account: a pure function, so that the same account in the same market quotes the
same. What rests already and is answered again keeps its place in the queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from onetape.domain.accounts import Account, Terms
from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats
from onetape.domain.orders import OrderKind, Side
from onetape.domain.units import Micros, Money, Price, Qty, Rate
from onetape.strategies.contract import AnyStrategy, Kind, Market
from onetape.strategies.foreign import Foreign
from onetape.strategies.sources import file_of


class Quote(NamedTuple):
    """An order that shall rest. Quantity in base units; `price` is the limit or the trigger (0 for a market order).

    `worst` is the limit that a stop-limit becomes. `force` is "gtc", "ioc", "fok" or "post_only". `life_s` are seconds
    until it is taken back, 0 = never. Orders of one `group` (from 1 on) cancel each other. `stop`, `take` and `trail`
    are rates of the exits that its fill brings; None = none.
    """

    side: Side
    qty: Qty
    price: Price = 0.0
    kind: OrderKind = OrderKind.LIMIT
    worst: Price = 0.0
    reduce_only: bool = False
    force: str = "gtc"
    life_s: float = 0.0
    group: int = 0
    stop: Rate | None = None
    take: Rate | None = None
    trail: Rate | None = None


class View(NamedTuple):
    """What a quoting strategy knows at a candle's close. `row` holds the columns' values of that candle."""

    ts: Micros  # the close
    close: Price
    row: Mapping[str, float]
    account: Account
    terms: Terms

    @property
    def equity(self) -> Money:
        return self.account.equity(self.close)


class Quoting(AnyStrategy, frozen=True):
    """Answers orders. Derive from it with `frozen=True, tag="its_name"`."""

    kind: ClassVar[Kind] = Kind.QUOTING

    def prepare(self, market: Market) -> dict[str, Floats]:
        """Columns with one value per candle, each made of that candle and older ones only."""
        return {"close": market.close}

    def quotes(self, now: View) -> Sequence[Quote]:
        """The orders that shall rest until the next candle's close, most important first (16 find room)."""
        raise BadInput(f"quotes of {self.name()}", now.close, "not written", "Answer a list of Quote(...).")


def prepared(strategy: Quoting, market: Market) -> dict[str, Floats]:
    """The columns of a strategy, proved to be columns. Raises BadInput naming strategy, column and row."""
    with Foreign(file_of(type(strategy))) as visit:
        columns = strategy.prepare(market)
    place = f"{strategy.name()}: prepare"
    if isinstance(visit.error, BadInput):
        raise visit.error
    if visit.fault:
        raise BadInput(place, visit.fault, "it fails", "Candles are read-only; copy a column to change it.")
    if not isinstance(columns, Mapping):
        raise BadInput(place, type(columns).__name__, "not what it must return", "Return columns by name.")
    return {name: _column(f"{place}[{name!r}]", values, len(market)) for name, values in columns.items()}


def _column(place: str, values: ArrayLike, n: int) -> Floats:
    try:
        column = np.ascontiguousarray(values, np.float64)
    except (TypeError, ValueError):
        raise BadInput(place, type(values).__name__, "not a column of numbers") from None
    if np.shape(values) != (n,):
        raise BadInput(place, np.shape(values), f"not one number for each of {n} candles")
    if np.isinf(column).any():
        row = int(np.argmax(np.isinf(column)))
        raise BadInput(f"{place}[{row}]", float(column[row]), "not finite", "Give NaN where there is no value.")
    return column
