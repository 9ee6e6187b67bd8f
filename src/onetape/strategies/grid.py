"""Buy at each step down and sell each purchase one step up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import msgspec

from onetape.domain.frame import Floats
from onetape.domain.orders import Side
from onetape.indicators import highest
from onetape.strategies.contract import Market, Period, about
from onetape.strategies.quoting import Quote, Quoting, View


class Grid(Quoting, frozen=True, tag="grid"):
    """A grid of limit orders that hangs below the highest close of `length` candles; long only.

    The levels lie `spacing` apart, each the same rate below the one above it. At each a slice of `size` of the equity
    is bought, and sold again one level higher. What the price has passed already is quoted at the nearest level beyond
    the last close, so no order takes. It earns while the price goes up and down; when it falls through the whole grid
    the position is kept, and as the top comes down after `length` candles it is sold lower than it was bought.
    """

    levels: Annotated[int, msgspec.Meta(ge=1, le=15, description="slices that are bought on the way down")] = 10
    spacing: Annotated[float, msgspec.Meta(ge=0.0001, le=0.5, description="between levels, a rate: 0.01 is 1 %")] = 0.01
    size: Annotated[float, msgspec.Meta(gt=0.0, le=1.0, description="share of the equity in each slice")] = 0.09
    length: Annotated[Period, about("candles whose highest close the grid hangs from")] = 500

    def check(self) -> None:
        whole = self.levels * self.size
        self.require(whole <= 1.0, "size", f"too large: {self.levels} slices of it are {whole:.3g} of the equity")

    def warmup(self) -> int:
        return self.length

    def prepare(self, market: Market) -> dict[str, Floats]:
        return {"top": highest(market.close, self.length)}

    def quotes(self, now: View) -> Sequence[Quote]:
        step, held = math.log1p(self.spacing), max(now.account.qty, 0.0)
        top = math.ceil(_levels(now.row["top"], step))
        under = math.ceil(_levels(now.close, step)) - 1  # the nearest level below the last price
        over = math.floor(_levels(now.close, step)) + 1
        capital = now.account.cash + held * now.account.entry_price  # at cost: it changes with fills alone
        slice_qty = self.size * capital / math.exp(top * step)
        count = min(max(round(held / slice_qty), 1), self.levels) if held > 0.0 else 0
        sells = Counter(max(top - depth, over) for depth in range(count))
        buys = Counter(min(top - depth, under) for depth in range(count + 1, self.levels + 1))
        return [
            *(
                Quote(Side.SELL, n * held / count, math.exp(level * step), reduce_only=True, force="post_only")
                for level, n in sells.items()
            ),
            *(Quote(Side.BUY, n * slice_qty, math.exp(level * step), force="post_only") for level, n in buys.items()),
        ]


def _levels(price: float, step: float) -> float:
    """How many levels a price lies above 1; a price on a level is one, whatever the logarithm's last digit."""
    return round(math.log(price) / step, 6)
