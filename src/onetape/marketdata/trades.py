"""What becomes of the public trades of one exchange beside being stored: candles that the venue has not, and the audit
of those that it has."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Final

from onetape.domain.market import Candle, Channel, Gap, Print, Want, candle_channel
from onetape.domain.units import MINUTE, Micros, Timeframe
from onetape.marketdata.audit import MISSING, SeriesAudit
from onetape.marketdata.building import LateBuilder
from onetape.marketdata.quality import Span
from onetape.ports import CandleStore, Verdict

LOST: Final = "trades were lost under a live connection"
LATE: Final = "a trade came too late for its candle"
_FINEST: Final = "1m"
_HOLES: Final = 100  # that are remembered: a candle that can still be built lies on one of the last
CHANNELS: Final = (Channel.TRADES_ALL, Channel.TRADES)  # the better one first
Comes = Callable[[Want], bool]  # whether the venue brings these candles


class BuiltSeries:
    """One length of candles that is built because nobody else has it."""

    def __init__(self, exchange: str, symbol: str, timeframe: Timeframe) -> None:
        self.builder = LateBuilder(exchange, symbol, timeframe)
        self.since: Micros = -1  # the bucket of the first trade was not seen whole
        self.holes: list[Span] = []
        self.stored: Micros | None = None  # where the candles of the run before end, until its end is a gap
        self._told: set[Micros] = set()
        self._newest: tuple[Micros, Micros] = (-1, 0)  # time of the newest trade, and ours when it was seen

    def add(self, trade: Print) -> list[tuple[Candle, bool]]:
        if self.since < 0:
            self.since = trade.ts
        return self._whole(self.builder.add(trade))

    def advance(self, now_ts: Micros) -> list[tuple[Candle, bool]]:
        """Ends what is over, `now_ts` by a clock of ours that never jumps. The venue's time is that of the newest trade
        and what has passed since it was seen, a little late therefore; late trades are waited for."""
        if self.builder.newest != self._newest[0]:
            self._newest = (self.builder.newest, now_ts)
        venue_ts = self._newest[0] + now_ts - self._newest[1]
        return self._whole(self.builder.advance(venue_ts - self.builder.lateness))

    def missed(self, gap: Gap) -> None:
        self.holes = [*self.holes, (gap.start_ts, gap.end_ts)][-_HOLES:]

    def hole(self, gap: Gap) -> Span:
        """The candles that cannot be whole because trades were missed. What had ended when the program did, but was
        still waiting for late trades or for its commit, is one of them."""
        length = self.builder.timeframe
        start, self.stored = min(length.floor(gap.start_ts), self.stored or gap.start_ts), None
        return start, length.next(gap.end_ts)

    def _whole(self, candles: Iterable[Candle]) -> list[tuple[Candle, bool]]:
        """Those of which every trade was seen, each with whether it comes for the first time."""
        found = []
        for candle in candles:
            missed = any(start < candle.close_ts and end >= candle.open_ts for start, end in self.holes)
            if candle.open_ts > self.since and not missed:
                found.append((candle, candle.open_ts not in self._told))
                self._told.add(candle.open_ts)
        if len(self._told) > 10_000:
            self._told = set(sorted(self._told)[-100:])
        return found


class Trades:
    """`follow` says what is wanted; then prints, gaps and the venue's candles come in."""

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._channels: dict[str, Channel] = {}  # by symbol: where its prints are taken from
        self._refused: set[str] = set()  # symbols of which the venue does not give every single match
        self._built: dict[tuple[str, str], BuiltSeries] = {}
        self._audits: dict[tuple[str, str], SeriesAudit] = {}
        self._overdue: dict[tuple[str, Micros], None] = {}  # symbol and time of trades that came too late
        self._of: dict[str, tuple[list[BuiltSeries], list[SeriesAudit]]] = {}  # the same, by symbol

    def follow(self, wants: Sequence[Want], comes: Comes) -> None:
        """What was followed before and still is goes on undisturbed."""
        self._channels = {
            want.symbol: channel for channel in reversed(CHANNELS) for want in wants if want.channel is channel
        }
        self._channels |= dict.fromkeys(self._refused & self._channels.keys(), Channel.TRADES)
        candles = [w for w in wants if w.channel is Channel.CANDLES and w.symbol in self._channels]
        built = {(w.symbol, w.timeframe) for w in candles if needs_trades(w, wants, comes)}
        audited = {(w.symbol, w.timeframe) for w in candles if comes(w)}
        self._built = {
            (symbol, text): self._built.get((symbol, text))
            or BuiltSeries(self._exchange, symbol, Timeframe.parse(text))
            for symbol, text in sorted(built)
        }
        self._audits = {
            (symbol, text): self._audits.get((symbol, text))
            or SeriesAudit(self._exchange, symbol, Timeframe.parse(text))
            for symbol, text in sorted(audited)
        }
        self._of = {
            symbol: (
                [one for (name, _), one in self._built.items() if name == symbol],
                [one for (name, _), one in self._audits.items() if name == symbol],
            )
            for symbol in self._channels
        }

    def refused(self, symbol: str) -> None:
        """The venue does not give every single match of it: what it gives comes as the usual trades."""
        self._refused.add(symbol)
        if symbol in self._channels:
            self._channels[symbol] = Channel.TRADES

    def source(self, symbol: str) -> str:
        """The channel that the prints of a symbol are taken from; "" = none."""
        return self._channels.get(symbol, "")

    def built(self, symbol: str) -> list[Timeframe]:
        return [Timeframe.parse(text) for name, text in self._built if name == symbol]

    def audited(self, symbol: str = "") -> list[tuple[str, str]]:
        """The series, symbol and length, whose candles are compared with trades; "" = of every symbol."""
        return [series for series in self._audits if symbol in ("", series[0])]

    async def begin(self, store: CandleStore) -> None:
        """Looks up where the built candles of an earlier run end. Raises Transient."""
        for (symbol, _), series in self._built.items():
            tail = await store.tail(self._exchange, symbol, series.builder.timeframe, 1)
            if len(tail):
                series.stored = tail.candle(-1).close_ts

    def newest(self, symbol: str) -> Micros:
        """The time of the newest trade of a symbol from which candles are built; -1 = none."""
        return max((one.builder.newest for (name, _), one in self._built.items() if name == symbol), default=-1)

    def add(self, symbol: str, prints: Sequence[Print]) -> list[tuple[Candle, bool]]:
        """The built candles that are new or changed, each with whether it comes for the first time."""
        found: list[tuple[Candle, bool]] = []
        series, audits = self._of.get(symbol, ((), ()))
        for trade in prints:
            for audit in audits:
                audit.trade(trade)
            for one in series:
                late = one.builder.late
                found += one.add(trade)
                if one.builder.late > late:
                    self._overdue[symbol, trade.ts] = None
        return found

    def overdue(self) -> list[Gap]:
        """Where a trade came too late for its candle since the last call: the candle is built again from the venue's
        past trades, as on any hole."""
        found = [
            Gap(self._exchange, symbol, self.source(symbol), ts, ts + 1, LATE)
            for symbol, ts in self._overdue
            if self.source(symbol)
        ]
        self._overdue.clear()
        return found

    def advance(self, now_ts: Micros, live: Container[str]) -> list[tuple[Candle, bool]]:
        """The built candles whose time is over although no later trade came, of the symbols whose trades are `live`."""
        return [found for (symbol, _), one in self._built.items() if symbol in live for found in one.advance(now_ts)]

    def gap(self, gap: Gap) -> list[Gap]:
        """Trades were missed. The gaps of the built candles that cannot be whole because of it."""
        if gap.channel != self.source(gap.symbol):
            return []
        for (symbol, _), audit in self._audits.items():
            if symbol == gap.symbol:
                audit.gap(gap)
        found = []
        for (symbol, text), series in self._built.items():
            if symbol == gap.symbol:
                series.missed(gap)
                found.append(Gap(gap.exchange, symbol, candle_channel(text), *series.hole(gap), gap.cause))
        return found

    def venue(self, candle: Candle, now_ts: Micros) -> None:
        """A closed candle as the venue has it."""
        audit = self._audits.get((candle.symbol, candle.timeframe))
        if audit is not None:
            audit.venue(candle, now_ts)

    def verdicts(self, now_ts: Micros) -> list[Verdict]:
        return [verdict for audit in self._audits.values() for verdict in audit.verdicts(now_ts)]

    def lost(self, verdict: Verdict) -> Gap | None:
        """Trades that were lost without a sign: the venue's minute has more volume than its trades."""
        source = self.source(verdict.symbol)
        if verdict.verdict != MISSING or verdict.timeframe != _FINEST or not source:
            return None
        start = verdict.open_ts
        return Gap(verdict.exchange, verdict.symbol, source, start, start + MINUTE, LOST)

    @property
    def late(self) -> int:
        """Trades that came too late to change a built candle."""
        return sum(series.builder.late for series in self._built.values())


def needs_trades(want: Want, wants: Sequence[Want], comes: Comes) -> bool:
    """Whether candles can come from nowhere but trades: neither from the venue nor, where they are read, from others of
    the same instrument that do. Those below a minute are no source: venues give them today and not tomorrow, and what
    was built and stored until then would end there."""
    if comes(want):
        return False
    length = Timeframe.parse(want.timeframe)
    recorded = {
        Timeframe.parse(one.timeframe)
        for one in wants
        if one.channel is Channel.CANDLES and one.symbol == want.symbol and comes(one)
    }
    return not any(each.micros >= MINUTE and each.divides(length) for each in recorded)


def with_trades(wants: Sequence[Want], comes: Comes) -> list[Want]:
    """What is wanted, and the trades of the symbols whose candles can come from nowhere else."""
    having = {want.symbol for want in wants if want.channel in CHANNELS}
    candles = [want for want in wants if want.channel is Channel.CANDLES and want.symbol not in having]
    symbols = dict.fromkeys(want.symbol for want in candles if needs_trades(want, wants, comes))
    return [*wants, *(Want(symbol, Channel.TRADES) for symbol in symbols)]
