"""The same instrument on two exchanges: how far their closes lie apart, what one has and the other has not, and who
follows whom. Pure; nothing is stored."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.market import Origin
from onetape.domain.units import Micros

LAGS: Final = 5  # candles that are tried in either direction
ENOUGH: Final = 30  # changes that both have, below which nothing is said of a lag
_YEARS: Final = 1_970 * 12  # months before 1970
_BPS: Final = 10_000.0
_NOT_OWN: Final = (Origin.FOREIGN, Origin.SYNTHETIC)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`first` and `second` name the exchanges. Differences are those of the second's close from the first's, in basis
    points of the first's.

    Positive `lag`: the second does so many candles later what the first did; `correlation` is that of their changes
    without a lag, `lag_correlation` that with it. NaN: too few candles to say.
    """

    first: str
    second: str
    timeframe: str
    start_ts: Micros
    end_ts: Micros
    both: int
    only_first: int
    only_second: int
    median_bps: float
    p95_bps: float  # of the size of the difference
    worst_bps: float
    worst_ts: Micros
    volume_ratio: float
    correlation: float
    lag: int
    lag_correlation: float


def compare(first: CandleFrame, second: CandleFrame) -> Comparison:
    """Over the time in which both have candles. Candles that an exchange has not from itself (foreign, synthetic) are
    left out. Raises BadInput where the timeframes differ or no time is common."""
    if first.timeframe != second.timeframe:
        raise BadInput("timeframe", str(second.timeframe), f"not {first.timeframe}, as that of the other")
    a, b = _own(first), _own(second)
    if not len(a) or not len(b) or max(a.ts[0], b.ts[0]) > min(a.ts[-1], b.ts[-1]):
        raise BadInput(
            "exchanges", f"{first.exchange}, {second.exchange}", "without a common time in what is stored",
            "`onetape data list` shows what is; `onetape data download` fetches more.",
        )  # fmt: skip
    start, last = int(max(a.ts[0], b.ts[0])), int(min(a.ts[-1], b.ts[-1]))
    a, b = a.between(start, last + 1), b.between(start, last + 1)
    _, i, j = np.intersect1d(a.ts, b.ts, assume_unique=True, return_indices=True)
    difference = (b.close[j] / a.close[i] - 1.0) * _BPS
    worst = int(np.argmax(np.abs(difference))) if len(difference) else -1
    correlations = _correlations(a, b)
    lag = max(correlations, key=lambda k: (round(correlations[k], 9), -abs(k)), default=0)
    volume = float(a.volume[i].sum())
    return Comparison(
        first=a.exchange,
        second=b.exchange,
        timeframe=str(a.timeframe),
        start_ts=start,
        end_ts=a.timeframe.next(last),
        both=len(i),
        only_first=len(a) - len(i),
        only_second=len(b) - len(i),
        median_bps=float(np.median(difference)) if len(difference) else float("nan"),
        p95_bps=float(np.percentile(np.abs(difference), 95)) if len(difference) else float("nan"),
        worst_bps=float(difference[worst]) if worst >= 0 else float("nan"),
        worst_ts=int(a.ts[i][worst]) if worst >= 0 else 0,
        volume_ratio=float(b.volume[j].sum()) / volume if volume else float("nan"),
        correlation=correlations.get(0, float("nan")),
        lag=lag,
        lag_correlation=correlations.get(lag, float("nan")),
    )


def _own(frame: CandleFrame) -> CandleFrame:
    kept = ~np.isin(frame.origin, _NOT_OWN)
    if kept.all():
        return frame
    names = ("ts", "open", "high", "low", "close", "volume", "turnover", "origin")
    columns: dict[str, object] = {name: getattr(frame, name)[kept] for name in names}
    return CandleFrame.of(frame.exchange, frame.symbol, frame.timeframe, columns)


def _changes(frame: CandleFrame) -> tuple[Ints, Floats]:
    """The number of each candle on the grid, and the change of its close from the candle right before it."""
    timeframe = frame.timeframe
    if timeframe.regular:
        at = frame.ts // timeframe.micros
    else:  # months, which are not equally long
        at = (frame.ts.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) + _YEARS) // timeframe.count
    follows = np.diff(at) == 1
    return at[1:][follows], np.diff(np.log(frame.close))[follows]


def _correlations(a: CandleFrame, b: CandleFrame) -> dict[int, float]:
    """Of the changes of both, by lag."""
    (at_a, x), (at_b, y) = _changes(a), _changes(b)
    found: dict[int, float] = {}
    for lag in range(-LAGS, LAGS + 1):
        _, i, j = np.intersect1d(at_a + lag, at_b, assume_unique=True, return_indices=True)
        if len(i) < ENOUGH or not np.std(x[i]) > 0 or not np.std(y[j]) > 0:
            continue
        found[lag] = float(np.corrcoef(x[i], y[j])[0, 1])
    return found
