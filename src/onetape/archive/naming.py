"""What a file is called says what is in it: symbol, exchange, timeframe and day out of names, in our spelling."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from onetape.domain.errors import BadInput
from onetape.domain.units import Timeframe

EXCHANGES: Final = (
    "binanceus", "binance", "bitfinex", "bitflyer", "bitget", "bithumb", "bitmex", "bitstamp", "bitvavo", "bybit",
    "coinbase", "cryptocom", "deribit", "gateio", "gemini", "htx", "huobi", "hyperliquid", "kraken", "kucoin", "mexc",
    "okcoin", "okex", "okx", "phemex", "poloniex", "upbit",
)  # fmt: skip
_SPELLED: Final = {"okex": "okx", "gdax": "coinbase", "huobi": "htx"}

QUOTES: Final = (
    "FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "USDE", "USDG", "DAI", "USD", "EUR", "GBP", "JPY", "KRW", "AUD",
    "CAD", "CHF", "TRY", "BRL", "BTC", "ETH", "BNB",
)  # fmt: skip
_COINS: Final = {"XBT": "BTC", "XXBT": "BTC", "ZUSD": "USD", "ZEUR": "EUR", "UST": "USDT"}
_PERPETUAL: Final = {"um", "perp", "perpetual", "swap"}
_WORDS: Final = re.compile(r"[^A-Za-z0-9]+")
_MAJOR: Final = frozenset({"BTC", "XBT", "ETH", "XRP", "SOL", "DOGE", "ADA", "LTC", "BNB", "TRX", "LINK", "DOT"})


def normal_symbol(text: str, field: str = "--symbol") -> str:
    """`BTC/USDT`, `BTC_USDT`, `btcusdt`, `tBTCUSD`, `XBT/USD`, `BTC/USDT:USDT` as `BTC-USDT`; raises BadInput."""
    parts = [part for part in re.split(r"[-/_: ]+", text.strip().upper()) if part]
    if len(parts) == 1 and (pair := _pair_of(text.strip())):
        return pair
    if len(parts) < 2 or not all(re.fullmatch(r"[A-Z0-9]{1,20}", part) for part in parts):
        raise BadInput(field, text, "not a symbol", "Write base and quote with a dash: BTC-USDT.")
    parts = [_COINS.get(part, part) for part in parts]
    if ":" in text and len(parts) == 3:
        parts[2] = "SWAP"
    return "-".join(parts)


def is_symbol(text: str) -> bool:
    try:
        normal_symbol(text)
    except BadInput:
        return False
    return True


def normal_exchange(text: str, field: str = "--exchange") -> str:
    name = text.strip().lower()
    if not re.fullmatch(r"[a-z][a-z0-9_.]{0,31}", name):
        raise BadInput(field, text, "not an exchange name", "Write one lower-case word: okx, binance, bitfinex.")
    return _SPELLED.get(name, name)


def _pair_of(word: str) -> str:
    """`btcusdt` split where a quote currency begins; XBTUSD is XBT and USD, not XB and TUSD."""
    if re.fullmatch(r"t[A-Z0-9]{5,}", word):  # Bitfinex writes tBTCUSD
        word = word[1:]
    upper = word.upper()
    splits = [(upper.removesuffix(quote), quote) for quote in QUOTES if upper.endswith(quote)]
    splits = [(base, quote) for base, quote in splits if re.fullmatch(r"[A-Z0-9]{2,10}", base)]
    if not splits:
        return ""
    base, quote = max(splits, key=lambda split: (split[0] in _MAJOR, len(split[0]) >= 3, len(split[1])))
    return f"{_COINS.get(base, base)}-{quote}"


def exchange_in(names: Iterable[str]) -> str:
    """The exchange the first telling name tells of, or an empty string."""
    for name in names:
        for word in _WORDS.split(name.lower()):
            if word in EXCHANGES or word in _SPELLED:
                return _SPELLED.get(word, word)
    return ""


def symbol_in(names: Iterable[str]) -> str:
    """The symbol the first telling name tells of; empty when it tells of none, or of several."""
    for name in names:
        found = _symbols(name)
        if found:
            return found.pop() if len(found) == 1 else ""
    return ""


def _symbols(name: str) -> set[str]:
    words = [word for word in _WORDS.split(name) if word and word.lower() not in EXCHANGES]
    suffix = "-SWAP" if _PERPETUAL & {word.lower() for word in words} else ""
    known = [i for i in range(1, len(words)) if words[i] in QUOTES and words[i - 1].isupper()]
    if known:  # BTC_USDT, and freqtrade's BTC_USDT_USDT for a perpetual settled in USDT
        i = known[0]
        settled = i + 1 < len(words) and words[i + 1] in QUOTES
        base = _COINS.get(words[i - 1], words[i - 1])
        return {f"{base}-{words[i]}" + ("-SWAP" if settled else suffix)}
    return {pair + suffix for word in words if (pair := _pair_of(word))}


_TIMEFRAME: Final = re.compile(r"(?<![A-Za-z0-9])(\d{1,3})[ -]?(m|min|h|hr|hour|d|day|w|M)(?![A-Za-z0-9])")
_UNIT: Final = {"min": "m", "hr": "h", "hour": "h", "day": "d"}


def timeframe_in(names: Iterable[str]) -> Timeframe | None:
    """`1m`, `1hr`, `1-min` in a name."""
    for name in names:
        if found := _TIMEFRAME.search(name.replace("_", " ")):
            return Timeframe(int(found[1]), _UNIT.get(found[2], found[2]))
    return None


def day_in(names: Iterable[str]) -> str:
    """A date of eight digits in a name, as `20180404`, or an empty string."""
    for name in names:
        if found := re.search(r"(?<!\d)(20[0-3]\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)", name):
            return "".join(found.groups())
    return ""
