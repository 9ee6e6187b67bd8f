"""The library's markets and our instruments: BTC/USDT is BTC-USDT, BTC/USDT:USDT is BTC-USDT-SWAP, and
BTC/USDT:USDT-250808 is BTC-USDT-250808."""

from __future__ import annotations

import re
from typing import Any, Final

from onetape.domain.errors import Refused
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.units import Timeframe, rfc3339

Market = dict[str, Any]

_TICK_SIZE: Final = 4  # ccxt.TICK_SIZE: precisions are steps
_DECIMAL_PLACES: Final = 2
_SPELLED: Final = {"BTC": ("BTC", "XBT")}  # venues' ids


def our_symbol(market: Market) -> str:
    """Raises Refused, naming the market, for what onetape does not read."""
    name, pair = market["symbol"], f"{market['base']}-{market['quote']}".upper()
    if market.get("spot"):
        return pair
    if not (market.get("swap") or market.get("future")):
        raise Refused(f"{name} is neither spot nor a future; onetape reads spot, swaps and futures.")
    if not market.get("linear"):
        raise Refused(
            f"{name} is an inverse contract (settled in {market.get('settle')}), which onetape does not trade. "
            "Use a linear contract or spot."
        )
    if market.get("settle") != market["quote"]:
        raise Refused(f"{name} is settled in another currency than it is quoted in, which onetape does not trade.")
    if market.get("swap"):
        return f"{pair}-SWAP"
    expiry = name.rpartition("-")[2]
    if not re.fullmatch(r"\d{6}", expiry):
        raise Refused(f"{name} is a future without a day of expiry.")
    return f"{pair}-{expiry}"


def instrument(exchange: str, market: Market, precision_mode: int) -> Instrument:
    """Sizes of contracts become base units. Raises Refused."""
    symbol = our_symbol(market)
    size = 1.0 if market.get("spot") else float(market.get("contractSize") or 0.0)
    if not size > 0:
        raise Refused(f"{market['symbol']} has no contract size, so its amounts cannot be read.")
    limits, precision = market.get("limits", {}), market.get("precision", {})
    kind = Kind.SPOT if market.get("spot") else Kind.SWAP if market.get("swap") else Kind.FUTURE
    return Instrument(
        exchange=exchange,
        symbol=symbol,
        kind=kind,
        base=market["base"],
        quote=market["quote"],
        settle=market.get("settle") or market["quote"],
        tick=_step(precision.get("price"), precision_mode),
        lot=_step(precision.get("amount"), precision_mode) * size,
        min_qty=float((limits.get("amount") or {}).get("min") or 0.0) * size,
        min_notional=float((limits.get("cost") or {}).get("min") or 0.0),
        contract_size=size,
    )


def _step(value: float | None, mode: int) -> float:
    """0: not known."""
    if value is None:
        return 0.0
    if mode == _TICK_SIZE:
        return float(value)
    return float(10 ** -int(value)) if mode == _DECIMAL_PLACES else 0.0


def their_symbol(instrument: Instrument) -> str:
    """`BTC/USDT:USDT-250808`; only for reading stored messages, a live feed asks the venue's list."""
    base, quote = instrument.base, instrument.quote
    if instrument.kind is Kind.SPOT:
        return f"{base}/{quote}"
    settled = f"{base}/{quote}:{instrument.settle or quote}"
    return settled if instrument.kind is Kind.SWAP else f"{settled}-{instrument.symbol.rpartition('-')[2]}"


def market_of(instrument: Instrument) -> Market:
    """As much of the library's market as reading a message needs. The id is none that a venue uses."""
    spot, swap = instrument.kind is Kind.SPOT, instrument.kind is Kind.SWAP
    kind = "spot" if spot else "swap" if swap else "future"
    return {
        "id": instrument.id,
        "symbol": their_symbol(instrument),
        "base": instrument.base,
        "quote": instrument.quote,
        "settle": None if spot else instrument.settle or instrument.quote,
        "baseId": instrument.base,
        "quoteId": instrument.quote,
        "type": kind,
        "spot": spot,
        "swap": swap,
        "future": not spot and not swap,
        "margin": False,
        "option": False,
        "index": False,
        "contract": not spot,
        "linear": None if spot else True,
        "inverse": None if spot else False,
        "subType": None if spot else "linear",
        "contractSize": None if spot else instrument.contract_size,
        "active": True,
        "precision": {"price": instrument.tick or None, "amount": None},
        "limits": {},
        "info": {},
    }


def fits(venue_id: str, instrument: Instrument) -> bool:
    """Whether a venue's id (`BTCUSDT`, `XBT/USD`, `PF_XBTUSD`, `btc-usdt-swap`) may name the instrument."""
    squeezed = _squeezed(venue_id)
    return any(
        (at := squeezed.find(base)) >= 0 and instrument.quote.upper() in squeezed[at + len(base) :]
        for base in _bases(instrument)
    )


def equals(venue_id: str, instrument: Instrument) -> bool:
    """Whether a venue's id is nothing but the pair."""
    return _squeezed(venue_id) in {base + instrument.quote.upper() for base in _bases(instrument)}


def _squeezed(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def _bases(instrument: Instrument) -> tuple[str, ...]:
    base = instrument.base.upper()
    return _SPELLED.get(base, (base,))


def off_grid(exchange: str, symbol: str, timeframe: Timeframe, open_ts: int) -> str:
    """ "" or the sentence why a series is refused: its candles must open where ours do."""
    if timeframe.floor(open_ts) == open_ts:
        return ""
    return (
        f"{exchange}'s {timeframe} candles of {symbol} open at {rfc3339(open_ts)}, but ours at "
        f"{rfc3339(timeframe.floor(open_ts))}: days begin at 00:00 UTC, weeks on Monday. They are not mixed; take 1h "
        "and build the longer ones from it."
    )
