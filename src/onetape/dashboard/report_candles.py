"""The candles that a stored run is drawn on, read anew: a run is kept without them."""

from __future__ import annotations

import numpy as np

from onetape.backtest.index import index_of
from onetape.domain.errors import NotFound
from onetape.domain.frame import CandleFrame
from onetape.domain.units import Timeframe
from onetape.marketdata import reading
from onetape.ports import CandleStore, RunView

Series = tuple[str, str, Timeframe]  # exchange, symbol, length


async def candles_of(store: CandleStore, view: RunView) -> CandleFrame | None:
    """The run's own candles, or the index of its books' markets. None where they are not stored any more."""
    found = [await _loaded(store, one, view) for one in series_of(view)]
    there = [frame for frame in found if frame is not None and len(frame)]
    if not there or view.kind == "backtest":
        return there[0] if there else None
    return index_of(there, np.unique(np.concatenate([frame.ts for frame in there])))


def series_of(view: RunView) -> list[Series]:
    """The run's series; of several books those of their markets, on the longest timeframe that one of them has."""
    spec, books = view.spec, view.manifest.get("books")
    if not books:
        return [(spec.exchange, spec.symbol, Timeframe.parse(spec.timeframe))]
    lengths = [Timeframe.parse(book["spec"]["timeframe"]) for book in books]
    longest = max(lengths, key=lambda one: one.micros)
    markets = sorted({(book["spec"]["exchange"], book["spec"]["symbol"]) for book in books})
    return [(*market, longest) for market in markets]


async def _loaded(store: CandleStore, series: Series, view: RunView) -> CandleFrame | None:
    try:
        return await reading.load(store, series, view.metrics["start_ts"], view.metrics["end_ts"])
    except NotFound:
        return None
