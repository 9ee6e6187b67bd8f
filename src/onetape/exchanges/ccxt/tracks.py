"""One stream's state: what the library's caches say after a message becomes events, each told once."""

from __future__ import annotations

import collections
from typing import Any, Final

import msgspec

from onetape.domain.instrument import Instrument
from onetape.domain.market import Book, Candle, Channel, MarketEvent, StreamState, Want
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.ccxt import events, names, venues
from onetape.observe import log

Events = tuple[MarketEvent, ...]

_REMEMBERED: Final = 2_000  # trades; venues repeat the last 50 to 1,000 of them on every subscription
_BOOK_INTERVAL: Final[Micros] = 100_000


class Track:
    """What is known of one want. `theirs` is the library's symbol."""

    def __init__(self, want: Want, instrument: Instrument, theirs: str) -> None:
        self.want, self.instrument, self.theirs = want, instrument, theirs
        self.timeframe = Timeframe.parse(want.timeframe) if want.channel is Channel.CANDLES else None
        self.key = (instrument.exchange, want.symbol, want.name)
        self.ts: Micros = 0  # the newest event
        self.heard_ts: Micros = 0
        self.url = ""
        self.absent = False
        self.cause = ""
        self.refused = ""
        self.messages = self.gaps = self.repeated = 0
        self.valid = False  # of a book
        self._shown: Any = None  # the library's object of it
        self._untold = False  # it has changed since it was told
        self.waiting = 0  # messages of a book whose snapshot has not come
        self._told_ts: Micros = 0
        self._last: Any = None
        self._seen: collections.OrderedDict[str, None] = collections.OrderedDict()
        self._row_ms = 0  # the newest candle
        self._uncertain_ms = -1  # candles up to this one may have been cut short by an absence

    # --- what changed

    def owns(self, result: Any, venue: Any) -> bool:
        """Whether the library said with `result` that this stream has news."""
        channel = self.want.channel
        if channel is Channel.TRADES:
            return result is (venue.trades or {}).get(self.theirs)
        if channel is Channel.CANDLES:
            if isinstance(result, list) and len(result) == 3 and isinstance(result[0], str):
                result = result[2]  # symbol, timeframe, rows
            return result is not None and result is self._rows(venue)
        if not isinstance(result, dict):
            return False
        if channel is Channel.BOOK:
            return result is (venue.orderbooks or {}).get(self.theirs)
        found = result if "symbol" in result else result.get(self.theirs)
        if not isinstance(found, dict) or found.get("symbol") != self.theirs or "bids" in found:
            return False
        return ("fundingRate" in found) == (channel is Channel.FUNDING) and "amount" not in found

    def _rows(self, venue: Any) -> Any:
        return (venue.ohlcvs or {}).get(self.theirs, {}).get(str(self.timeframe))

    # --- what it says

    def read(self, result: Any, venue: Any, text: bytes, recv_ts: Micros) -> tuple[Micros, Events]:
        """The time of the newest event, 0 when the message stated none, and the events."""
        channel, (exchange, symbol, _) = self.want.channel, self.key
        size = self.instrument.contract_size
        if channel is Channel.TRADES:
            return self._trades(result, size, recv_ts)
        if channel is Channel.CANDLES:
            return self._candles(self._rows(venue), text, recv_ts)
        if channel is Channel.BOOK:
            return self._book(result, size, recv_ts)
        found = result if "symbol" in result else result[self.theirs]
        if channel is Channel.FUNDING:
            funding = events.funding_of(exchange, symbol, found, recv_ts)
            return events.micros(found.get("timestamp")) or recv_ts, (funding,)
        quote = events.quote_of(exchange, symbol, found, size, recv_ts)
        return quote.ts, (quote,)

    def _trades(self, cache: Any, size: float, recv_ts: Micros) -> tuple[Micros, Events]:
        new = []
        for trade in reversed(cache):
            if trade is self._last:
                break
            new.append(trade)
        if new:
            self._last = new[0]
        exchange, symbol, _ = self.key
        prints = []
        for trade in reversed(new):
            if trade.get("symbol") != self.theirs:
                continue
            one = events.print_of(exchange, symbol, trade, size, recv_ts)
            if one.id in self._seen:
                self.repeated += 1
                continue
            self._seen[one.id] = None
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)
            prints.append(one)
        return max((one.ts for one in prints), default=0), tuple(prints)

    def _candles(self, cache: Any, text: bytes, recv_ts: Micros) -> tuple[Micros, Events]:
        """A candle is closed when the venue says so, or where it says nothing, when a later one has begun."""
        assert self.timeframe is not None
        exchange, symbol, _ = self.key
        said = venues.CLOSED.get(exchange)
        stated = said(msgspec.json.decode(text)) if said is not None else []
        rows = _since(cache, min([*stated, self._row_ms]))
        if not rows:
            return 0, ()
        newest = int(rows[-1][0])
        if problem := names.off_grid(exchange, symbol, self.timeframe, newest * 1_000):
            if not self.refused:
                log.error("series_refused", problem=problem)
            self.refused = problem
            return 0, ()
        found: list[MarketEvent] = []
        for row in rows:
            ms = int(row[0])
            if ms in stated or (said is None and self._uncertain_ms < ms < newest):
                found.append(events.closed_candle(exchange, symbol, self.timeframe, row, recv_ts))
            elif ms == newest:
                found.append(events.running_candle(exchange, symbol, self.timeframe, row, recv_ts))
        self._row_ms = newest
        return newest * 1_000, tuple(found)

    def _book(self, book: Any, size: float, recv_ts: Micros) -> tuple[Micros, Events]:
        exchange, symbol, _ = self.key
        ts = events.micros(book.get("timestamp"))
        if not book["bids"] or not book["asks"]:
            return ts, ()
        if self.valid and book is self._shown and recv_ts - self._told_ts < _BOOK_INTERVAL:
            self._untold = True
            return ts, ()
        self.valid, self._told_ts, self._shown, self._untold = True, recv_ts, book, False
        return ts, (events.book_of(exchange, symbol, book, size, recv_ts),)

    # --- absences

    def lose(self, cause: str, recv_ts: Micros) -> Book | None:
        """The connection is gone: the next message is the first after a hole. A book becomes unusable at once."""
        if not self.absent:
            self.absent, self.cause = True, cause
        self._uncertain_ms = self._row_ms
        return self.break_book(recv_ts)

    def late_book(self, now_ts: Micros) -> Events:
        """What the last message changed, when none has followed."""
        if not (self.valid and self._untold):
            return ()
        return self._book(self._shown, self.instrument.contract_size, now_ts)[1]

    def thrown_away(self, book: Any) -> bool:
        """Whether the library has given up the book that was shown; `book` is what it has now."""
        return self.valid and book is not self._shown

    def break_book(self, recv_ts: Micros) -> Book | None:
        if not self.valid:
            return None
        self.valid = False
        exchange, symbol, _ = self.key
        return events.no_book(exchange, symbol, self.ts, recv_ts)

    def advance(self, ts: Micros, found: Events, recv_ts: Micros) -> tuple[Micros, Micros] | None:
        """Counts a message; gives the hole that it ends, if it ends one."""
        before, self.heard_ts = self.ts, recv_ts
        self.messages += 1
        if not ts:
            return None
        self.ts = max(before, ts, *(e.close_ts for e in found if isinstance(e, Candle)))  # a closed one is whole
        if not self.absent:
            return None
        self.absent = False
        if not 0 < before < ts:
            return None
        self.gaps += 1
        return before, ts

    def state(self, now_ts: Micros) -> StreamState:
        exchange, symbol, channel = self.key
        state = "down" if self.absent else "live" if self.heard_ts else "starting"
        if self.refused:
            state = "refused"
        elif state == "live" and self.want.channel is Channel.BOOK and not self.valid:
            state = "broken"
        return StreamState(
            exchange=exchange,
            symbol=symbol,
            channel=channel,
            state=state,
            sockets=int(bool(self.heard_ts) and not self.absent),
            age_ms=(now_ts - self.heard_ts) / 1e3 if self.heard_ts else -1.0,
            event_ts=self.ts,
            messages=self.messages,
            dropped=self.repeated,
            gaps=self.gaps,
            reason=self.refused or (self.cause if self.absent else ""),
        )


def _since(cache: Any, oldest_ms: int) -> list[Any]:
    """The rows from `oldest_ms` on, oldest first."""
    rows: list[Any] = []
    for row in reversed(cache):
        if int(row[0]) < oldest_ms:
            break
        rows.append(row)
    return rows[::-1]
