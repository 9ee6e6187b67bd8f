"""One instrument of a recording as the venue sees it at a moment: its messages, and the market that they make.

Bars, prints and the last price come from the recorded prints by their own times; messages are sent at the time of
their receipt. Bars of an inverse contract are not made (its sizes are dollars).
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import numpy as np

from onetape.domain.units import DAY, MINUTE, Micros
from onetape.venue import foreign
from onetape.venue.bars import Bar
from onetape.venue.book import Book, Side
from onetape.venue.listing import LOT_DECIMALS, SPOT, SWAP, Listing, decimal
from onetape.venue.prints import Ints
from onetape.venue.recording import Push
from onetape.venue.traded import DayStats, Row, Trade

_DOLLARS: Final = "USD"
_TRADES: Final = ("trades", "trades-all")


class Played:
    """Fulfils traded.Market."""

    seed = 0

    def __init__(self, symbol: str, number: int, pushes: list[Push], begin_ts: Micros, end_ts: Micros) -> None:
        self.begin_ts, self.end_ts = begin_ts, end_ts
        self._pushes = pushes
        self._times = [push.ts for push in pushes]
        self.channels = frozenset(push.channel for push in pushes)
        rows = [row for push in pushes if push.channel in _TRADES for row in push.data]
        self.listing = _listing(symbol, number, pushes, rows)
        self._trades = sorted({trade.id: trade for trade in map(self._trade, rows)}.values(), key=_when)
        self._trade_ts = [trade.ts_ms * 1_000 for trade in self._trades]
        self._replay = Replay(self)

    def _trade(self, row: dict[str, Any]) -> Trade:
        lots = int(Decimal(row["sz"]).scaleb(self.listing.size_decimals))
        price = int(Decimal(row["px"]).scaleb(self.listing.decimals))
        return Trade(int(row["tradeId"]), price, lots, int(row["ts"]), row["side"] == "buy")

    # messages

    def messages(self, after_ts: Micros, until_ts: Micros) -> Iterator[Push]:
        """Those that are sent in (after_ts, until_ts], in the order in which they were recorded."""
        first, last = (bisect.bisect_right(self._times, ts) for ts in (after_ts, until_ts))
        return iter(self._pushes[first:last])

    def replay(self) -> Replay:
        """A book of one's own that moves forward with the messages."""
        return Replay(self)

    def book(self, now: Micros, depth: int) -> Book:
        return self._replay.at(now, depth)

    # prints

    def trades(self, after_ts: Micros, until_ts: Micros) -> list[Trade]:
        first, last = (bisect.bisect_right(self._trade_ts, ts) for ts in (after_ts, until_ts))
        return self._trades[first:last]

    def latest_trades(self, before_ts: Micros, n: int) -> list[Trade]:
        last = bisect.bisect_right(self._trade_ts, before_ts)
        return self._trades[max(0, last - n) : last][::-1]

    def minute_of(self, trade_id: int) -> Micros:
        place = bisect.bisect_right([trade.id for trade in self._trades], trade_id) - 1
        return self._trade_ts[max(0, place)] // MINUTE * MINUTE if self._trades else self.begin_ts

    def last(self, now: Micros) -> tuple[int, int]:
        newest = self.latest_trades(now, 1) or self._trades[:1]
        return (newest[0].price, newest[0].lots) if newest else (0, 0)

    # bars

    def bars(self, bar: Bar, opens: Ints) -> list[Row]:
        rows = (self._row(ts, bar.next(ts), True) for ts in opens.tolist())
        return [row for row in rows if row]

    def running(self, bar: Bar, now: Micros) -> Row | None:
        return self._row(bar.floor(now), now + 1, False) if self.begin_ts <= now <= self.end_ts else None

    def _row(self, open_ts: Micros, end_ts: Micros, closed: bool) -> Row | None:
        """None before the first print."""
        if self.listing.inverse:
            return None
        inside = self.trades(open_ts - 1, end_ts - 1)
        if not inside:
            before = self.latest_trades(open_ts - 1, 1)
            if not before:
                return None
            price = before[0].price
            return Row(open_ts, price, price, price, price, 0, 0.0, closed)
        prices = [trade.price for trade in inside]
        turnover = sum(trade.price * trade.lots for trade in inside) / 10.0 ** (self.listing.decimals + LOT_DECIMALS)
        lots = sum(trade.lots for trade in inside)
        return Row(open_ts, prices[0], max(prices), min(prices), prices[-1], lots, turnover, closed)

    def day(self, now: Micros) -> DayStats:
        inside = self.trades(now - DAY, now)
        last = self.last(now)[0]
        prices = [trade.price for trade in inside] or [last]
        turnover = sum(trade.price * trade.lots for trade in inside) / 10.0 ** (self.listing.decimals + LOT_DECIMALS)
        days = [(now + shift) // DAY * DAY - shift for shift in (0, DAY // 3)]
        opens = [next((t.price for t in self.trades(ts - 1, now)), last) for ts in days]
        return DayStats(prices[0], max(prices), min(prices), sum(t.lots for t in inside), turnover, *opens)


class Replay:
    """A book that follows the recorded messages. Time only goes forward. Where their chain is broken there is no book
    until their next snapshot."""

    def __init__(self, played: Played) -> None:
        self._played, self._ts = played, 0
        self._sides: dict[str, dict[int, tuple[int, int]]] = {"asks": {}, "bids": {}}
        self._seq = self._told_ts = 0
        self.known = False

    def at(self, now: Micros, depth: int) -> Book:
        if now > self._ts:
            for push in self._played.messages(self._ts, now):
                if push.channel == "books":
                    self._take(push)
            self._ts = now
        asks, bids = sorted(self._sides["asks"].items()), sorted(self._sides["bids"].items(), reverse=True)
        return Book(self._seq, self._told_ts or now, _side(asks[:depth]), _side(bids[:depth]))

    def _take(self, push: Push) -> None:
        listing = self._played.listing
        for row in push.data:
            fresh = push.action == "snapshot"
            if fresh or row.get("prevSeqId", self._seq) != self._seq:
                self._sides, self._seq, self.known = {"asks": {}, "bids": {}}, 0, fresh
            if not self.known:
                continue
            for name, levels in self._sides.items():
                for price, size, _, orders in row[name]:
                    key = int(Decimal(price).scaleb(listing.decimals))
                    levels[key] = (int(Decimal(size).scaleb(listing.size_decimals)), int(orders))
                    if not levels[key][0]:
                        del levels[key]
            self._seq, self._told_ts = row.get("seqId", 0), int(row["ts"]) * 1_000


def _side(levels: list[tuple[int, tuple[int, int]]]) -> Side:
    columns = ([key for key, _ in levels], [lots for _, (lots, _) in levels], [orders for _, (_, orders) in levels])
    return Side(*(np.array(column, np.int64) for column in columns))


def _when(trade: Trade) -> tuple[int, int]:
    return trade.ts_ms, trade.id


def by_instrument(pushes: Sequence[Push]) -> dict[str, Played]:
    begin = (min(push.ts for push in pushes) // 1_000 - 1) * 1_000
    end = max(push.ts for push in pushes) // 1_000 * 1_000 + 1_000
    found: defaultdict[str, list[Push]] = defaultdict(list)
    for push in pushes:
        found[push.symbol].append(push)
    return {symbol: Played(symbol, number, own, begin, end) for number, (symbol, own) in enumerate(found.items())}


def _listing(symbol: str, number: int, pushes: list[Push], trades: list[dict[str, Any]]) -> Listing:
    """Steps as fine as the finest number in the recording."""
    base, _, rest = symbol.partition("-")
    quote, kind = rest.removesuffix("-SWAP"), SWAP if rest.endswith("-SWAP") else SPOT
    books = [row for push in pushes if push.channel == "books" for row in push.data]
    prices = {row["px"] for row in trades} | {level[0] for row in books for s in ("asks", "bids") for level in row[s]}
    decimals = max(map(_decimals, prices), default=2)
    inverse = kind == SWAP and quote == _DOLLARS
    digits = foreign.CONTRACT_DIGITS if kind == SWAP and not inverse else 0
    smallest = decimal(1, LOT_DECIMALS - digits)
    return Listing(
        symbol, base, quote, 1_000 + number, decimals, 1, decimal(1, decimals), smallest, smallest,
        pushes[0].ts // 1_000, kind, digits, inverse,
    )  # fmt: skip


def _decimals(text: str) -> int:
    return len(text.partition(".")[2].rstrip("0"))
