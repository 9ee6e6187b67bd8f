"""What is known of one stream while it runs: who carries it, how old it is, where it has holes. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from onetape.domain.instrument import Instrument
from onetape.domain.market import Candle, Channel, Gap, MarketEvent, StreamState, Want
from onetape.domain.units import SECOND, Micros
from onetape.exchanges.ccxt.books import Books
from onetape.exchanges.ccxt.reading import StreamReader
from onetape.exchanges.flow import BEHIND, LONGEST, UNUSUAL, Flow
from onetape.exchanges.once import Bars, ById, Once

Events = tuple[MarketEvent, ...]

_NO_DELAY: Final = frozenset((Channel.CANDLES, Channel.FUNDING))  # their time is not when the message was made
_NO_HOLES: Final = frozenset((Channel.FUNDING,))  # the next message has it all
_MAX_PATIENCE: Final = 16


class Carrier(NamedTuple):
    """A connection that brings the stream."""

    url: str
    heard_ts: Micros


def _rule(channel: Channel) -> Once | None:
    """Trades are the same by their id, candles by open time and content. Of tickers and rates nobody can say."""
    return ById() if channel is Channel.TRADES else Bars() if channel is Channel.CANDLES else None


class Track(Flow):
    """One want, on however many connections. `theirs` is the library's symbol."""

    def __init__(self, want: Want, instrument: Instrument, theirs: str) -> None:
        super().__init__()
        self.want, self.instrument, self.theirs = want, instrument, theirs
        self.key = (instrument.exchange, want.symbol, want.name)
        self.once = _rule(want.channel)
        book = want.channel is Channel.BOOK
        self.book = Books(instrument.exchange, want.symbol, instrument.contract_size) if book else None
        self.readings: dict[str, StreamReader] = {}  # by lane
        self.carriers: dict[str, Carrier] = {}
        self.ts: Micros = 0  # the newest event
        self.absent = False  # nobody carries it, or nobody has brought anything since
        self.cause = ""
        self._absence = ""
        self.dropped = self.gaps = 0
        self._patience = 1

    @property
    def doubled(self) -> bool:
        """Whether two connections can carry it: copies of a message are known as such."""
        return self.once is not None or (self.book is not None and self.book.numbered)

    @property
    def refused(self) -> str:
        return next((reading.refused for reading in self.readings.values() if reading.refused), "")

    def refuse(self, problem: str) -> None:
        for reading in self.readings.values():
            reading.refused = problem

    def carried(self, lane: str, url: str, recv_ts: Micros) -> None:
        """A message came, new or not."""
        self.carriers[lane] = Carrier(url, recv_ts)

    def lost(self, lane: str, cause: str) -> None:
        """A connection does not carry it any more."""
        self.carriers.pop(lane, None)
        self.readings[lane].lost()
        if not self.carriers:
            self.broke("down", cause)

    def broke(self, word: str, cause: str) -> None:
        """From the last event on there may be a hole. `word` is the state to show; the first cause counts."""
        if not self.absent:
            self.absent, self.cause, self._absence = True, cause, word

    def told(self, ts: Micros, found: Events, recv_ts: Micros) -> Events:
        """Counts a message that is new, and puts the gap that it ends before its events. `ts` 0: it stated no time."""
        before = self.ts
        self._felt(recv_ts)
        self._patience = 1
        if ts:
            self._delays.append(recv_ts - ts)
        elif self.book is None:
            ts = recv_ts
        if self.book is not None and (not self.book.valid or not ts):
            return found
        self.ts = max(before, ts, *(e.close_ts for e in found if isinstance(e, Candle)))  # a closed one is whole
        if not self.absent:
            return found
        self.absent = False
        if not 0 < before < ts or self.want.channel in _NO_HOLES:
            return found
        self.gaps += 1
        return (Gap(*self.key, before, ts, self.cause), *found)

    def silent(self, now_ts: Micros, patience: float) -> list[tuple[str, str, float]]:
        """The connections (lane, url, seconds) on which it should have said something by now."""
        if not self.carriers:
            return []
        limit = min(LONGEST, self._usual_silence()) * patience * self._patience
        newest = max(carrier.heard_ts for carrier in self.carriers.values())
        behind = max(BEHIND * patience, UNUSUAL * self._pace) * self._patience
        found = [
            (lane, carrier.url, (now_ts - carrier.heard_ts) / SECOND)
            for lane, carrier in self.carriers.items()
            if now_ts - carrier.heard_ts > limit * SECOND or newest - carrier.heard_ts > behind * SECOND
        ]
        if found:
            self._patience = min(_MAX_PATIENCE, 2 * self._patience)
        return found

    def state(self, now_ts: Micros, offset: Micros) -> StreamState:
        """`offset` is the venue's clock minus ours."""
        exchange, symbol, channel = self.key
        word, reason = self._word(now_ts + offset)
        late = (-1.0, -1.0) if self.want.channel in _NO_DELAY else self._percentiles(offset)
        return StreamState(
            exchange=exchange,
            symbol=symbol,
            channel=channel,
            state=word,
            sockets=len(self.carriers),
            age_ms=self._age_ms(now_ts),
            event_ts=self.ts,
            per_second=self._rate(),
            delay_p50_ms=late[0],
            delay_p99_ms=late[1],
            messages=self.messages,
            dropped=self.dropped,
            gaps=self.gaps,
            reason=reason,
        )

    def _word(self, venue_ts: Micros) -> tuple[str, str]:
        if self.refused:
            return "refused", self.refused
        if self.absent:
            return self._absence, self.cause
        age = (venue_ts - self.ts) / SECOND
        if self.ts and self.want.channel not in _NO_DELAY and age > min(LONGEST, self._usual_silence()) + BEHIND:
            return "silent", f"its newest event is {age:.0f} s old by the venue's clock"
        return ("live" if self.heard_ts else "starting"), ""
