"""Follow the cross of two simple moving averages."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np

from onetape.strategies.contract import Period, about
from onetape.strategies.crossing import MeanCross, Means


class SmaCross(MeanCross, frozen=True, tag="sma_cross"):
    """In when the fast mean of closes crosses above the slow one, out when it crosses below.

    Nothing is said between crosses, so a position closed by its stop stays closed until the next cross. Confidence:
    how decisively the means pass each other, 0.5 = by an average step of the fast one; 0 where nothing is said.
    """

    fast: Annotated[Period, about("candles of the fast mean")] = 10
    slow: Annotated[Period, about("candles of the slow mean")] = 50
    exit: Annotated[
        Literal["cross", "none"],
        msgspec.Meta(description="cross: leave at the cross below; none: only by stop or take"),
    ] = "cross"
    short: Annotated[bool, msgspec.Meta(description="turn short at the cross below")] = False

    def check(self) -> None:
        self.require(self.fast < self.slow, "fast", f"not below slow, which is {self.slow}")

    def warmup(self) -> int:
        """The slow mean on two candles, the fast one on `fast` + 1: exact, for a simple mean knows only its window."""
        return max(self.slow + 1, 2 * self.fast)

    def means(self) -> Means:
        return Means(self.fast, self.slow, -1.0 if self.short else 0.0 if self.exit == "cross" else np.nan)
