"""Longer candles cut into one-minute ones that add up to them exactly, so that any candle file can be played."""

from __future__ import annotations

import numpy as np

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.venue.chance import draw
from onetape.venue.listing import LOT_DECIMALS, Listing
from onetape.venue.prints import Minutes, path, sizes

_FEWEST = 3  # minutes that a path through open, both extremes and close needs


def in_minutes(frame: CandleFrame, listing: Listing, seed: int) -> CandleFrame:
    """The frame itself when it has 1-minute candles. Raises BadInput for lengths that cannot be cut."""
    k = frame.timeframe.micros // MINUTE
    if k == 1 and frame.timeframe.micros == MINUTE:
        return frame
    if not frame.timeframe.regular or k < _FEWEST or frame.timeframe.micros % MINUTE:
        problem = "candles that cannot be cut into minutes"
        raise BadInput("frames", f"{frame.symbol} {frame.timeframe}", problem, "Use 1m, or 3m to 1w.")
    whole = _whole(frame, listing)
    slot = np.arange(k + 1, dtype=np.int64)[None, :]
    point = path(whole, np.full((len(frame), 1), k + 1), slot, seed, listing.step)
    opening, close = point[:, :-1], point[:, 1:]
    chance = draw(seed, 7, whole.number[:, None], slot[:, :k])
    lots = sizes(whole.lots[:, None], np.ones(opening.shape, np.bool_), chance)
    prices = {"open": opening, "high": np.maximum(opening, close), "low": np.minimum(opening, close), "close": close}
    columns: dict[str, object] = {name: ticks.ravel() / 10.0**listing.decimals for name, ticks in prices.items()}
    columns["ts"] = (frame.ts[:, None] + slot[:, :k] * MINUTE).ravel()
    columns["volume"] = lots.ravel() / 10.0**LOT_DECIMALS
    return CandleFrame.of(frame.exchange, frame.symbol, "1m", columns)


def _whole(frame: CandleFrame, listing: Listing) -> Minutes:
    scale = 10.0**listing.decimals
    prices = (np.rint(getattr(frame, name) * scale).astype(np.int64) for name in ("open", "high", "low", "close"))
    lots = np.rint(frame.volume * 10.0**LOT_DECIMALS).astype(np.int64)
    return Minutes._make((frame.ts // MINUTE, *prices, lots))
