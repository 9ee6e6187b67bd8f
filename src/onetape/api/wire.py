"""What the API says, as structs: times are RFC 3339 UTC, ledger amounts decimal strings, market prices numbers.

Knows only the domain and the views of ports. The structs are also the schemas of the OpenAPI page.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from onetape.domain.bots import BotView
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Book, Candle, Corrected, Forming, Print, Quote
from onetape.domain.orders import Fill, Order, Side
from onetape.domain.services import ServiceState
from onetape.domain.units import Micros, rfc3339
from onetape.ports import Coverage, EquityPoint, SignalView


class CandleOut(msgspec.Struct, frozen=True, kw_only=True):
    timestamp: str  # open time
    open: float
    high: float
    low: float
    close: float
    volume: float


class CandleTick(CandleOut, frozen=True, kw_only=True):
    """A candle on the stream; the running one is not closed."""

    timeframe: str
    closed: bool


class CorrectedOut(msgspec.Struct, frozen=True, kw_only=True):
    """Candles that open in [start, end) were changed or filled in: ask for them again."""

    timeframe: str
    start: str
    end: str


class PrintOut(msgspec.Struct, frozen=True, kw_only=True):
    """A public trade; `side` is the taker's."""

    id: str
    timestamp: str
    price: float
    quantity: float
    side: str


class BookOut(msgspec.Struct, frozen=True, kw_only=True):
    """The best levels, best first, each [price, quantity in base units]."""

    exchange: str
    symbol: str
    timestamp: str | None
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class QuoteOut(msgspec.Struct, frozen=True, kw_only=True):
    timestamp: str
    last: float
    bid: float
    ask: float


class CoverageOut(msgspec.Struct, frozen=True, kw_only=True):
    exchange: str
    symbol: str
    timeframe: str
    first: str
    last: str
    candles: int
    gaps: int


class BotOut(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    mode: str
    exchange: str
    symbol: str
    timeframe: str
    strategy: str
    parameters: dict[str, Any]
    status: str
    wanted: str
    reason: str
    capital: str
    equity: str
    profit: str
    cash: str
    position: str  # signed, base units
    entry_price: str
    price: float  # the last close it saw
    realised: str
    fees: str
    sizing: str
    limits: dict[str, Any]
    last_candle: str | None
    created: str | None
    updated: str | None


class SignalOut(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    bot: str
    timestamp: str
    symbol: str
    target: float | None
    confidence: float
    price: float
    tag: str
    reason: str


class OrderOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    bot: str
    exchange: str
    symbol: str
    timestamp: str
    kind: str
    side: str
    role: str
    quantity: str
    filled: str
    price: str | None
    status: str
    reason: str


class FillOut(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    bot: str
    order_id: str
    exchange: str
    symbol: str
    timestamp: str
    side: str
    price: str
    quantity: str
    fee: str
    role: str
    maker: bool
    realised: str


class EquityOut(msgspec.Struct, frozen=True, kw_only=True):
    timestamp: str
    equity: str
    cash: str
    position: str
    price: float


class ServiceOut(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: str
    restarts: int
    error: str = ""
    heard: str | None = None


def money(value: float) -> str:
    """A decimal string with 2 to 8 places: 10000.0 is "10000.00"."""
    text = format(Decimal(repr(float(value))).quantize(Decimal("1e-8")), "f") if abs(value) < 1e18 else repr(value)
    whole, _, places = text.partition(".")
    text = f"{whole}.{places.rstrip('0').ljust(2, '0')}"
    return text.removeprefix("-") if not float(text) else text


def quantity(value: float) -> str:
    """A decimal string without trailing zeros: 0.5 is "0.5", 3.0 is "3"."""
    text = format(Decimal(repr(float(value))).quantize(Decimal("1e-12")), "f").rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def moment(ts: Micros) -> str | None:
    return rfc3339(ts) if ts else None


def side(value: int) -> str:
    return Side(value).name.lower()


def candles(frame: CandleFrame) -> list[CandleOut]:
    stamps = np.datetime_as_string(frame.ts.astype("datetime64[us]").astype("datetime64[s]"))
    columns = (frame.open, frame.high, frame.low, frame.close, frame.volume)
    rows = zip(stamps.tolist(), *(column.tolist() for column in columns), strict=True)
    return [CandleOut(timestamp=f"{t}Z", open=o, high=h, low=low, close=c, volume=v) for t, o, h, low, c, v in rows]


def tick(candle: Candle | Forming) -> CandleTick:
    return CandleTick(
        timestamp=rfc3339(candle.open_ts),
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
        timeframe=candle.timeframe,
        closed=isinstance(candle, Candle),
    )


def corrected(value: Corrected) -> CorrectedOut:
    return CorrectedOut(timeframe=value.timeframe, start=rfc3339(value.start_ts), end=rfc3339(value.end_ts))


def print_out(trade: Print) -> PrintOut:
    return PrintOut(
        id=trade.id, timestamp=rfc3339(trade.ts), price=trade.price, quantity=trade.qty, side=side(trade.side)
    )


def book(value: Book, depth: int) -> BookOut:
    return BookOut(
        exchange=value.exchange,
        symbol=value.symbol,
        timestamp=rfc3339(value.ts),
        bids=value.bids[:depth],
        asks=value.asks[:depth],
    )


def quote(value: Quote) -> QuoteOut:
    return QuoteOut(timestamp=rfc3339(value.ts), last=value.last, bid=value.bid, ask=value.ask)


def coverage(row: Coverage) -> CoverageOut:
    return CoverageOut(
        exchange=row.exchange,
        symbol=row.symbol,
        timeframe=row.timeframe,
        first=rfc3339(row.first_ts),
        last=rfc3339(row.last_ts),
        candles=row.rows,
        gaps=row.gaps,
    )


def bot(view: BotView) -> BotOut:
    spec = view.spec
    return BotOut(
        name=spec.name,
        mode=spec.mode,
        exchange=spec.exchange,
        symbol=spec.symbol,
        timeframe=spec.timeframe,
        strategy=spec.strategy,
        parameters=spec.parameters,
        status=view.status,
        wanted=view.wanted,
        reason=view.reason,
        capital=money(spec.capital),
        equity=money(view.equity),
        profit=money(view.equity - spec.capital),
        cash=money(view.cash),
        position=quantity(view.qty),
        entry_price=money(view.entry_price),
        price=view.price,
        realised=money(view.realised),
        fees=money(view.fees),
        sizing=spec.sizing,
        limits=msgspec.structs.asdict(spec.limits),
        last_candle=moment(view.candle_ts),
        created=moment(view.created_ts),
        updated=moment(view.updated_ts),
    )


def signal(row: SignalView) -> SignalOut:
    return SignalOut(
        id=row.id,
        bot=row.bot,
        timestamp=rfc3339(row.ts),
        symbol=row.symbol,
        target=row.target if row.target == row.target else None,
        confidence=row.confidence,
        price=row.price,
        tag=row.tag,
        reason=row.reason,
    )


def order(row: Order) -> OrderOut:
    return OrderOut(
        id=row.id,
        bot=row.bot,
        exchange=row.exchange,
        symbol=row.symbol,
        timestamp=rfc3339(row.ts),
        kind=row.kind.name.lower(),
        side=side(row.side),
        role=row.role.name.lower(),
        quantity=quantity(row.qty),
        filled=quantity(row.filled_qty),
        price=money(row.price) if row.price else None,
        status=row.status,
        reason=row.reason,
    )


def fill(row: Fill) -> FillOut:
    return FillOut(
        id=row.id,
        bot=row.bot,
        order_id=row.order_id,
        exchange=row.exchange,
        symbol=row.symbol,
        timestamp=rfc3339(row.ts),
        side=side(row.side),
        price=money(row.price),
        quantity=quantity(row.qty),
        fee=money(row.fee),
        role=row.role.name.lower(),
        maker=row.maker,
        realised=money(row.realised),
    )


def equity(points: Iterable[EquityPoint]) -> list[EquityOut]:
    return [
        EquityOut(
            timestamp=rfc3339(p.ts),
            equity=money(p.equity),
            cash=money(p.cash),
            position=quantity(p.qty),
            price=p.price,
        )
        for p in points
    ]


def service(value: ServiceState, state: str = "", heard_ts: Micros = 0) -> ServiceOut:
    return ServiceOut(
        name=value.name,
        state=state or value.state,
        restarts=value.restarts,
        error=value.error,
        heard=moment(heard_ts),
    )
