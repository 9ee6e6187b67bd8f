"""One stream on one connection: what the library's caches say after a message, as events. Books are in `books`."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from onetape.domain.instrument import Instrument
from onetape.domain.market import Channel, MarketEvent, Want
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.ccxt import events, names, venues
from onetape.observe import log

Events = tuple[MarketEvent, ...]

_SURE: Final = 3  # messages in a row off our grid, with none on it before, that make a series another one


class StreamStep(NamedTuple):
    """`ts` is the time of the newest event, 0 when the message stated none."""

    ts: Micros
    events: Events


class StreamReader:
    """`theirs` is the library's symbol."""

    def __init__(self, want: Want, instrument: Instrument, theirs: str) -> None:
        self.want, self.instrument, self.theirs = want, instrument, theirs
        self.timeframe = Timeframe.parse(want.timeframe) if want.channel is Channel.CANDLES else None
        self.refused = ""
        self.waiting = 0  # messages of a book whose snapshot has not come
        self._last: Any = None  # the newest trade
        self._row_ms = 0  # the newest candle
        self._uncertain_ms = -1  # candles up to this one may have been cut short by an absence
        self._off_grid = 0

    def owns(self, result: Any, venue: Any) -> bool:
        """Whether the library said with `result` that this stream has news."""
        channel = self.want.channel
        if channel is Channel.TRADES:
            return result is not None and result is (venue.trades or {}).get(self.theirs)
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
        return ((venue.ohlcvs or {}).get(self.theirs) or {}).get(str(self.timeframe))

    def read(self, result: Any, venue: Any, text: bytes, recv_ts: Micros) -> StreamStep:
        """Raises one of `library.NOT_UNDERSTOOD` for what a market cannot have said."""
        channel, exchange, symbol = self.want.channel, self.instrument.exchange, self.want.symbol
        if channel is Channel.TRADES:
            return self._trades(result, recv_ts)
        if channel is Channel.CANDLES:
            return self._candles(self._rows(venue), text, recv_ts)
        found = result if "symbol" in result else result[self.theirs]
        ts = events.micros(found.get("timestamp"))
        if channel is Channel.FUNDING:
            return StreamStep(ts, (events.funding_of(exchange, symbol, found, recv_ts),))
        return StreamStep(ts, (events.quote_of(exchange, symbol, found, self.instrument.contract_size, recv_ts),))

    def _trades(self, cache: Any, recv_ts: Micros) -> StreamStep:
        new = []
        for trade in reversed(cache):
            if trade is self._last:
                break
            new.append(trade)
        if new:
            self._last = new[0]
        exchange, symbol, size = self.instrument.exchange, self.want.symbol, self.instrument.contract_size
        own = [trade for trade in reversed(new) if trade.get("symbol") == self.theirs]
        prints = tuple([events.print_of(exchange, symbol, trade, size, recv_ts) for trade in own])
        return StreamStep(max((one.ts for one in prints), default=0), prints)

    def _candles(self, cache: Any, text: bytes, recv_ts: Micros) -> StreamStep:
        """A candle is closed when the venue says so, or where it says nothing, when a later one has begun."""
        exchange, symbol, timeframe = self.instrument.exchange, self.want.symbol, self.timeframe
        assert timeframe is not None
        said = venues.CLOSED.get(exchange)
        stated = said(msgspec.json.decode(text)) if said is not None else []
        newest = int(cache[-1][0])
        if self._strange(events.micros(newest)):
            raise ValueError(self.refused or "a candle that does not open where ours do")
        rows = _since(cache, min([*stated, self._row_ms, newest]))
        found: list[MarketEvent] = []
        for row in rows:
            ms = int(row[0])
            if ms in stated or (said is None and self._uncertain_ms < ms < newest):
                found.append(events.closed_candle(exchange, symbol, timeframe, row, recv_ts))
            elif ms == newest:
                found.append(events.running_candle(exchange, symbol, timeframe, row, recv_ts))
        self._row_ms = newest
        return StreamStep(newest * 1_000, tuple(found))

    def _strange(self, newest_ts: Micros) -> bool:
        """Whether this candle is none of our series. One may be nonsense; a series of them is another series."""
        assert self.timeframe is not None
        problem = names.off_grid(self.instrument.exchange, self.want.symbol, self.timeframe, newest_ts)
        if not problem:
            self._off_grid = 0
            return False
        self._off_grid += 1
        if not self._row_ms and self._off_grid >= _SURE and not self.refused:
            log.error("series_refused", problem=problem)
            self.refused = problem
        return True

    def forget(self, venue: Any) -> None:
        """What a message that could not be read left in the library's caches."""
        if self.want.channel is Channel.TRADES:
            cache = (venue.trades or {}).get(self.theirs)
            self._last = cache[-1] if cache else None
        elif self.want.channel is Channel.CANDLES and (cache := self._rows(venue)) is not None:
            sound = [row for row in cache if self._sound(row)]
            if len(sound) < len(cache):
                venue.ohlcvs[self.theirs].pop(str(self.timeframe))
                self._uncertain_ms = self._row_ms  # what was cut out comes from the history

    def _sound(self, row: list[Any]) -> bool:
        assert self.timeframe is not None
        try:
            candle = events.running_candle(self.instrument.exchange, self.want.symbol, self.timeframe, row, 0)
        except (TypeError, ValueError, LookupError, ArithmeticError):
            return False
        return 0 < candle.open_ts == self.timeframe.floor(candle.open_ts)

    def lost(self) -> None:
        """The connection is gone."""
        self._uncertain_ms = self._row_ms


def _since(cache: Any, oldest_ms: int) -> list[Any]:
    """The rows from `oldest_ms` on, oldest first."""
    rows: list[Any] = []
    for row in reversed(cache):
        if int(row[0]) < oldest_ms:
            break
        rows.append(row)
    return rows[::-1]
