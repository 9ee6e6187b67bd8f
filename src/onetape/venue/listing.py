"""What the venue lists: a spot pair per frame and a swap beside it, with steps that keep the candles exact."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final, NamedTuple

import numpy as np

from onetape.domain.errors import BadInput
from onetape.domain.frame import PRICES, CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.units import Micros

LOT_DECIMALS: Final = 8
_MOST_DECIMALS: Final = 12
_FALLBACK_DECIMALS: Final = 8
_CODE_BASE: Final = 100_000
_EXPIRY_HOUR: Final = 8


SPOT: Final = "SPOT"
SWAP: Final = "SWAP"
FUTURES: Final = "FUTURES"
_SWAP_END: Final = "-SWAP"


class Listing(NamedTuple):
    """A spot pair or a linear swap. Prices are whole ticks of 10**-decimals; the book stands on multiples of `step`
    ticks. A lot is 10**-8 base units; `contract_digits` says that a swap's contract is 10**-digits base units."""

    symbol: str
    base: str
    quote: str
    code: int  # instIdCode
    decimals: int
    step: int
    tick_size: str
    lot_size: str
    min_size: str
    listed_ms: int
    kind: str = SPOT
    contract_digits: int = 0
    inverse: bool = False
    expires_ts: Micros = 0  # of a future; 0 = never

    @property
    def pair(self) -> str:
        """The spot pair of the same currencies: the name of the index that the instrument follows."""
        return f"{self.base}-{self.quote}"

    @property
    def size_decimals(self) -> int:
        """Decimals of a size on the wire: base units for spot, contracts for swaps."""
        return LOT_DECIMALS - self.contract_digits


def listing_of(frame: CandleFrame, number: int, known: Instrument | None) -> Listing:
    """Raises BadInput when the frame has no candles, or its symbol is not BASE-QUOTE."""
    if not len(frame):
        raise BadInput("frames", frame.symbol, "without any candle", "Give at least one candle.")
    pair = frame.symbol.removesuffix(_SWAP_END)
    base, dash, quote = pair.partition("-")
    if not (base and dash and quote):
        raise BadInput("symbol", frame.symbol, "not a pair", "Write it as BTC-USDT, a swap as BTC-USDT-SWAP.")
    decimals = price_decimals(frame)
    spot = Listing(
        symbol=pair,
        base=base,
        quote=quote,
        code=_CODE_BASE + number,
        decimals=decimals,
        step=_step(float(np.median(frame.close)), decimals),
        tick_size=_plain(known.tick) if known and known.tick else decimal(1, decimals),
        lot_size=_plain(known.lot) if known and known.lot else decimal(1, LOT_DECIMALS),
        min_size=_plain(known.min_qty) if known and known.min_qty else "0.00001",
        listed_ms=int(frame.ts[0]) // 1_000,
    )
    return spot if pair == frame.symbol else swap_of(spot, float(np.median(frame.close)))


def swap_of(spot: Listing, price: float) -> Listing:
    """The linear perpetual beside a pair; its contract is 0.01, 0.1 or 1 base units by the price."""
    digits = 2 if price >= 10_000 else 1 if price >= 1_000 else 0
    smallest = decimal(1, LOT_DECIMALS - digits)
    return spot._replace(
        symbol=spot.symbol + _SWAP_END,
        code=spot.code + _CODE_BASE,
        kind=SWAP,
        contract_digits=digits,
        lot_size=smallest,
        min_size=smallest,
    )


def future_of(spot: Listing, price: float, expiry: str) -> Listing:
    """The linear future beside a pair that expires at 08:00 UTC of a day written as `yymmdd`. Raises BadInput."""
    try:
        day = datetime.strptime(expiry, "%y%m%d").replace(hour=_EXPIRY_HOUR, tzinfo=UTC)
    except ValueError:
        raise BadInput("futures", expiry, "not a day", "Write it as yymmdd: 261225.") from None
    swap = swap_of(spot, price)
    symbol, code = f"{spot.symbol}-{expiry}", spot.code + int(expiry)
    return swap._replace(symbol=symbol, code=code, kind=FUTURES, expires_ts=int(day.timestamp()) * 1_000_000)


def price_decimals(frame: CandleFrame) -> int:
    """The fewest decimals that hold every price of the frame; 8 when 12 do not (then prices are rounded to them)."""
    prices = np.concatenate([getattr(frame, name) for name in PRICES])
    for decimals in range(_MOST_DECIMALS + 1):
        scale = 10.0**decimals
        whole = np.rint(prices * scale)
        if whole.max() < 2**53 and bool(np.all(whole / scale == prices)):
            return decimals
    return _FALLBACK_DECIMALS


def _step(price: float, decimals: int) -> int:
    """The power of ten nearest to a hundred-thousandth of the price, in ticks: 0.1 for a price of 4,000 to 30,000."""
    exponent = round(math.log10(price * 1e-5)) + decimals if price > 0 else 0
    return int(10 ** max(0, exponent))


def decimal(whole: int, decimals: int) -> str:
    """`whole` times 10**-decimals as plain decimal text without trailing zeros: decimal(1250, 2) is "12.5"."""
    if not decimals:
        return str(whole)
    digits = str(whole).zfill(decimals + 1)
    fraction = digits[-decimals:].rstrip("0")
    return f"{digits[:-decimals]}.{fraction}" if fraction else digits[:-decimals]


def _plain(value: float) -> str:
    return np.format_float_positional(value, trim="-")
