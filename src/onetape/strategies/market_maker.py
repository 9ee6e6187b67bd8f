"""Quote both sides around a fair value and lean against what is held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from onetape.domain.frame import Floats
from onetape.domain.orders import Side
from onetape.indicators import sma, true_range
from onetape.strategies.contract import Factor, Market, Period, about
from onetape.strategies.quoting import Quote, Quoting, View

Share = Annotated[float, msgspec.Meta(gt=0.0, le=1.0, description="share of the equity")]


class MarketMaker(Quoting, frozen=True, tag="market_maker"):
    """A bid and an ask around the mean of the last `fair` closes, never taking.

    Both lie `width` mean true ranges (of `length` candles) from it, and at least `least` from the last close. The more
    is held, the lower both are: by `skew` widths when all that may be held is held, and as much higher when nothing
    is. Without `short` it holds 0 to `most` of the equity and aims at half of that; with it -`most` to `most`, aiming
    at nothing (the run must allow short sales, too).
    """

    fair: Annotated[Period, about("candles whose mean close is the fair value")] = 5
    length: Annotated[Period, about("candles of the mean true range")] = 50
    width: Annotated[Factor, about("from the fair value to each quote, in mean true ranges")] = 1.0
    least: Annotated[float, msgspec.Meta(gt=0.0, le=0.5, description="from the last close, a rate")] = 0.001
    size: Annotated[Share, about("share of the equity in each quote")] = 0.1
    most: Annotated[Share, about("share of the equity that may be held")] = 0.8
    skew: Annotated[float, msgspec.Meta(ge=0.0, le=10.0, description="widths that a full position moves both")] = 1.0
    short: Annotated[bool, msgspec.Meta(description="hold less than nothing, too")] = False

    def check(self) -> None:
        self.require(self.size <= self.most, "size", f"larger than most, which is {self.most:g}")

    def warmup(self) -> int:
        return max(self.fair, self.length + 1)

    def prepare(self, market: Market) -> dict[str, Floats]:
        ranges = true_range(market.high, market.low, market.close)
        return {"fair": sma(market.close, self.fair), "range": sma(ranges, self.length)}

    def quotes(self, now: View) -> Sequence[Quote]:
        equity, held = now.equity, now.account.qty * now.close
        if equity <= 0.0:
            return []
        aim = 0.0 if self.short else self.most / 2.0
        reach = self.most - aim
        lean = min(max((held / equity - aim) / reach, -1.0), 1.0)
        half = self.width * now.row["range"]
        centre = now.row["fair"] - lean * self.skew * half
        bid = min(centre - half, now.close * (1.0 - self.least))
        ask = max(centre + half, now.close * (1.0 + self.least))
        spare_qty = now.account.qty + (self.most * equity / now.close if self.short else 0.0)
        room = self.most * equity - held
        quotes = []
        if spare_qty > 0.0:
            qty = min(self.size * equity / ask, spare_qty)
            quotes.append(Quote(Side.SELL, qty, ask, reduce_only=not self.short, force="post_only"))
        if room > 0.0 and bid > 0.0:
            quotes.append(Quote(Side.BUY, min(self.size * equity, room) / bid, bid, force="post_only"))
        return quotes
