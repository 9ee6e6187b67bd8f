"""OKX's names and ours: symbols, bars, channels, instruments. The only place that reads or writes a venue's string."""

from __future__ import annotations

import math
from typing import Final

from onetape.domain.errors import BadInput, Refused
from onetape.domain.instrument import LIVE, Instrument, Kind
from onetape.domain.market import Channel, Want
from onetape.domain.units import Timeframe
from onetape.exchanges.okx.wire import Arg, ListedInstrument

# From six hours on the plain bars follow Hong Kong days; we take the UTC ones. 2D, 3D, 5D and 3M have no stated anchor.
BARS: Final = {
    "1s": "1s", "1m": "1m", "3m": "3m", "5m": "5m", "15m": "15m", "30m": "30m", "1h": "1H", "2h": "2H", "4h": "4H",
    "6h": "6Hutc", "12h": "12Hutc", "1d": "1Dutc", "1w": "1Wutc", "1M": "1Mutc",
}  # fmt: skip

_CHANNELS: Final = {
    Channel.TRADES: "trades", Channel.TRADES_ALL: "trades-all", Channel.TICKER: "tickers", Channel.BOOK: "books",
    Channel.BOOK5: "books5", Channel.BBO: "bbo-tbt", Channel.MARK: "mark-price", Channel.INDEX: "index-tickers",
    Channel.FUNDING: "funding-rate",
}  # fmt: skip
_KINDS: Final = {"SPOT": Kind.SPOT, "SWAP": Kind.SWAP, "FUTURES": Kind.FUTURE}

INSTRUMENT_TYPES: Final = tuple(_KINDS)


def bar(timeframe: Timeframe) -> str:
    """`1H`, `1Dutc`. Raises BadInput for a length that OKX does not offer."""
    text = str(timeframe)
    try:
        return BARS[text]
    except KeyError:
        raise BadInput("timeframe", text, "not offered by OKX", f"It offers {', '.join(BARS)}.") from None


def args(want: Want) -> tuple[Arg, ...]:
    """What to subscribe to; the instruments come by type. Raises BadInput, Refused."""
    channel, symbol = want.channel, want.symbol
    if channel is Channel.CANDLES:
        return (Arg(f"candle{bar(Timeframe.parse(want.timeframe))}", symbol),)
    if channel is Channel.INSTRUMENTS:
        return tuple(Arg("instruments", instType=kind) for kind in INSTRUMENT_TYPES)
    if channel is Channel.STATUS:
        return (Arg("status"),)
    if channel is Channel.FUNDING and not symbol.endswith("-SWAP"):
        raise Refused(f"okx:{symbol} pays no funding, only swaps do. Leave the channel funding out for it.")
    return (Arg(_CHANNELS[channel], index_of(symbol) if channel is Channel.INDEX else symbol),)


def path(channel: str) -> str:
    """Which of the WebSocket addresses serves a channel."""
    return "business" if channel.startswith("candle") or channel == "trades-all" else "public"


def index_of(symbol: str) -> str:
    """`BTC-USDT-SWAP` follows the index `BTC-USDT`."""
    return "-".join(symbol.split("-")[:2])


def is_spot(symbol: str) -> bool:
    """`BTC-USDT`, as opposed to `BTC-USDT-SWAP`, `BTC-USDT-250808`."""
    return symbol.count("-") == 1


def instrument(exchange: str, data: ListedInstrument) -> Instrument:
    """Sizes of derivatives become base units. Raises Refused, naming it, for what onetape cannot trade."""
    name = data.instId
    if data.instType not in _KINDS:
        kind = data.instType or "nameless"
        raise Refused(f"{exchange}:{name} is a {kind} instrument; onetape reads spot, swaps and futures.")
    if data.instType == "SPOT":
        return _of(exchange, data, (data.baseCcy, data.quoteCcy, data.quoteCcy), 1.0)
    if data.ctType != "linear":
        raise Refused(
            f"{exchange}:{name} is an inverse contract (sized in quote currency, settled in {data.settleCcy}),"
            " which onetape does not trade. Use a linear contract or spot."
        )
    base, _, quote = data.uly.partition("-")
    size = _number(data.ctVal) * (_number(data.ctMult) or 1.0)
    return _of(exchange, data, (base, quote, data.settleCcy), size)


def _of(exchange: str, data: ListedInstrument, coins: tuple[str, str, str], size: float) -> Instrument:
    if not size > 0 or not _number(data.tickSz) > 0:
        raise Refused(f"{exchange}:{data.instId} has no price step or contract size yet: it is not listed fully.")
    return Instrument(
        exchange=exchange,
        symbol=data.instId,
        kind=_KINDS[data.instType],
        base=coins[0],
        quote=coins[1],
        settle=coins[2],
        tick=_number(data.tickSz),
        lot=_number(data.lotSz) * size,
        min_qty=_number(data.minSz) * size,
        contract_size=size,
        state=data.state or LIVE,
    )


def _number(text: str) -> float:
    """`""` is 0 here: not known. Raises Refused."""
    try:
        value = float(text or 0.0)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < math.inf:
        raise Refused(f"The exchange states a step or a size as {text[:40]!r}, which is none.")
    return value
