"""From stored frames back to events: each message goes through the library again, without any connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from onetape.domain.errors import Refused
from onetape.domain.instrument import Instrument
from onetape.domain.market import Channel, Gap, MarketEvent, RawFrame, Received, Want
from onetape.exchanges.ccxt import names, past, venues
from onetape.exchanges.ccxt.events import WATCH, book_of, print_of
from onetape.exchanges.ccxt.library import NOT_UNDERSTOOD, kind_of
from onetape.exchanges.ccxt.session import Errands, Session
from onetape.exchanges.ccxt.tracks import Track

Decode = Callable[[RawFrame], tuple[MarketEvent, ...]]


def decoder(exchange: str, instruments: Iterable[Instrument] = ()) -> Decode:
    """A function that takes the raw frames of `exchange` in the order of their receipt and gives their events.

    It remembers books and trades, so one function serves one pass. `instruments` must hold the contracts among the
    symbols: raises Refused for one that is missing, and for a channel that was never written. A frame that is no
    message of its channel gives nothing, as it did when it came.
    """
    known = {instrument.symbol: instrument for instrument in instruments}
    readers: dict[tuple[str, str], Decode] = {}

    def decode(raw: RawFrame) -> tuple[MarketEvent, ...]:
        key = (raw.symbol, raw.channel)
        reader = readers.get(key)
        if reader is None:
            reader = readers[key] = _reader(exchange, raw, known)
        return reader(raw)

    return decode


def _reader(exchange: str, raw: RawFrame, known: dict[str, Instrument]) -> Decode:
    instrument = known.get(raw.symbol)
    if instrument is None:
        if raw.symbol.count("-") != 1:
            raise Refused(
                f"The contract size of {exchange}:{raw.symbol} is not known, so its messages cannot be read. "
                "Let the collector fetch the instruments of the exchange once."
            )
        instrument = Instrument.unknown(exchange, raw.symbol)
    everything = {**known, instrument.symbol: instrument}
    venue = _offline(exchange, instrument, list(everything.values()))
    if raw.channel == past.TRADES:
        return lambda frame: _past_trades(venue, instrument, frame)
    if raw.channel == past.BOOK:
        return lambda frame: _rest_book(venue, instrument, frame)
    name, _, timeframe = raw.channel.partition(":")
    if name not in WATCH:
        raise Refused(f"{exchange}:{raw.symbol} has stored messages of a channel {raw.channel}, which ccxt has not.")
    return _Stream(venue, Track(Want(raw.symbol, Channel(name), timeframe), instrument, names.their_symbol(instrument)))


class _Stream:
    """The messages of one stream."""

    def __init__(self, venue: Any, track: Track) -> None:
        self._venue, self._track = venue, track
        self._client = _Client()
        self._told: list[Received] = []
        idle = Errands(lambda *_: None, lambda *_: None)
        self._session = Session(track.key[0], self._told.append, idle, lambda: 0.0)
        self._session.venues[""] = venue
        self._session.add(track, ("",))

    def __call__(self, raw: RawFrame) -> tuple[MarketEvent, ...]:
        self._told.clear()
        self._client.touched.clear()
        problem = ""
        try:
            message = msgspec.json.decode(raw.data)
            if self._track.book is not None and self._track.key[0] in venues.BOOK_BY_REST:
                self._book(message)
            else:
                self._venue.handle_message(self._client, message)
        except (*NOT_UNDERSTOOD, msgspec.DecodeError) as error:
            problem = str(error) or type(error).__name__
        self._session.frame(("", ""), raw.data, raw.recv_ts, self._client.touched, problem)
        return tuple(event for received in self._told for event in received.events if not isinstance(event, Gap))

    def _book(self, message: Any) -> None:
        """A book that begins with an answer of REST among the messages."""
        theirs, books = self._track.theirs, self._venue.orderbooks
        if isinstance(message, dict) and "lastUpdateId" in message:
            self._venue.answer = message
            books[theirs] = books.get(theirs) or self._venue.order_book({}, 1_000)
            kind = "spot" if self._venue.markets[theirs]["spot"] else "linear"
            subscription = {"symbol": theirs, "type": kind, "limit": 1_000, "params": {}}
            _result(self._venue.fetch_order_book_snapshot(self._client, None, subscription))
            return
        for _ in range(2):  # after a break the same message is the first that waits for the next snapshot
            if theirs not in books:
                books[theirs] = self._venue.order_book({}, 1_000)
            self._venue.handle_message(self._client, message)
            if theirs in books:
                return


class _Client:
    """What the library's handlers expect of a socket: everything is subscribed to, and what changed is noted."""

    url = ""
    error = None

    def __init__(self) -> None:
        self.touched: list[Any] = []
        self.subscriptions = _Everything()
        self.futures: dict[Any, Any] = {}
        self.rejections: dict[Any, Any] = {}
        self.options: dict[str, Any] = {}
        self.lastPong = 0

    def resolve(self, result: Any, _: Any = None) -> Any:
        self.touched.append(result)
        return result

    def reject(self, result: Any, _: Any = None) -> Any:
        return result


class _Everything(dict[Any, Any]):
    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, _: object) -> dict[str, Any]:
        return {}

    def __delitem__(self, _: object) -> None:
        return


def _offline(exchange: str, own: Instrument, known: list[Instrument]) -> Any:
    """The library's class for a venue, which answers itself out of `answer`, and finds markets without the venue's
    list: a message names its market by the venue's id, and it is known whose message it is."""
    kind = kind_of(exchange)
    markets = {one.symbol: names.market_of(one) for one in known}
    met: dict[str, Instrument | None] = {}  # by the venue's id

    class Offline(kind):  # type: ignore[misc, valid-type]
        answer: Any = None

        async def request(self, *_: Any, **__: Any) -> Any:
            return self.answer

        def spawn(self, *_: Any) -> None:
            """Answers to pings and the like: nobody is there."""

        def delay(self, *_: Any) -> None: ...

        def safe_market(self, marketId: Any = None, market: Any = None, *_: Any, **__: Any) -> Any:  # noqa: N803
            if marketId is None:
                return market if market is not None else markets[own.symbol]
            if marketId not in met:
                met[marketId] = _named(str(marketId), own, known)
            found = met[marketId]
            if found is not None:
                return markets[found.symbol]
            return self.safe_market_structure({"id": marketId, "symbol": marketId})

    Offline.__name__ = kind.__name__
    venue: Any = Offline({"options": venues.options(exchange)})
    venue.set_markets(list(markets.values()))
    venue.orderbooks = venue.orderbooks or {}
    return venue


def _named(venue_id: str, own: Instrument, known: list[Instrument]) -> Instrument | None:
    """Spot and perpetual often share an id, so the stream's own instrument comes first, but for one that is named
    exactly."""
    if names.equals(venue_id, own) or names.market_of(own)["symbol"] == venue_id:
        return own
    exact = next((one for one in known if names.equals(venue_id, one)), None)
    if exact is not None:
        return exact
    return own if names.fits(venue_id, own) else None


def _asked(venue: Any, instrument: Instrument, raw: RawFrame, call: Callable[[str], Any]) -> Any:
    """What the library makes of a stored answer; None where it is none."""
    theirs = names.their_symbol(instrument)
    try:
        venue.answer = msgspec.json.decode(raw.data)
        named = venues.ID_IN_ANSWER.get(instrument.exchange)
        if named is not None:
            venue.markets[theirs]["id"] = named(venue.answer)
        return _result(call(theirs))
    except (*NOT_UNDERSTOOD, msgspec.DecodeError):
        return None


def _result(work: Any) -> Any:
    """Of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value
    work.close()
    raise Refused("A stored message cannot be read again without asking the venue.")


def _past_trades(venue: Any, instrument: Instrument, raw: RawFrame) -> tuple[MarketEvent, ...]:
    """All trades of an answer; the feed told those that it had not told before."""
    trades = _asked(venue, instrument, raw, venue.fetch_trades) or ()
    found = [print_of(instrument.exchange, raw.symbol, t, instrument.contract_size, raw.recv_ts) for t in trades]
    return tuple(sorted(found, key=lambda one: one.ts))


def _rest_book(venue: Any, instrument: Instrument, raw: RawFrame) -> tuple[MarketEvent, ...]:
    book = _asked(venue, instrument, raw, venue.fetch_order_book)
    if book is None:
        return ()
    return (book_of(instrument.exchange, raw.symbol, book, instrument.contract_size, raw.recv_ts),)
