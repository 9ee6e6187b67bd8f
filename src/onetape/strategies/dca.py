"""Average into a fall, leave at a profit on the average price."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated

import msgspec

from onetape.domain.orders import OrderKind, Side
from onetape.strategies.contract import Factor, about
from onetape.strategies.quoting import Quote, Quoting, View

Share = Annotated[float, msgspec.Meta(gt=0.0, le=1.0, description="share of the equity")]


class Dca(Quoting, frozen=True, tag="dca"):
    """Dollar-cost averaging with safety orders; long only.

    Whenever nothing is held it buys at the market with `base` of the equity. Safety orders rest `step`, 2 `step`, ...
    below that purchase; the first one buys with `safety` of the equity, each deeper one with `scale` times as much. All
    of it is sold `take` above the average price paid, or `stop` below it (0 = never): both follow the average with each
    purchase. It wins often and small; a fall through all safety orders is the rare large loss.
    """

    base: Annotated[Share, about("share of the equity in the first purchase")] = 0.1
    safety: Annotated[Share, about("share of the equity in the first safety order")] = 0.1
    orders: Annotated[int, msgspec.Meta(ge=0, le=14, description="safety orders")] = 5
    step: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0, description="between them, a rate of the first price")] = 0.02
    scale: Annotated[Factor, about("how much larger each safety order is than the one before")] = 1.2
    take: Annotated[float, msgspec.Meta(gt=0.0, le=10.0, description="profit on the average price, a rate")] = 0.015
    stop: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0, description="loss on the average price; 0 = never")] = 0.0

    def check(self) -> None:
        self.require(
            sum(self.shares()) <= 1.0, "safety", f"too large: all orders are {sum(self.shares()):.3g} of equity"
        )
        self.require(self.step * self.orders < 1.0, "step", f"too large for {self.orders} orders: the last is below 0")

    def warmup(self) -> int:
        return 1

    def shares(self) -> list[float]:
        """Of the equity, what each purchase takes."""
        return [self.base, *(self.safety * self.scale**i for i in range(self.orders))]

    def quotes(self, now: View) -> Sequence[Quote]:
        account, shares = now.account, self.shares()
        stop = self.stop or None
        if account.qty <= 0.0:
            qty = shares[0] * account.cash / now.close
            return [Quote(Side.BUY, qty, kind=OrderKind.MARKET, take=self.take, stop=stop)]
        cost = account.qty * account.entry_price
        capital = account.cash + cost  # the equity when the first purchase was made, but for fees
        spent = list(accumulate(shares))
        made = min(range(len(spent)), key=lambda i: abs(spent[i] - cost / capital))  # safety orders that have filled
        weight = sum(share / (1.0 - i * self.step) for i, share in enumerate(shares[: made + 1]))
        first_price = account.entry_price * weight / spent[made]  # an average is what was spent over what was bought
        prices = [min(first_price * (1.0 - i * self.step), now.close) for i in range(made + 1, len(shares))]
        return [
            Quote(Side.BUY, share * capital / price, price, take=self.take, stop=stop)
            for share, price in zip(shares[made + 1 :], prices, strict=True)
        ]
