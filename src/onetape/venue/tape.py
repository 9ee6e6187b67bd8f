"""One instrument's candles as the venue sees them at a moment: bars of every length, prints, the last price, 24 hours.

Minutes without a trade are filled as the exchange fills them (previous close, volume 0). Longer bars are made of the
minutes that have trades; a bar without any repeats the previous close. Knows domain and numpy.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from onetape.domain.frame import CandleFrame
from onetape.domain.units import DAY, MINUTE, Micros
from onetape.venue.bars import Bar
from onetape.venue.listing import LOT_DECIMALS, Listing
from onetape.venue.prints import SLOTS, Ints, Minutes, Prints, counts, prints_of
from onetape.venue.traded import DayStats, Row, Trade

_BLOCK: Final = 256  # minutes whose prints are made together
_KEPT_BLOCKS: Final = 8
_DAY_MINUTES: Final = 1_440
_NEVER_HIGH: Final = np.int64(-1)
_NEVER_LOW: Final = np.iinfo(np.int64).max


class Tape:
    """Fulfils traded.Market. Deterministic: the same frame and seed give the same tape. Times in UTC micros."""

    channels: frozenset[str] = frozenset()

    def __init__(self, frame: CandleFrame, listing: Listing, seed: int) -> None:
        self.listing, self.seed = listing, seed
        self.begin_ts = int(frame.ts[0])
        self.end_ts = int(frame.ts[-1]) + MINUTE
        self.minutes, self._traded = _filled(frame, listing.decimals)
        self._quote = 1 / 10.0 ** (listing.decimals + LOT_DECIMALS)
        n = len(self.minutes.number)
        index = np.where(self._traded, np.arange(n), n)
        self._next_traded = np.minimum.accumulate(index[::-1])[::-1]
        self._high = np.where(self._traded, self.minutes.high, _NEVER_HIGH)
        self._low = np.where(self._traded, self.minutes.low, _NEVER_LOW)
        self._turnover = np.full(n, np.nan)
        self._blocks: OrderedDict[int, Prints] = OrderedDict()
        self.typical_lots = int(np.median(self.minutes.lots[self._traded])) if self._traded.any() else 1
        self._first_ids = self._ids()

    def beside(self, listing: Listing, seed: int) -> Tape:
        """Another instrument with the same candles on other paths. Shares the columns of the candles."""
        other = copy.copy(self)
        other.listing, other.seed = listing, seed
        other._turnover, other._blocks = np.full(len(self.minutes.number), np.nan), OrderedDict()
        other._first_ids = other._ids()
        return other

    def _ids(self) -> Ints:
        """The id of each minute's first print, and one more: ids follow each other without a gap."""
        total = np.cumsum(counts(self.minutes, self.seed))
        begin = int(self.minutes.number[0]) * SLOTS
        return np.concatenate(([begin], begin + total))

    # prints

    def trades(self, after_ts: Micros, until_ts: Micros) -> list[Trade]:
        """Prints in (after_ts, until_ts], oldest first."""
        first = max(0, (after_ts - self.begin_ts) // MINUTE)
        last = min(len(self.minutes.number) - 1, (until_ts - self.begin_ts) // MINUTE)
        found = []
        for minute in range(first, last + 1):
            found += [t for t in self._minute_trades(minute) if after_ts < t.ts_ms * 1_000 <= until_ts]
        return found

    def latest_trades(self, before_ts: Micros, n: int) -> list[Trade]:
        """At most `n` prints at or before a time, newest first."""
        minute = min(len(self.minutes.number) - 1, (before_ts - self.begin_ts) // MINUTE)
        found: list[Trade] = []
        while minute >= 0 and len(found) < n:
            found += [t for t in reversed(self._minute_trades(minute)) if t.ts_ms * 1_000 <= before_ts]
            minute -= 1
        return found[:n]

    def minute_of(self, trade_id: int) -> Micros:
        """The open time of the minute a trade id belongs to: the first for smaller ids, the last for greater ones."""
        minute = int(np.searchsorted(self._first_ids, trade_id, side="right")) - 1
        return self.begin_ts + min(max(0, minute), len(self.minutes.number) - 1) * MINUTE

    def last(self, now: Micros) -> tuple[int, int]:
        """Price and size of the last print at `now`; size 0 before the first one."""
        minute = min(len(self.minutes.number) - 1, (now - self.begin_ts) // MINUTE)
        row = self._row(minute)
        k = self._seen(minute, now)
        if k:
            return int(row.price[k - 1]), int(row.lots[k - 1])
        for earlier in range(minute - 1, -1, -1):
            row = self._row(earlier)
            if row.n:
                return int(row.price[row.n - 1]), int(row.lots[row.n - 1])
        return int(self.minutes.open[0]), 0

    def _minute_trades(self, minute: int) -> list[Trade]:
        row = self._row(minute)
        number, first = int(self.minutes.number[minute]), int(self._first_ids[minute])
        return [
            Trade(first + j, int(row.price[j]), int(row.lots[j]), number * 60_000 + int(row.ms[j]), bool(b))
            for j, b in enumerate(row.buy[: row.n])
        ]

    def _row(self, minute: int) -> Prints:
        block, place = divmod(minute, _BLOCK)
        kept = self._blocks.get(block)
        if kept is None:
            kept = prints_of(self.minutes.rows(block * _BLOCK, (block + 1) * _BLOCK), self.seed, self.listing.step)
            self._blocks[block] = kept
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(block)
        return Prints(*(column[place] for column in kept))

    def _seen(self, minute: int, now: Micros) -> int:
        """How many prints of a minute lie at or before `now`."""
        row = self._row(minute)
        offset_ms = (now - self.begin_ts) // 1_000 - minute * 60_000
        return int(np.searchsorted(row.ms[: row.n], offset_ms, side="right"))

    # bars

    def bars(self, bar: Bar, opens: Ints) -> list[Row]:
        """Closed bars for consecutive ascending open times; those outside the data are left out."""
        opens = opens[(opens >= bar.floor(self.begin_ts)) & (opens < self.end_ts)]
        if not len(opens):
            return []
        if bar.timeframe.micros < MINUTE:
            return [self._short(bar, ts, bar.next(ts) - 1, True) for ts in opens.tolist()]
        stop = min(len(self.minutes.number), self._index(bar.next(int(opens[-1]))))
        first = np.maximum((opens - self.begin_ts) // MINUTE, 0)
        start = int(first[0])
        cut = first - start
        last = np.append(first[1:], stop) - 1
        high = np.maximum.reduceat(self._high[start:stop], cut)
        low = np.minimum.reduceat(self._low[start:stop], cut)
        lots = np.add.reduceat(self.minutes.lots[start:stop], cut)
        turnover = np.add.reduceat(self._turnovers(start, stop), cut)
        close = self.minutes.close[last]
        traded = self._next_traded[first]
        empty = traded > last
        opening = np.where(empty, close, self.minutes.open[np.where(empty, first, traded)])
        high, low = np.where(empty, close, high), np.where(empty, close, low)
        columns: tuple[NDArray[Any], ...] = (opens, opening, high, low, close, lots, turnover)
        return [Row._make((*values, True)) for values in zip(*(c.tolist() for c in columns), strict=True)]

    def running(self, bar: Bar, now: Micros) -> Row | None:
        """The bar that holds `now`, from what has been traded so far; None outside the data.

        At the end of the data, the bar that will now never close.
        """
        if now >= self.end_ts:
            now = self.end_ts - 1
            if bar.next(now) == self.end_ts:
                return None
        if now < self.begin_ts:
            return None
        open_ts = bar.floor(now)
        if bar.timeframe.micros < MINUTE:
            return self._short(bar, open_ts, now, False)
        minute = self._index(now)
        start = max(0, self._index(open_ts))
        parts = self._whole(start, minute) + self._partial(minute, now)
        close = int(self.minutes.close[minute - 1]) if minute else int(self.minutes.open[0])
        if not parts:
            return Row(open_ts, close, close, close, close, 0, 0.0, False)
        return Row(
            open_ts,
            parts[0].open,
            max(p.high for p in parts),
            min(p.low for p in parts),
            parts[-1].close,
            sum(p.lots for p in parts),
            sum(p.turnover for p in parts),
            False,
        )

    def _short(self, bar: Bar, open_ts: Micros, until_ts: Micros, closed: bool) -> Row:
        """A bar shorter than a minute, from its prints up to and with `until_ts`; without any, the last price."""
        inside = self.trades(open_ts - 1, min(until_ts, bar.next(open_ts) - 1))
        if not inside:
            price = self.last(open_ts - 1)[0] if open_ts > self.begin_ts else int(self.minutes.open[0])
            return Row(open_ts, price, price, price, price, 0, 0.0, closed)
        prices = [trade.price for trade in inside]
        turnover = sum(trade.price * trade.lots for trade in inside) * self._quote
        lots = sum(trade.lots for trade in inside)
        return Row(open_ts, prices[0], max(prices), min(prices), prices[-1], lots, turnover, closed)

    def _whole(self, start: int, stop: int) -> list[Row]:
        """The traded minutes [start, stop) as one row, or nothing."""
        if start >= stop or self._next_traded[start] >= stop:
            return []
        first = int(self._next_traded[start])
        return [
            Row(
                0,
                int(self.minutes.open[first]),
                int(self._high[start:stop].max()),
                int(self._low[start:stop].min()),
                int(self.minutes.close[stop - 1]),
                int(self.minutes.lots[start:stop].sum()),
                float(self._turnovers(start, stop).sum()),
                False,
            )
        ]

    def _partial(self, minute: int, now: Micros) -> list[Row]:
        k = self._seen(minute, now)
        if not k:
            return []
        row = self._row(minute)
        price, lots = row.price[:k], row.lots[:k]
        turnover = float((price.astype(float) * lots).sum()) * self._quote
        numbers = (int(price[0]), int(price.max()), int(price.min()), int(price[-1]), int(lots.sum()))
        return [Row(0, *numbers, turnover, False)]

    def day(self, now: Micros) -> DayStats:
        """The 1,440 minutes before the running one, and what the running one has so far."""
        minute = min(len(self.minutes.number), self._index(now))
        start = max(0, minute - _DAY_MINUTES)
        parts = self._whole(start, minute)
        if minute < len(self.minutes.number):
            parts += self._partial(minute, now)
        last = self.last(now)[0]
        days = [max(0, min(self._index((now + shift) // DAY * DAY - shift), minute)) for shift in (0, DAY // 3)]
        opens = [int(self.minutes.open[d]) if d < minute else last for d in days]
        if not parts:
            return DayStats(last, last, last, 0, 0.0, *opens)
        return DayStats(
            parts[0].open,
            max(p.high for p in parts),
            min(p.low for p in parts),
            sum(p.lots for p in parts),
            sum(p.turnover for p in parts),
            *opens,
        )

    def _index(self, ts: Micros) -> int:
        return (ts - self.begin_ts) // MINUTE

    def _turnovers(self, start: int, stop: int) -> NDArray[np.float64]:
        """Price times size summed over each minute's prints; made on first use."""
        missing = np.flatnonzero(np.isnan(self._turnover[start:stop])) + start
        for first in range(0, len(missing), 4 * _BLOCK):
            rows = missing[first : first + 4 * _BLOCK]
            prints = prints_of(Minutes(*(column[rows] for column in self.minutes)), self.seed, self.listing.step)
            self._turnover[rows] = (prints.price.astype(float) * prints.lots).sum(axis=1) * self._quote
        return self._turnover[start:stop]


def _filled(frame: CandleFrame, decimals: int) -> tuple[Minutes, NDArray[np.bool_]]:
    """Every minute from the first candle to the last, and which of them have trades."""
    begin = int(frame.ts[0])
    n = (int(frame.ts[-1]) - begin) // MINUTE + 1
    at = (frame.ts - begin) // MINUTE
    scale = 10.0**decimals
    opening, high, low, close = (np.rint(getattr(frame, name) * scale) for name in ("open", "high", "low", "close"))
    lots = np.rint(frame.volume * 10.0**LOT_DECIMALS)
    real = (lots > 0) | (high > low)
    real[0] = True
    source = np.zeros(n, np.int64)
    source[at[real]] = np.flatnonzero(real)
    source = np.maximum.accumulate(source)
    traded = np.zeros(n, np.bool_)
    traded[at[real]] = True
    whole = close[source]
    prices = (np.where(traded, column[source], whole).astype(np.int64) for column in (opening, high, low))
    volume = np.where(traded, lots[source], 0).astype(np.int64)
    traded[0] = bool(lots[0] > 0 or high[0] > low[0])
    number = begin // MINUTE + np.arange(n, dtype=np.int64)
    return Minutes._make((number, *prices, whole.astype(np.int64), volume)), traded
