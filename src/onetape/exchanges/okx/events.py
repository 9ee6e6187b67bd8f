"""From OKX's data to market events. Pure: one function per channel, in a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from onetape.domain.market import Candle, Channel, Forming, MarketEvent, Origin, Print, Quote
from onetape.domain.units import Micros, Timeframe
from onetape.exchanges.okx import wire

_MS: Final = 1_000
_SIDES: Final = {"buy": 1, "sell": -1}


class Stream(msgspec.Struct, frozen=True):
    """What a subscription means: whose events, and how sizes become base units."""

    exchange: str
    symbol: str
    channel: Channel
    name: str  # of the channel, as raw frames have it
    timeframe: Timeframe | None = None
    size: float = 1.0  # base units per contract
    spot: bool = True


Decoded = tuple[Micros, tuple[MarketEvent, ...]]  # the event time of the newest item, and the events


def candle(stream: Stream, row: wire.Row, recv_ts: Micros = 0) -> Candle | Forming:
    """A row of the candle channel or of REST: closed or still forming."""
    assert stream.timeframe is not None
    ts = row.ts * _MS
    volume = row.vol if stream.spot else row.vol_ccy
    shared = (stream.exchange, stream.symbol, str(stream.timeframe), ts)
    prices = (row.open, row.high, row.low, row.close, volume)
    if row.confirm != "1":
        return Forming(*shared, *prices, recv_ts)
    turnover = row.vol_quote or (row.vol_ccy if stream.spot else 0.0)
    return Candle(*shared, stream.timeframe.next(ts), *prices, turnover, Origin.VENUE, recv_ts)


def candles(stream: Stream, data: list[wire.Row] | msgspec.Raw, recv_ts: Micros) -> Decoded:
    rows = data if isinstance(data, list) else wire.rows.decode(data)
    events = tuple([candle(stream, row, recv_ts) for row in rows])
    return max((e.open_ts for e in events), default=0), events


def trade(stream: Stream, t: wire.Trade, recv_ts: Micros = 0) -> Print:
    return Print(
        stream.exchange,
        stream.symbol,
        t.tradeId,
        t.ts * _MS,
        t.px,
        t.sz * stream.size,
        _SIDES.get(t.side, 0),
        recv_ts,
    )


def trades(stream: Stream, data: list[wire.Trade] | msgspec.Raw, recv_ts: Micros) -> Decoded:
    rows = data if isinstance(data, list) else wire.trades.decode(data)
    if len(rows) == 1:  # nearly always
        one = trade(stream, rows[0], recv_ts)
        return one.ts, (one,)
    prints = tuple([trade(stream, t, recv_ts) for t in rows])
    return max((p.ts for p in prints), default=0), prints


def tickers(stream: Stream, data: list[wire.Ticker] | msgspec.Raw, recv_ts: Micros) -> Decoded:
    rows = data if isinstance(data, list) else wire.tickers.decode(data)
    quotes = tuple(
        Quote(
            stream.exchange,
            stream.symbol,
            t.ts * _MS,
            _number(t.bidPx),
            _number(t.bidSz) * stream.size,
            _number(t.askPx),
            _number(t.askSz) * stream.size,
            _number(t.last),
            recv_ts,
        )
        for t in rows
    )
    return max((q.ts for q in quotes), default=0), quotes


DECODE: Final[dict[Channel, Callable[[Stream, Any, Micros], Decoded]]] = {
    Channel.CANDLES: candles,
    Channel.TRADES: trades,
    Channel.TICKER: tickers,
}


def closed(stream: Stream, rows: Sequence[wire.Row]) -> dict[str, object]:
    """Columns for a CandleFrame of the closed rows among `rows` (oldest first)."""
    done = [row for row in rows if row.confirm == "1"]
    return {
        "ts": [row.ts * _MS for row in done],
        "open": [row.open for row in done],
        "high": [row.high for row in done],
        "low": [row.low for row in done],
        "close": [row.close for row in done],
        "volume": [row.vol if stream.spot else row.vol_ccy for row in done],
        "turnover": [row.vol_quote or (row.vol_ccy if stream.spot else 0.0) for row in done],
        "origin": [int(Origin.VENUE)] * len(done),
    }


def _number(text: str) -> float:
    """`""`: there is none, which is 0 here. Raises msgspec.ValidationError."""
    if not text:
        return 0.0
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < math.inf:
        raise msgspec.ValidationError(f"{text[:40]!r} is no price or size")
    return value
