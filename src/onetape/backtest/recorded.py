"""What was recorded of a market beside its candles, as columns: single trades, order books, funding rates.

Reads the events of stored messages, which is told from outside; memory holds 24 bytes a trade and one book a second.
"""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

import numpy as np

from onetape.core.state import LEVELS
from onetape.domain.frame import Floats, Ints
from onetape.domain.market import Book, Funding, MarketEvent, Print, Quote
from onetape.domain.recorded import Recorded
from onetape.domain.units import HOUR, SECOND, Micros, Price, Qty, Rate

EVERY: Final[Micros] = SECOND  # the last book of each second is kept


Levels = Sequence[tuple[Price, Qty]]


class Recorder:
    """Takes events in the order in which they came."""

    def __init__(self) -> None:
        self._ts, self._price, self._qty = array("q"), array("d"), array("d")
        self._depth_ts, self._depth = array("q"), array("d")
        self._latest: tuple[Micros, Levels, Levels] | None = None  # of its second, so far
        self._rates: dict[Micros, Rate] = {}
        self._every: dict[Micros, int] = {}

    def take(self, event: MarketEvent) -> None:
        if isinstance(event, Print):
            self._trade(event)
        elif isinstance(event, Book):
            if event.valid and event.bids and event.asks:
                self._book(event.ts, event.bids, event.asks)
        elif isinstance(event, Quote):
            if event.bid_qty > 0.0 and event.ask_qty > 0.0:
                self._book(event.ts, [(event.bid, event.bid_qty)], [(event.ask, event.ask_qty)])
        elif isinstance(event, Funding):
            self._rates[event.ts] = event.rate  # until it is paid the venue states it again and again: the last counts
            if event.next_ts > event.ts:
                length = event.next_ts - event.ts
                self._every[length] = self._every.get(length, 0) + 1

    def _trade(self, event: Print) -> None:
        """Trades of one moment at one price count as one: nothing that is modelled depends on the difference."""
        if self._ts and self._ts[-1] == event.ts and self._price[-1] == event.price:
            self._qty[-1] += event.qty
            return
        self._ts.append(event.ts)
        self._price.append(event.price)
        self._qty.append(event.qty)

    def _book(self, ts: Micros, bids: Levels, asks: Levels) -> None:
        if self._latest is not None and self._latest[0] // EVERY != ts // EVERY:
            self._keep()
        self._latest = (ts, bids, asks)

    def _keep(self) -> None:
        if self._latest is None:
            return
        ts, bids, asks = self._latest
        page = np.zeros((LEVELS, 4))
        for column, side in ((0, bids), (2, asks)):
            best = np.array(side[:LEVELS])
            page[: len(best), column : column + 2] = best
        self._depth_ts.append(ts)
        self._depth.frombytes(page.tobytes())
        self._latest = None

    def recorded(self) -> Recorded:
        self._keep()
        ts = np.array(self._ts, np.int64)
        price, qty = np.array(self._price), np.array(self._qty)
        if len(ts) > 1 and (np.diff(ts) < 0).any():  # an answer about a hole came late
            order = np.argsort(ts, kind="stable")
            ts, price, qty = ts[order], price[order], qty[order]
        depth_ts, depth = np.array(self._depth_ts, np.int64), np.array(self._depth).reshape(-1, LEVELS, 4)
        order = np.argsort(depth_ts, kind="stable")
        moments = np.array(sorted(self._rates), np.int64)
        return Recorded(
            print_ts=ts,
            price=price,
            qty=qty,
            depth_ts=depth_ts[order],
            depth=depth[order],
            funding_ts=moments,
            funding_rate=np.array([self._rates[int(one)] for one in moments], np.float64),
            funding_every=usual(moments, self._every),
        )


def usual(moments: Ints, told: dict[Micros, int]) -> Micros:
    """The time from one payment to the next: as the venue said most often, else the shortest that was seen; 0 = not
    known."""
    if told:
        return max(told, key=lambda length: (told[length], -length))
    return int(np.diff(moments).min()) if len(moments) > 1 else 0


async def collect(events: AsyncIterator[Iterable[MarketEvent]]) -> Recorded:
    """All of a stream of events."""
    recorder = Recorder()
    async for page in events:
        for event in page:
            recorder.take(event)
    return recorder.recorded()


def from_rates(ts: Ints, rate: Floats) -> Recorded:
    """Funding rates alone, as a file has them; by time, the later word of one moment counts."""
    moments, at = np.unique(ts[::-1], return_index=True)
    return Recorded(funding_ts=moments, funding_rate=rate[::-1][at], funding_every=usual(moments, {}) or 8 * HOUR)
