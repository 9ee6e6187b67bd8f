"""The markets of several books as one price, equally weighted: what buying and holding all of them would have made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onetape.domain.frame import CandleFrame, Ints


def index_of(frames: Sequence[CandleFrame], ts: Ints) -> CandleFrame:
    """The mean of all closes, each over its first, times 100. `ts` are the times at which any of them opens; a
    frame that is there twice counts once."""
    unlike = list({id(frame): frame for frame in frames}.values())
    level = np.zeros(len(ts))
    for frame in unlike:
        if len(frame) == len(ts):  # each of its candles is one of the times
            level += frame.close / frame.close[0]
            continue
        at = np.maximum(np.searchsorted(frame.ts, ts, side="right") - 1, 0)
        level += frame.close[at] / frame.close[0]
    level *= 100.0 / len(unlike)
    opens = np.concatenate((level[:1], level[:-1]))
    shortest = min((frame.timeframe for frame in unlike), key=lambda timeframe: timeframe.micros)
    columns: dict[str, object] = {
        "ts": ts, "open": opens, "high": np.maximum(opens, level), "low": np.minimum(opens, level), "close": level,
        "volume": np.zeros(len(ts)),
    }  # fmt: skip
    return CandleFrame.of("index", "INDEX", shortest, columns)
