"""What is traded, and in which steps."""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from onetape.domain.units import Money, Price, Qty

LIVE: Final = "live"
DELISTED: Final = "delisted"


class Kind(enum.StrEnum):
    SPOT = "spot"
    SWAP = "swap"
    FUTURE = "future"


class Instrument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tradable thing on one exchange.

    `tick` (price) and `lot` (base units) are the steps that prices and quantities are snapped to; 0 means "not known:
    no snapping". `contract_size` is base units per venue contract and is used only inside an exchange folder. `state`
    is the venue's word (live, preopen, suspend, ...), or `delisted` once it names the instrument no more.
    """

    exchange: str
    symbol: str
    kind: Kind = Kind.SPOT
    base: str = ""
    quote: str = ""
    settle: str = ""
    tick: Price = 0.0
    lot: Qty = 0.0
    min_qty: Qty = 0.0
    min_notional: Money = 0.0
    contract_size: float = 1.0
    state: str = LIVE

    @property
    def id(self) -> str:
        """`okx:BTC-USDT`"""
        return f"{self.exchange}:{self.symbol}"

    @classmethod
    def unknown(cls, exchange: str, symbol: str) -> Instrument:
        """An instrument of which only the name is known, as for candles from a file: lot 1e-8, no tick; a perpetual
        when its name ends in `-SWAP`, else spot."""
        base, _, rest = symbol.partition("-")
        quote = rest.removesuffix("-SWAP")
        kind = Kind.SPOT if quote == rest else Kind.SWAP
        return cls(exchange=exchange, symbol=symbol, kind=kind, base=base, quote=quote, settle=quote, lot=1e-8)
