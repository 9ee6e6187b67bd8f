"""What is known of one stream while it runs: who carries it, how old it is, where it has holes. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from onetape.domain.instrument import LIVE, Instrument
from onetape.domain.market import Candle, Channel, Gap, MarketEvent, Print, StreamState
from onetape.domain.units import SECOND, Micros
from onetape.exchanges.flow import BEHIND, LONGEST, SHORTEST, UNUSUAL, Flow
from onetape.exchanges.okx import wire
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.events import trade as one_trade
from onetape.exchanges.okx.holes import Holes
from onetape.exchanges.okx.reading import StreamReader, StreamStep
from onetape.observe import log

# Seconds within which a channel says something in any case: a book its heartbeat, a price its repetition.
_RHYTHM: Final = {
    Channel.BOOK: 75.0,
    Channel.BOOK5: 75.0,
    Channel.BBO: 75.0,
    Channel.MARK: 25.0,
    Channel.INDEX: 75.0,
    Channel.FUNDING: 180.0,
}
_NEVER_SILENT: Final = frozenset((Channel.INSTRUMENTS, Channel.STATUS))  # these speak only when something happens
_NO_HOLES: Final = frozenset((Channel.INSTRUMENTS, Channel.STATUS, Channel.FUNDING))  # the next message has it all
_NO_DELAY: Final = frozenset((Channel.CANDLES, *_NO_HOLES))  # their time is not when the message was made
_SNAPSHOT_SECONDS: Final = 5.0
_SNAPSHOT_TRIES: Final = 3
_OVERTAKEN: Final = "a snapshot overtook updates that did not come"


class Carrier:
    """One connection that carries the stream. Times are monotonic seconds."""

    __slots__ = ("asked", "heard", "since", "tries")

    def __init__(self, now: float) -> None:
        self.heard = self.since = now
        self.asked = now  # when the snapshot was last asked for; infinite once it came
        self.tries = 0


class Track(Flow):
    """One subscription, on however many connections."""

    def __init__(self, arg: wire.Arg, stream: Stream) -> None:
        super().__init__()
        self.arg, self.stream = arg, stream
        self.reading = StreamReader(stream)
        self.holes = Holes() if stream.channel in (Channel.TRADES, Channel.TRADES_ALL) else None
        self.carriers: dict[str, Carrier] = {}
        self.ts: Micros = 0  # the newest event
        self.absent = False  # nobody carries it, or nobody has brought anything since
        self.cause = ""
        self.halted = ""  # why nothing need come: the venue has suspended it
        self._absence = ""
        self.dropped = self.gaps = 0

    def changed(self, instrument: Instrument) -> None:
        """Its contracts may have another size now, and it may have been suspended."""
        size = 1.0 if self.stream.spot else instrument.contract_size
        if size != self.stream.size:
            log.warning("contract_size_changed", symbol=self.stream.symbol, before=self.stream.size, now=size)
            self.stream = msgspec.structs.replace(self.stream, size=size)
            self.reading.resize(self.stream)
        self.halted = "" if instrument.state == LIVE else f"the venue has it in the state {instrument.state}"

    def heard(self, source: str, now: float) -> None:
        """A frame came, new or not."""
        carrier = self.carriers.get(source)
        if carrier is None:
            carrier = self.carriers[source] = Carrier(now)
        carrier.heard = now

    def next_trade(self, data: object, recv_ts: Micros) -> Print | None:
        """The one trade right after the last, as nearly all are: taken in as few steps as can be, with all that reading
        it, `told` and `follows` would do. None, and nothing done: it is not that."""
        ids, holes = self.reading.ids, self.holes
        if ids is None or holes is None or self.absent or type(data) is not list or len(data) != 1:
            return None
        row: wire.Trade = data[0]
        last = ids.last
        if row.tradeId != str(last + 1) or not row.ts or (holes.trusted and holes.high != last):
            return None
        ids.last = last + 1
        if holes.trusted:
            holes.high = last + 1
            holes.messages += 1
        trade = one_trade(self.stream, row, recv_ts)
        ts = trade.ts
        self._felt(recv_ts)
        self._delays.append(recv_ts - ts)
        if ts > self.ts:
            self.ts = ts
        return trade

    def told(self, step: StreamStep, recv_ts: Micros, joined: bool) -> tuple[MarketEvent, ...]:
        """The events of a message that is new, after the gap that it ends. `joined`: nothing is missing before it."""
        self._felt(recv_ts)
        if not step.ts:
            return step.events
        self._delays.append(recv_ts - step.ts)
        before, book = self.ts, self.reading.book
        if book is not None and not book.valid:
            return step.events
        if step.ts > before or book is not None:  # a book's messages come in their order, whatever its clock says
            self.ts = step.ts
        if self.stream.timeframe is not None:
            self.ts = max(self.ts, *(e.close_ts for e in step.events if isinstance(e, Candle)), 0)
        if book is not None and step.loaded and not self.absent and 0 < before < step.ts:
            self.broke(
                "broken", _OVERTAKEN
            )  # frozen lines do not break the chain: the next snapshot jumps over the hole
        if not self.absent or (book is not None and not step.loaded):
            return step.events
        self.absent = False
        start, end = sorted((before, step.ts)) if book is not None else (before, step.ts)
        if joined or not 0 < start < end or self.stream.channel in _NO_HOLES:
            return step.events
        self.gaps += 1
        stream = self.stream
        gap = Gap(stream.exchange, stream.symbol, stream.name, start, end, self.cause)
        return (gap, *step.events)

    def known(self, ts: Micros) -> tuple[MarketEvent, ...]:
        """The part of a book's hole that is known before the next snapshot ends it: who dies meanwhile has said it."""
        start, end = sorted((self.ts, ts))
        if not 0 < start < end:
            return ()
        self.ts = ts
        self.gaps += 1
        stream = self.stream
        return (Gap(stream.exchange, stream.symbol, stream.name, start, end, self.cause),)

    def missing(self, now: float) -> list[Gap]:
        """Trades that should have come while the stream lived."""
        if self.holes is None:
            return []
        stream = self.stream
        found = [
            Gap(stream.exchange, stream.symbol, stream.name, hole.start_ts, hole.end_ts, hole.cause)
            for hole in self.holes.due(now)
        ]
        if self.holes.gave_up():
            log.warning("trade_ids_not_consecutive", symbol=stream.symbol, channel=stream.name)
        self.gaps += len(found)
        return found

    def lost(self, source: str, word: str, cause: str) -> None:
        """A connection does not carry it any more."""
        self.carriers.pop(source, None)
        if not self.carriers:
            self.broke(word, cause)

    def broke(self, word: str, cause: str) -> None:
        """From the last event on there may be a hole. `word` is the state to show; the first cause counts."""
        if not self.absent:
            self.absent, self.cause, self._absence = True, cause, word

    def silent(self, now: float, patience: float) -> list[tuple[str, float]]:
        """The connections on which it should have said something, and for how many seconds it has not.

        `patience` scales what is expected (1 for the venue's own rhythm).
        """
        if self.stream.channel in _NEVER_SILENT or self.halted or not self.carriers:
            return []
        limit, newest = self._limit() * patience, max(c.heard for c in self.carriers.values())
        behind = BEHIND * patience
        return [
            (source, now - carrier.heard)
            for source, carrier in self.carriers.items()
            if now - carrier.heard > limit or newest - carrier.heard > max(behind, UNUSUAL * self._pace)
        ]

    def stale(self, now: float, venue_ts: Micros, patience: float) -> tuple[str, float]:
        """The connection that is to ask for it again because what comes on it is old by the venue's clock (0 = not
        known), and how old; "" = none, or each of them has asked a moment ago."""
        if not self.ts or not venue_ts or self.halted or self.absent or self.stream.channel in _NO_DELAY:
            return "", 0.0
        age, limit = (venue_ts - self.ts) / SECOND, (self._limit() + BEHIND) * patience
        speaking = {source: carrier for source, carrier in self.carriers.items() if now - carrier.heard <= limit}
        waited = {source: now - carrier.since for source, carrier in speaking.items()}
        source = max(waited, key=lambda each: waited[each], default="")
        return (source, age) if age > limit and source and waited[source] > limit else ("", 0.0)

    def _limit(self) -> float:
        channel, timeframe = self.stream.channel, self.stream.timeframe
        if channel in _RHYTHM:
            return _RHYTHM[channel]
        usual = self._usual_silence()
        if timeframe is not None:  # a bar says something at its end in any case
            return min(timeframe.micros / SECOND + SHORTEST, max(3 * SHORTEST, usual))
        return min(LONGEST, usual)

    def without_snapshot(self, now: float, patience: float) -> list[tuple[str, bool]]:
        """Connections that owe the book its snapshot for too long, and whether REST shall be asked (else: renew)."""
        book = self.reading.book
        if book is None:
            return []
        found: list[tuple[str, bool]] = []
        for source, carrier in self.carriers.items():
            if book.chained(source):
                carrier.asked, carrier.tries = float("inf"), 0
            elif now - carrier.asked > _SNAPSHOT_SECONDS * min(1.0, patience):
                carrier.asked, carrier.tries = now, carrier.tries + 1
                found.append((source, not book.valid and carrier.tries <= _SNAPSHOT_TRIES))
        return found

    def state(self, now_ts: Micros, offset: Micros, refused: str) -> StreamState:
        """`offset` is the venue's clock minus ours."""
        stream, delays = self.stream, self._late(offset)
        state, reason = self._word(refused, now_ts + offset)
        return StreamState(
            exchange=stream.exchange,
            symbol=stream.symbol,
            channel=stream.name,
            state=state,
            sockets=len(self.carriers),
            age_ms=self._age_ms(now_ts),
            event_ts=self.ts,
            per_second=self._rate(),
            delay_p50_ms=delays[0],
            delay_p99_ms=delays[1],
            messages=self.messages,
            dropped=self.dropped,
            gaps=self.gaps,
            reason=reason,
        )

    def _word(self, refused: str, venue_ts: Micros) -> tuple[str, str]:
        if refused:
            return "refused", refused
        if self.absent:
            return self._absence, self.cause
        age = (venue_ts - self.ts) / SECOND
        if self.ts and self.stream.channel not in _NO_DELAY and age > self._limit() + BEHIND:
            return "silent", self.halted or f"its newest event is {age:.0f} s old by the venue's clock"
        return ("live" if self.heard_ts else "starting"), ""

    def _late(self, offset: Micros) -> tuple[float, float]:
        return (-1.0, -1.0) if self.stream.channel in _NO_DELAY else self._percentiles(offset)


def together(one: StreamState, other: StreamState) -> StreamState:
    """Several subscriptions that are one stream to people (the instruments of each type): the worse state counts."""
    worse = max(one, other, key=lambda s: s.state not in ("live", "starting"))
    return msgspec.structs.replace(
        worse,
        event_ts=max(one.event_ts, other.event_ts),
        messages=one.messages + other.messages,
        dropped=one.dropped + other.dropped,
    )
