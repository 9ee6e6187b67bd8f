"""The seams: what the inside needs from the outside. Adapters fulfil these protocols; `app/wiring.py` chooses them."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from onetape.domain.accounts import Account
from onetape.domain.bots import BotSpec, BotStatus, BotView
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.instrument import Instrument
from onetape.domain.market import Gap, Origin, RawFrame, Received, Streams, Want
from onetape.domain.orders import Fill, Order, OrderEvent
from onetape.domain.parts import Archived, Part, Weight, Which
from onetape.domain.results import BacktestSpec, Result, Trade
from onetape.domain.signals import SignalRow
from onetape.domain.units import Micros, Timeframe

if TYPE_CHECKING:  # loading the gate would load the kernels
    from onetape.strategies.gate import GateReport


class MarketFeed(Protocol):
    """A venue's market data."""

    exchange: str
    timeframes: frozenset[str]  # the candles that the venue itself offers

    async def now(self) -> Micros:
        """The venue's time. A replaying venue lives in the past, so "until now" is never the machine's clock."""
        ...

    async def instruments(self) -> list[Instrument]: ...

    def history(
        self, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[CandleFrame]:
        """Pages of closed candles that open in [start_ts, end_ts), oldest first. Raises Transient, Refused."""
        ...

    def stream(self, wants: Sequence[Want]) -> AsyncIterator[Received]:
        """For ever: reconnects by itself and yields a Gap after each absence."""
        ...

    def change(self, wants: Sequence[Want]) -> None:
        """The running stream follows: what is new is subscribed to, what is gone is left, the others go on."""
        ...

    def streams(self) -> Streams:
        """How every stream is doing at this moment."""
        ...

    def past_trades(self, symbol: str, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        """Pages of the public trades in [start_ts, end_ts), older pages first: `raw` is the REST answer as it came
        (channel `trades_rest`), the events are Prints. Raises Transient, Refused."""
        ...

    async def book(self, symbol: str) -> Received:
        """The order book as REST gives it (channel `book_rest`). Raises Transient, Refused."""
        ...

    async def close(self) -> None: ...


class Holdings(msgspec.Struct, frozen=True):
    """What a venue says an account has: balances by currency, signed positions by symbol, open orders."""

    balances: dict[str, float]
    positions: dict[str, float]
    orders: tuple[Order, ...]


class Broker(Protocol):
    """Where orders go."""

    async def submit(self, order: Order) -> None:
        """Returns when the venue has it. Refused: it surely has not. Transient: nobody knows. Same id, same order."""
        ...

    async def cancel(self, order: Order) -> None: ...

    def events(self) -> AsyncIterator[OrderEvent | Fill]: ...

    async def snapshot(self) -> Holdings: ...


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of one candle series. `anchor` is from where its buckets are counted."""

    exchange: str
    symbol: str
    timeframe: str
    first_ts: Micros
    last_ts: Micros
    rows: int
    gaps: int
    anchor: str = "UTC"


class Appended(msgspec.Struct, frozen=True):
    """What an idempotent append did: rows given, rows that were new, rows that changed one already there."""

    given: int
    new: int
    changed: int


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A final candle that was changed: its open, high, low, close, volume and turnover before and after."""

    exchange: str
    symbol: str
    timeframe: str
    open_ts: Micros
    before: list[float]
    after: list[float]
    origin_before: Origin
    origin_after: Origin
    made_ts: Micros = 0


class CandleStore(Protocol):
    """Closed candles. Appending the same rows twice changes nothing."""

    async def append(self, frame: CandleFrame) -> Appended:
        """One transaction; the rows are upserted by (exchange, symbol, timeframe, timestamp).

        The newest word counts, but a candle that was built never replaces the word of a venue or a file, a foreign one
        replaces only its like and synthetic ones, and a synthetic one only its like. A candle that had other numbers
        leaves a Correction.
        """
        ...

    async def corrections(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> list[Correction]:
        """Of the candles that open in [start_ts, end_ts), by time."""
        ...

    async def rolled(
        self,
        market: tuple[str, str],
        timeframe: Timeframe,
        start_ts: Micros | None,
        end_ts: Micros | None,
        last: int | None = None,
    ) -> CandleFrame | None:
        """Candles of (exchange, symbol) that are kept ready from its stored 1m ones: those that open in [start_ts,
        end_ts) and are covered to their end (the `last` of them). None when this store keeps none of that length."""
        ...

    async def load(
        self, exchange: str, symbol: str, timeframe: Timeframe, start_ts: Micros | None, end_ts: Micros | None
    ) -> CandleFrame:
        """Candles that open in [start_ts, end_ts), None = unbounded; an empty frame when there are none."""
        ...

    async def tail(
        self, exchange: str, symbol: str, timeframe: Timeframe, n: int, before_ts: Micros | None = None
    ) -> CandleFrame:
        """The last n candles (that open before `before_ts`)."""
        ...

    async def coverage(self, exchange: str | None = None, symbol: str | None = None) -> list[Coverage]: ...

    async def add_gaps(self, gaps: Sequence[Gap]) -> int:
        """How many were new."""
        ...

    async def gaps(self, exchange: str, symbol: str, channel: str) -> list[Gap]:
        """The open ones, oldest first. A gap of `candle_channel` closes by itself when its last candle is appended."""
        ...

    async def close_gaps(self, gaps: Sequence[Gap], how: str) -> int:
        """Records these as closed, known before or not, and gives how many were not closed already. `taken_from` an
        exchange counts more than that the venue has none."""
        ...

    async def absent(self, exchange: str, symbol: str, channel: str) -> list[Gap]:
        """Those closed because the venue has nothing there, oldest first."""
        ...

    async def instruments(self) -> list[Instrument]: ...

    async def put_instruments(self, instruments: Sequence[Instrument]) -> None: ...


class RawStore(Protocol):
    """Frames as they came."""

    async def append(self, frames: Sequence[RawFrame]) -> int:
        """How many were new."""
        ...

    async def tail(self, exchange: str, symbol: str, channel: str, n: int) -> list[RawFrame]:
        """The last n messages of one series, oldest first."""
        ...

    def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[list[RawFrame]]:
        """Pages of the messages with a venue time in [start_ts, end_ts), all channels together in the order in which
        they were received (recv_ts, seq). Memory holds a page, not the span."""
        ...


class Verdict(msgspec.Struct, frozen=True):
    """A venue's candle compared with the one built from the trades that were received.

    `verdict` is equal, not judged, or the name of the difference: missing trades, price, volume, rounding. The numbers
    are open, high, low, close, volume, turnover; `built` is empty when no trade was received.
    """

    exchange: str
    symbol: str
    timeframe: str
    open_ts: Micros
    verdict: str
    venue: list[float]
    built: list[float]


class AuditCount(msgspec.Struct, frozen=True):
    """How many candles of a series got one verdict."""

    exchange: str
    symbol: str
    timeframe: str
    verdict: str
    candles: int


class AuditStore(Protocol):
    """What the comparison of venue candles with built ones found."""

    async def judged(self, verdicts: Sequence[Verdict]) -> None:
        """Counts all, and keeps those that differ."""
        ...

    async def counts(self, exchange: str | None = None, symbol: str | None = None) -> list[AuditCount]: ...

    async def differences(self, exchange: str, symbol: str, timeframe: Timeframe, limit: int = 100) -> list[Verdict]:
        """Newest first."""
        ...


Spooled = RawFrame | Gap


class SpoolState(msgspec.Struct, frozen=True, kw_only=True):
    """What waits on disk. `full` says that the last write was refused."""

    bytes: int
    limit: int
    items: int
    full: bool


class Spool(Protocol):
    """Where messages wait on disk while their table cannot be reached; first in, first out, by parts."""

    @property
    def state(self) -> SpoolState: ...

    async def write(self, items: Sequence[Spooled]) -> bool:
        """True: all of them are on the disk for certain. False: there is no room, and nothing was written."""
        ...

    async def oldest(self) -> list[Spooled]:
        """The items of the oldest part, in order; it stays until `done`."""
        ...

    async def done(self) -> None:
        """The oldest part is stored elsewhere: it is forgotten."""
        ...

    def newest(self, symbol: str, channel: str) -> Micros:
        """The venue's time of the newest message of a series that was there at the start; 0 = none."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """The rows of a part as the database had them at one moment: `columns` are names and kinds (text, int, float, time)
    of the values in each row; times are micros."""

    columns: tuple[tuple[str, str], ...]
    weight: Weight
    pages: AsyncIterator[list[tuple[Any, ...]]]


class Shelf(Protocol):
    """The time series of the database, as parts that can leave it and come back. What leaves is entered before."""

    def parts(self, which: Which) -> AsyncIterator[Part]:
        """Those with rows in the database, oldest first within a series. The part that holds the end of a candle series
        is not among them: it is read and added to all the time."""
        ...

    async def weigh(self, part: Part) -> Weight: ...

    def take(self, part: Part) -> AbstractAsyncContextManager[Taken]:
        """A copy of its rows, all of one moment."""
        ...

    async def enter(self, entry: Archived) -> None:
        """From now on the file is read beside the database. It replaces the entry of the same part."""
        ...

    async def entries(self, which: Which) -> list[Archived]:
        """By part."""
        ...

    async def beside(
        self, kind: str, exchange: str, symbol: str, channels: Sequence[str], start_ts: Micros, end_ts: Micros
    ) -> list[Archived]:
        """The files to read beside the database for [start_ts, end_ts), by part. Ask for them after the rows: then
        nothing is missed, whatever leaves or comes back meanwhile."""
        ...

    async def release(self, entries: Sequence[Archived]) -> int:
        """Drops from the database what is surely in the archive, whole partitions where all of it is, and gives how
        many rows went. Rows that came or changed after they were taken stay."""
        ...

    async def put_back(self, entry: Archived, names: Sequence[str], pages: AsyncIterator[list[tuple[Any, ...]]]) -> int:
        """Its rows into the database in one transaction; rows that are there stay as they are. Gives how many came."""
        ...

    async def forget(self, part: Part, entry: Archived | None) -> int:
        """Deletes a part for good, with its entry, and gives how many rows that were."""
        ...

    async def drop_empty(self) -> int:
        """Drops partitions that are wholly past and empty, and gives how many there were."""
        ...

    async def make_ahead(self, now_ts: Micros) -> int:
        """Partitions for the next weeks, so that no writer has to make one; gives how many were made."""
        ...


class RawCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of one raw channel, in the database or in the archive."""

    exchange: str
    symbol: str
    channel: str
    first_ts: Micros
    last_ts: Micros
    rows: int
    gaps: int


class TableSize(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of one partition of a time series, of another table (`partition` ""), or of the archive (`table` archive,
    `partition` its kind), indexes included."""

    table: str
    partition: str
    bytes: int
    start_ts: Micros = 0
    end_ts: Micros = 0


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """How full the disk of the data directory is. `per_day` is the growth of the last days in bytes, None before an
    hour of it was seen; `full_ts` is when the disk will be full if that goes on, None = not in ten years."""

    total: int
    free: int
    database: int
    archive: int
    per_day: float | None = None
    full_ts: Micros | None = None


class Catalogue(Protocol):
    """What is stored and how much room it takes: quick answers, however many rows there are."""

    async def raw(self, exchange: str | None = None, symbol: str | None = None) -> list[RawCoverage]: ...

    async def sizes(self) -> list[TableSize]:
        """The largest first."""
        ...

    async def disk(self) -> Disk: ...

    async def note(self) -> None:
        """Remembers how much there is now: the forecast is made from what was noted hour by hour."""
        ...


class BotState(msgspec.Struct, frozen=True, kw_only=True):
    """All that a bot must remember to go on where it was: the fold of its tape up to `matched_ts`.

    `book` are the resting orders as rows of numbers (core.state). `matched_ts` and `decided_ts` are the close times of
    the last fill candle matched and of the last strategy candle decided on.
    """

    account: Account
    book: list[list[float]]
    matched_ts: Micros
    decided_ts: Micros
    price: float

    def shown(self, view: BotView) -> BotView:
        """The view of a bot with the numbers of this state."""
        account = self.account
        return msgspec.structs.replace(
            view,
            cash=account.cash,
            qty=account.qty,
            entry_price=account.entry_price,
            price=self.price,
            equity=account.equity(self.price),
            realised=account.realised,
            fees=account.fees,
            candle_ts=self.decided_ts,
        )


class TradeStore(Protocol):
    """The ledger. Each method is one durable transaction."""

    async def plan(
        self, bot: str, ts: Micros, signal: SignalRow | None, orders: Sequence[Order], state: BotState, reason: str = ""
    ) -> None:
        """Intent before act: the signal and its orders (planned, or cancelled ones with that status), and the state.

        `reason` says why the signal led to no order.
        """
        ...

    async def moved(self, order: Order) -> None: ...

    async def filled(self, bot: str, fills: Sequence[Fill], orders: Sequence[Order], state: BotState) -> int:
        """All that one candle (or one message of a venue) did: fills, orders as they now are, and the state, together.

        Gives how many fills were new; one already known is not counted again.
        """
        ...

    async def mark(self, bot: str, ts: Micros, state: BotState) -> None:
        """The equity at a close (bot_performance) and the state."""
        ...

    async def restore(self, bot: str) -> BotState | None: ...


class GateStore(Protocol):
    """What the gate found, by `Registry.proof_key`: one proof serves every process and every start."""

    async def load(self) -> dict[str, GateReport]: ...

    async def put(self, key: str, report: GateReport) -> None: ...


class BotStore(Protocol):
    """Bots and what people wish of them."""

    async def put(self, spec: BotSpec) -> None:
        """Creates the bot, or replaces its spec while it is stopped. Raises Conflict."""
        ...

    async def wish(self, name: str, status: BotStatus) -> None: ...

    async def report(self, name: str, status: BotStatus, reason: str = "") -> None: ...

    async def list(self) -> list[BotView]: ...

    async def get(self, name: str) -> BotView:
        """Raises NotFound."""
        ...

    async def delete(self, name: str) -> None:
        """A bot that is stopped, or wished to be; its ledger rows stay. Raises NotFound, Conflict."""
        ...


class SignalView(msgspec.Struct, frozen=True, kw_only=True):
    """A stored signal. `ts` is the close of its candle; `reason` says why nothing was sent, "" when something was."""

    id: int
    bot: str
    ts: Micros
    symbol: str
    target: float
    confidence: float
    price: float = 0.0
    tag: str = ""
    reason: str = ""


class EquityPoint(msgspec.Struct, frozen=True):
    """What a bot owned at one close, in settle currency; `qty` is signed base units."""

    ts: Micros
    equity: float
    cash: float
    qty: float
    price: float


class Only(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of a list are wanted: newest first, at most `limit`, those before the cursor `before`."""

    bot: str | None = None
    symbol: str | None = None
    limit: int = 100
    before: str = ""


class GapView(msgspec.Struct, frozen=True, kw_only=True):
    """A stored gap: [start_ts, end_ts) of a channel, why nothing came, and how and when it was closed ("" = open)."""

    id: int
    exchange: str
    symbol: str
    channel: str
    start_ts: Micros
    end_ts: Micros
    cause: str
    closed_how: str = ""
    closed_ts: Micros = 0
    noted_ts: Micros = 0


class OnlyGaps(msgspec.Struct, frozen=True, kw_only=True):
    """Which gaps are wanted: the latest first, at most `limit`, those before the cursor. `open` None: both kinds."""

    exchange: str | None = None
    symbol: str | None = None
    channel: str | None = None
    open: bool | None = None
    limit: int = 100
    before: str = ""


class Queries(Protocol):
    """Reads for people. Each list comes with the cursor of the rows after it, "" at the end. Cursors are opaque."""

    async def signals(self, only: Only) -> tuple[list[SignalView], str]: ...

    async def orders(self, only: Only) -> tuple[list[Order], str]: ...

    async def fills(self, only: Only) -> tuple[list[Fill], str]: ...

    async def gaps(self, only: OnlyGaps) -> tuple[list[GapView], str]: ...

    async def holes(self, start_ts: Micros | None = None, end_ts: Micros | None = None) -> list[GapView]:
        """What is missing of all candle series in [start_ts, end_ts): open gaps, and those that the venue has not."""
        ...

    async def equity(self, bot: str, points: int = 2000) -> list[EquityPoint]:
        """The whole life of a bot in at most `points` points, oldest first: the last one of each stretch."""
        ...


class RunView(msgspec.Struct, frozen=True, kw_only=True):
    """A stored backtest without its long columns."""

    run_id: str
    spec: BacktestSpec
    metrics: dict[str, Any]
    manifest: dict[str, Any] = {}
    created_ts: Micros = 0


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class StoredRun:
    """A stored backtest: `ts` (close times, micros) and `equity` are its curve, thinned where it is long so that no
    extreme is lost; `fills` are the rows of results.Tape, `fill_ts` the open times of their candles."""

    view: RunView
    trades: list[Trade]
    ts: Ints
    equity: Floats
    fills: Floats
    fill_ts: Ints


class RunStore(Protocol):
    """Backtests and what came out of them."""

    async def put(self, result: Result) -> None:
        """The same run stored again changes nothing."""
        ...

    async def list(self, limit: int = 100, before: str = "") -> tuple[list[RunView], str]:
        """Newest first, with the cursor of the rows after it, "" at the end."""
        ...

    async def get(self, run_id: str) -> StoredRun:
        """Raises NotFound."""
        ...


class Resync(msgspec.Struct, frozen=True):
    """The bus was away: what came meanwhile is lost, the listener rebuilds from the facts."""


class Message(msgspec.Struct, frozen=True):
    topic: str
    body: Any  # a domain struct, decoded


class Bus(Protocol):
    """Hints. At most once; publishing never fails its caller."""

    def publish(self, topic: str, body: msgspec.Struct) -> None: ...

    def subscribe(self, *patterns: str) -> AsyncIterator[Message | Resync]:
        """Messages of the topics that match (glob), for ever; Resync first and after each absence."""
        ...

    async def settled(self) -> None:
        """Returns when nothing that was published waits any more: who publishes a lot keeps within the queue."""
        ...

    async def close(self) -> None: ...


class Budgets(Protocol):
    """How often venues may be asked, counted over all processes. Buckets by name, filled at `rate` tokens a second."""

    async def delay(self, name: str, capacity: float, rate: float) -> float:
        """Takes one token; the seconds to wait before the request is sent. Raises Transient: nobody can say."""
        ...

    async def exceeded(self, name: str, closed: float, slow: float) -> None:
        """The venue said "too many": nothing for `closed` seconds, half the rate for `slow` seconds. Raises
        Transient."""
        ...

    async def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> Micros: ...

    async def sleep_until(self, ts: Micros) -> None: ...
