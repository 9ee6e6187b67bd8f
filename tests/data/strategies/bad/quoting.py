"""Faults on purpose of strategies that quote. The gate must catch them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from onetape.domain.frame import Floats
from onetape.domain.orders import Side
from onetape.strategies.market import Market
from onetape.strategies.quoting import Quote, Quoting, View

CALLS = itertools.count()


class Foresees(Quoting, frozen=True, tag="foresees"):
    """Bids at the next candle's low."""

    def warmup(self) -> int:
        return 1

    def prepare(self, market: Market) -> dict[str, Floats]:
        return {"next_low": np.append(market.low[1:], market.low[-1:])}

    def quotes(self, now: View) -> Sequence[Quote]:
        return [Quote(Side.BUY, 1.0, now.row["next_low"])]


class Remembers(Quoting, frozen=True, tag="remembers"):
    """Bids a little less each time it is asked, while it holds something."""

    def warmup(self) -> int:
        return 1

    def quotes(self, now: View) -> Sequence[Quote]:
        less = 0.001 * next(CALLS) if now.account.qty > 0.0 else 0.0
        return [Quote(Side.BUY, 1.0, now.close * (1.0 - less))]
