"""What running strategies over stored candles takes, in one value: the command line and the jobs work with the same."""

from __future__ import annotations

from typing import NamedTuple

from onetape.backtest.answer import Recording
from onetape.backtest.counting import Counter
from onetape.ports import CandleStore, RunStore
from onetape.strategies.registry import Registry


class Means(NamedTuple):
    """`recording` adds to chosen candles what else was recorded in their time."""

    candles: CandleStore
    runs: RunStore
    registry: Registry
    counter: Counter
    recording: Recording
