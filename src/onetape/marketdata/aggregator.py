"""Candles from prints: `aggregate_candles` over a list at once, `CandleBuilder` print by print, both bit for bit equal.

Pure arithmetic on the domain's nouns. Volumes are summed in the order of the prints, so that the order of work cannot
show in the last digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, get_args

import numpy as np

from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats, Ints, bucket_starts
from onetape.domain.market import Candle, Forming, Origin, Print
from onetape.domain.units import LATEST, Micros, Timeframe, epoch_micros

Alignment = Literal["right", "left"]
Columns = dict[str, Any]
_FIELDS: Final = ("timestamp", "price", "amount")


def aggregate_candles(
    trades: Sequence[Mapping[str, Any]] | Mapping[str, Any], timeframe: str | Timeframe, alignment: Alignment = "right"
) -> Columns:
    """Candles of the buckets in which something was traded, oldest first.

    `trades` is a list of mappings with `timestamp` (seconds, milliseconds or microseconds since 1970, told apart by
    magnitude), `price` and `amount` (base units), or one mapping of three such arrays. They may come in any order:
    first and last go by time, and by place where times are equal.

    `alignment` "right" puts a trade exactly on a boundary into the bucket that begins there, [open, open + timeframe),
    as exchanges do; "left" into the one that ends there, (open, open + timeframe].

    Answers a dictionary of equally long columns: `timestamp` (the OPEN time, int64 UTC microseconds), `open`, `high`,
    `low`, `close`, `volume` (base), `turnover` (quote), `trades` (their number). Raises BadInput naming row and value.
    """
    length = Timeframe.parse(timeframe)
    if alignment not in get_args(Alignment):
        raise BadInput("alignment", alignment, "not an alignment", "Use right or left.")
    ts, price, amount = columns_of(trades)
    order = np.argsort(ts, kind="stable")
    ts, price, amount = ts[order], price[order], amount[order]
    if not len(ts):
        return {
            "timestamp": ts,
            **{n: np.zeros(0) for n in ("open", "high", "low", "close", "volume", "turnover")},
            "trades": np.zeros(0, np.int64),
        }
    buckets = bucket_starts(ts if alignment == "right" else ts - 1, length)
    first = np.flatnonzero(np.concatenate(([True], buckets[1:] != buckets[:-1])))
    counts = np.diff(np.concatenate((first, [len(ts)])))
    which = np.repeat(np.arange(len(first)), counts)
    return {
        "timestamp": buckets[first],
        "open": price[first],
        "high": np.maximum.reduceat(price, first),
        "low": np.minimum.reduceat(price, first),
        "close": price[first + counts - 1],
        # bincount adds one after the other; reduceat would add in pairs and differ from the incremental twin
        "volume": np.bincount(which, weights=amount),
        "turnover": np.bincount(which, weights=amount * price),
        "trades": counts,
    }


def columns_of(trades: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> tuple[Ints, Floats, Floats]:
    """Times (micros), prices and amounts of what `aggregate_candles` takes. Raises BadInput naming row and value."""
    columns: dict[str, Any]
    if isinstance(trades, Mapping):
        columns = {name: trades[name] for name in _FIELDS if name in trades}
    else:
        columns = {name: [t[name] for t in trades if name in t] for name in _FIELDS}
    n = max((len(c) for c in columns.values()), default=0) if isinstance(trades, Mapping) else len(trades)
    for name in _FIELDS:
        if len(columns.get(name, ())) != n:
            raise BadInput(f"trades.{name}", len(columns.get(name, ())), f"not {n} values", "Every trade needs one.")
    price, amount = (_numbers(name, columns[name]) for name in ("price", "amount"))
    return _stamps(columns["timestamp"]), price, amount


def _stamps(values: Any) -> Ints:
    array = np.asarray(values)
    if array.dtype.kind == "f":  # seconds with a fraction, as clocks tell them
        micros = np.where(array > 1e14, array, np.where(array > 1e11, array * 1e3, array * 1e6))
        wrong = np.flatnonzero(~(np.abs(micros) <= LATEST))
        if wrong.size:
            raise _no_time(int(wrong[0]), array[wrong[0]])
        return np.rint(micros).astype(np.int64)
    if array.dtype.kind not in "iu":
        return np.fromiter((_stamp(i, value) for i, value in enumerate(values)), np.int64, len(values))
    array = array.astype(np.int64)
    return np.where(array > 10**14, array, np.where(array > 10**11, array * 1_000, array * 1_000_000))


def _stamp(i: int, value: Any) -> Micros:
    try:
        return epoch_micros(int(value) if isinstance(value, str) else value)
    except (TypeError, ValueError, OverflowError):
        raise _no_time(i, value) from None


def _no_time(i: int, value: Any) -> BadInput:
    remedy = "Use seconds, milliseconds or microseconds since 1970."
    return BadInput(f"trades[{i}].timestamp", value, "not a time", remedy)


def _numbers(name: str, values: Any) -> Floats:
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise BadInput(f"trades.{name}", values, "not a column of numbers") from None
    wrong = np.flatnonzero(~np.isfinite(numbers) | (numbers < 0 if name == "amount" else numbers <= 0))
    if wrong.size:
        raise BadInput(f"trades[{wrong[0]}].{name}", values[wrong[0]], "not a positive number")
    return numbers


class CandleBuilder:
    """The incremental twin for one series, buckets [open, open + timeframe): the first print after closes a candle.

    Prints come in order of time. One that is older than the running candle comes too late: it is counted in `late` and
    changes nothing, because a closed candle is final.
    """

    def __init__(self, exchange: str, symbol: str, timeframe: str | Timeframe) -> None:
        self.exchange, self.symbol, self.timeframe = exchange, symbol, Timeframe.parse(timeframe)
        self.late = 0
        self._from: Micros = 0  # what is older than this comes too late
        self._end: Micros = -1  # close time of the running candle; -1 = none
        self._open = self._high = self._low = self._close = self._volume = self._turnover = 0.0

    def add(self, trade: Print) -> Candle | None:
        """The candle that this print closes, if it does."""
        ts, price, quantity = trade.ts, trade.price, trade.qty
        if ts < self._from:
            self.late += 1
            return None
        closed = None
        if ts >= self._end:
            closed = self.advance(ts)
            self._from = self.timeframe.floor(ts)
            self._end = self.timeframe.next(self._from)
            self._open = self._high = self._low = price
            self._volume = self._turnover = 0.0
        elif price > self._high:
            self._high = price
        elif price < self._low:
            self._low = price
        self._close = price
        self._volume += quantity
        self._turnover += quantity * price
        return closed

    def advance(self, now_ts: Micros) -> Candle | None:
        """The running candle, if its time is over at `now_ts`."""
        if self._end < 0 or now_ts < self._end:
            return None
        closed = Candle(
            exchange=self.exchange,
            symbol=self.symbol,
            timeframe=str(self.timeframe),
            open_ts=self._from,
            close_ts=self._end,
            open=self._open,
            high=self._high,
            low=self._low,
            close=self._close,
            volume=self._volume,
            turnover=self._turnover,
            origin=Origin.BUILT,
        )
        self._from, self._end = self._end, -1
        return closed

    def forming(self) -> Forming | None:
        """The running candle."""
        if self._end < 0:
            return None
        prices = (self._open, self._high, self._low, self._close, self._volume)
        return Forming(self.exchange, self.symbol, str(self.timeframe), self._from, *prices)
