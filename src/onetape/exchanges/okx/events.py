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


class Series(msgspec.Struct, frozen=True):
    """What a subscription means: whose events, and how sizes become base units."""

    exchange: str
    symbol: str
    channel: Channel
    name: str  # of the channel, as raw frames have it
    timeframe: Timeframe | None = None
    size: float = 1.0  # base units per contract
    spot: bool = True


Decoded = tuple[Micros, tuple[MarketEvent, ...]]  # the event time of the newest item, and the events


def candle(series: Series, row: wire.Row, recv_ts: Micros = 0) -> Candle | Forming:
    """A row of the candle channel or of REST: closed or still forming."""
    assert series.timeframe is not None
    ts = row.ts * _MS
    volume = row.vol if series.spot else row.vol_ccy
    shared = (series.exchange, series.symbol, str(series.timeframe), ts)
    prices = (row.open, row.high, row.low, row.close, volume)
    if row.confirm != "1":
        return Forming(*shared, *prices, recv_ts)
    turnover = row.vol_quote or (row.vol_ccy if series.spot else 0.0)
    return Candle(*shared, series.timeframe.next(ts), *prices, turnover, Origin.VENUE, recv_ts)


def candles(series: Series, data: list[wire.Row] | msgspec.Raw, recv_ts: Micros) -> Decoded:
    rows = data if isinstance(data, list) else wire.rows.decode(data)
    events = tuple([candle(series, row, recv_ts) for row in rows])
    return max((e.open_ts for e in events), default=0), events


def trade(series: Series, t: wire.Trade, recv_ts: Micros = 0) -> Print:
    return Print(
        series.exchange,
        series.symbol,
        t.tradeId,
        t.ts * _MS,
        t.px,
        t.sz * series.size,
        _SIDES.get(t.side, 0),
        recv_ts,
    )


def trades(series: Series, data: list[wire.Trade] | msgspec.Raw, recv_ts: Micros) -> Decoded:
    rows = data if isinstance(data, list) else wire.trades.decode(data)
    if len(rows) == 1:  # nearly always
        one = trade(series, rows[0], recv_ts)
        return one.ts, (one,)
    prints = tuple([trade(series, t, recv_ts) for t in rows])
    return max((p.ts for p in prints), default=0), prints


def tickers(series: Series, data: list[wire.Ticker] | msgspec.Raw, recv_ts: Micros) -> Decoded:
    rows = data if isinstance(data, list) else wire.tickers.decode(data)
    quotes = tuple(
        Quote(
            series.exchange,
            series.symbol,
            t.ts * _MS,
            _number(t.bidPx),
            _number(t.bidSz) * series.size,
            _number(t.askPx),
            _number(t.askSz) * series.size,
            _number(t.last),
            recv_ts,
        )
        for t in rows
    )
    return max((q.ts for q in quotes), default=0), quotes


DECODE: Final[dict[Channel, Callable[[Series, Any, Micros], Decoded]]] = {
    Channel.CANDLES: candles,
    Channel.TRADES: trades,
    Channel.TICKER: tickers,
}


def closed(series: Series, rows: Sequence[wire.Row]) -> dict[str, object]:
    """Columns for a CandleFrame of the closed rows among `rows` (oldest first)."""
    done = [row for row in rows if row.confirm == "1"]
    return {
        "ts": [row.ts * _MS for row in done],
        "open": [row.open for row in done],
        "high": [row.high for row in done],
        "low": [row.low for row in done],
        "close": [row.close for row in done],
        "volume": [row.vol if series.spot else row.vol_ccy for row in done],
        "turnover": [row.vol_quote or (row.vol_ccy if series.spot else 0.0) for row in done],
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
