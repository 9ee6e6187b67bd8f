"""The venue's JSON: every shape it sends, made from the tape's whole numbers. Numbers travel as decimal strings."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from onetape.domain.units import Micros
from onetape.venue.book import Book, Side
from onetape.venue.listing import LOT_DECIMALS, SPOT, Listing, decimal
from onetape.venue.traded import DayStats, Funding, Market, Notice, Row, Trade

Json = dict[str, Any]

_MONEY_DECIMALS: Final = 8
_HUGE: Final = "9999999999"
_NOT_FOR_SPOT: Final = (
    *("alias", "auctionEndTime", "contTdSwTime", "ctMult", "ctType", "ctVal", "ctValCcy", "expTime", "instFamily"),
    *("lever", "openType", "optType", "preMktSwTime", "settleCcy", "stk", "uly"),
)
_HUGE_ALGO: Final = "9999999999.0000000000000000"


def encode(value: object) -> str:
    return msgspec.json.encode(value).decode()


def millis(ts: Micros) -> str:
    return str(ts // 1_000)


def size(listing: Listing, lots: int) -> str:
    """Base units of a pair, contracts of a swap."""
    return decimal(lots, listing.size_decimals)


def base(lots: int) -> str:
    return decimal(lots, LOT_DECIMALS)


def money(value: float) -> str:
    return decimal(round(value * 10**_MONEY_DECIMALS), _MONEY_DECIMALS)


def instrument(listing: Listing, state: str = "live") -> Json:
    """An instrument as GET /public/instruments and the instruments channel show it."""
    own = _pair(listing) if listing.kind == SPOT else _contract(listing)
    return dict.fromkeys(_NOT_FOR_SPOT, "") | _common(listing, state) | own


def _common(listing: Listing, state: str) -> Json:
    return {
        "category": "1",
        "futureSettlement": False,
        "groupId": "1",
        "instCategory": "1",
        "instId": listing.symbol,
        "instIdCode": listing.code,
        "instType": listing.kind,
        "listTime": str(listing.listed_ms),
        "lotSz": listing.lot_size,
        "maxIcebergSz": _HUGE_ALGO,
        "maxLmtAmt": "20000000",
        "maxLmtSz": _HUGE,
        "maxMktAmt": "1000000",
        "maxMktSz": "1000000",
        "maxStopSz": "1000000",
        "maxTriggerSz": _HUGE_ALGO,
        "maxTwapSz": _HUGE_ALGO,
        "minSz": listing.min_size,
        "ruleType": "normal",
        "state": state,
        "tickSz": listing.tick_size,
        "upcChg": [],
    }


def _pair(listing: Listing) -> Json:
    return {"baseCcy": listing.base, "quoteCcy": listing.quote, "tradeQuoteCcyList": [listing.quote]}


def _contract(listing: Listing) -> Json:
    """ "ctVal":"0.01","ctMult":"1","ctValCcy":"BTC","ctType":"linear","settleCcy":"USDT","uly":"BTC-USDT" """
    return {
        "baseCcy": "",
        "quoteCcy": "",
        "ctMult": "1",
        "ctType": "inverse" if listing.inverse else "linear",
        "ctVal": "10" if listing.inverse else decimal(1, listing.contract_digits),
        "ctValCcy": listing.quote if listing.inverse else listing.base,
        "expTime": millis(listing.expires_ts) if listing.expires_ts else "",
        "instFamily": listing.pair,
        "lever": "100",
        "settleCcy": listing.base if listing.inverse else listing.quote,
        "tradeQuoteCcyList": [],
        "uly": listing.pair,
    }


def candle(listing: Listing, row: Row) -> list[str]:
    """["1597026360000","8533.02","8553.74","8527.17","8548.26","45247","529.5858061","529.5858061","0"]

    The seventh is quote currency for a pair, base units for a swap.
    """
    prices = [decimal(price, listing.decimals) for price in row[1:5]]
    turnover = money(row.turnover)
    currency = turnover if listing.kind == SPOT else base(row.lots)
    return [millis(row.open_ts), *prices, size(listing, row.lots), currency, turnover, "1" if row.closed else "0"]


def price_candle(listing: Listing, row: Row) -> list[str]:
    """["1597026360000","8533.02","8553.74","8527.17","8548.26","1"]: of an index or a mark price."""
    prices = [decimal(price, listing.decimals) for price in row[1:5]]
    return [millis(row.open_ts), *prices, "1" if row.closed else "0"]


def trade(listing: Listing, print_: Trade) -> Json:
    """{"instId":"BTC-USDT","tradeId":"1306","px":"42219.9","sz":"0.12","side":"buy","ts":"1630048897897","source":"0"}"""
    return {
        "instId": listing.symbol,
        "tradeId": str(print_.id),
        "px": decimal(print_.price, listing.decimals),
        "sz": size(listing, print_.lots),
        "side": "buy" if print_.buy else "sell",
        "ts": str(print_.ts_ms),
        "source": "0",
    }


def levels(listing: Listing, side: Side, depth: int | None = None) -> list[list[str]]:
    """[["8476.98","415","0","13"], ...]: price, size, always "0", number of orders."""
    step, decimals = listing.step, listing.decimals
    rows = zip(*(column[:depth].tolist() for column in side), strict=True)
    return [[decimal(place * step, decimals), size(listing, lots), "0", str(orders)] for place, lots, orders in rows]


def book(listing: Listing, shown: Book, depth: int) -> Json:
    """{"asks":[...],"bids":[...],"ts":"1597026383085","seqId":123456}"""
    return {
        "asks": levels(listing, shown.asks, depth),
        "bids": levels(listing, shown.bids, depth),
        "ts": millis(shown.ts),
        "seqId": shown.seq,
    }


def ticker(tape: Market, best: Book, now: Micros) -> Json:
    """{"instType":"SPOT","instId":"BTC-USDT","last":"9999.99","lastSz":"0.1","askPx":"9999.99", ...}"""
    listing, stats = tape.listing, tape.day(now)
    price, lots = tape.last(now)
    ask, bid = levels(listing, best.asks, 1), levels(listing, best.bids, 1)
    return {
        "instType": listing.kind,
        "instId": listing.symbol,
        "last": decimal(price, listing.decimals),
        "lastSz": size(listing, lots),
        "askPx": ask[0][0] if ask else "",
        "askSz": ask[0][1] if ask else "",
        "bidPx": bid[0][0] if bid else "",
        "bidSz": bid[0][1] if bid else "",
        **_day(listing, stats),
        "ts": millis(now),
    }


def _day(listing: Listing, stats: DayStats) -> Json:
    return {
        "open24h": decimal(stats.open, listing.decimals),
        "high24h": decimal(stats.high, listing.decimals),
        "low24h": decimal(stats.low, listing.decimals),
        "volCcy24h": money(stats.turnover) if listing.kind == SPOT else base(stats.lots),
        "vol24h": size(listing, stats.lots),
        "sodUtc0": decimal(stats.utc0, listing.decimals),
        "sodUtc8": decimal(stats.utc8, listing.decimals),
    }


def mark_price(tape: Market, now: Micros) -> Json:
    price = decimal(tape.last(now)[0], tape.listing.decimals)
    kind = "MARGIN" if tape.listing.kind == SPOT else tape.listing.kind
    return {"instId": tape.listing.symbol, "instType": kind, "markPx": price, "ts": millis(now)}


def index_ticker(tape: Market, now: Micros) -> Json:
    """{"instId":"BTC-USDT","idxPx":"0.1","high24h":"0.5","sodUtc0":"0.1","open24h":"0.1","low24h":"0.1","sodUtc8":"0.1",
    "ts":"1597026383085"}: the last print's price."""
    listing = tape.listing
    day = _day(listing, tape.day(now))
    for name in ("volCcy24h", "vol24h"):
        del day[name]
    price = decimal(tape.last(now)[0], listing.decimals)
    return {"instId": listing.pair, "idxPx": price, **day, "ts": millis(now)}


def funding_rate(listing: Listing, due: Funding, now: Micros) -> Json:
    """{"fundingRate":"0.0001875","fundingTime":"1700726400000","instId":"BTC-USD-SWAP","instType":"SWAP", ...}"""
    return {
        "formulaType": "withRate",
        "fundingRate": _rate(due.rate_e8),
        "fundingTime": millis(due.ts),
        "impactValue": "20000",
        "instId": listing.symbol,
        "instType": listing.kind,
        "interestRate": "0.0001",
        "maxFundingRate": "0.0005",
        "method": "current_period",
        "minFundingRate": "-0.0005",
        "nextFundingRate": "",
        "nextFundingTime": millis(due.next_ts),
        "premium": "0",
        "settFundingRate": _rate(due.rate_e8),
        "settState": "settled",
        "ts": millis(now),
    }


def funding_paid(listing: Listing, paid: Funding) -> Json:
    """A row of GET /public/funding-rate-history."""
    rate = _rate(paid.rate_e8)
    times = {"fundingTime": millis(paid.ts), "formulaType": "withRate", "method": "current_period"}
    names = {"instId": listing.symbol, "instType": listing.kind}
    return {**names, "fundingRate": rate, "realizedRate": rate, **times}


def _rate(rate_e8: int) -> str:
    return ("-" if rate_e8 < 0 else "") + decimal(abs(rate_e8), 8)


def notice(said: Notice) -> Json:
    """{"begin":"1672823400000","end":"1672825980000","href":"","preOpenBegin":"","scheDesc":"","serviceType":"0",
    "state":"completed","system":"unified","maintType":"1","env":"1","title":"...","ts":"1672826038470"}"""
    empty = dict.fromkeys(("href", "preOpenBegin", "scheDesc"), "")
    times = {"begin": millis(said.start_ts), "end": millis(said.end_ts), "ts": millis(said.ts)}
    kinds = {"serviceType": said.service, "system": "unified", "maintType": "1", "env": "1"}
    return {"title": said.title, "state": said.state, **times, **empty, **kinds}
