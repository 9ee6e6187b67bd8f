"""The venue's JSON: every shape it sends, made from the tape's whole numbers. Numbers travel as decimal strings."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from onetape.domain.units import Micros
from onetape.venue.book import Book, Side
from onetape.venue.listing import LOT_DECIMALS, Listing, decimal
from onetape.venue.tape import DayStats, Row, Tape, Trade

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


def size(lots: int) -> str:
    return decimal(lots, LOT_DECIMALS)


def money(value: float) -> str:
    return decimal(round(value * 10**_MONEY_DECIMALS), _MONEY_DECIMALS)


def instrument(listing: Listing) -> Json:
    """A spot pair as GET /public/instruments and the instruments channel show it."""
    return dict.fromkeys(_NOT_FOR_SPOT, "") | {
        "baseCcy": listing.base,
        "category": "1",
        "futureSettlement": False,
        "groupId": "1",
        "instCategory": "1",
        "instId": listing.symbol,
        "instIdCode": listing.code,
        "instType": "SPOT",
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
        "quoteCcy": listing.quote,
        "ruleType": "normal",
        "state": "live",
        "tickSz": listing.tick_size,
        "tradeQuoteCcyList": [listing.quote],
        "upcChg": [],
    }


def candle(listing: Listing, row: Row) -> list[str]:
    """["1597026360000","8533.02","8553.74","8527.17","8548.26","45247","529.5858061","529.5858061","0"]"""
    prices = [decimal(price, listing.decimals) for price in row[1:5]]
    turnover = money(row.turnover)
    return [millis(row.open_ts), *prices, size(row.lots), turnover, turnover, "1" if row.closed else "0"]


def trade(listing: Listing, print_: Trade) -> Json:
    """{"instId":"BTC-USDT","tradeId":"1306","px":"42219.9","sz":"0.12","side":"buy","ts":"1630048897897","source":"0"}"""
    return {
        "instId": listing.symbol,
        "tradeId": str(print_.id),
        "px": decimal(print_.price, listing.decimals),
        "sz": size(print_.lots),
        "side": "buy" if print_.buy else "sell",
        "ts": str(print_.ts_ms),
        "source": "0",
    }


def levels(listing: Listing, side: Side, depth: int | None = None) -> list[list[str]]:
    """[["8476.98","415","0","13"], ...]: price, size, always "0", number of orders."""
    step, decimals = listing.step, listing.decimals
    rows = zip(*(column[:depth].tolist() for column in side), strict=True)
    return [[decimal(place * step, decimals), size(lots), "0", str(orders)] for place, lots, orders in rows]


def book(listing: Listing, shown: Book, depth: int) -> Json:
    """{"asks":[...],"bids":[...],"ts":"1597026383085","seqId":123456}"""
    return {
        "asks": levels(listing, shown.asks, depth),
        "bids": levels(listing, shown.bids, depth),
        "ts": millis(shown.ts),
        "seqId": shown.seq,
    }


def ticker(tape: Tape, best: Book, now: Micros) -> Json:
    """{"instType":"SPOT","instId":"BTC-USDT","last":"9999.99","lastSz":"0.1","askPx":"9999.99", ...}"""
    listing, stats = tape.listing, tape.day(now)
    price, lots = tape.last(now)
    ask, bid = levels(listing, best.asks, 1), levels(listing, best.bids, 1)
    return {
        "instType": "SPOT",
        "instId": listing.symbol,
        "last": decimal(price, listing.decimals),
        "lastSz": size(lots),
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
        "volCcy24h": money(stats.turnover),
        "vol24h": size(stats.lots),
        "sodUtc0": decimal(stats.utc0, listing.decimals),
        "sodUtc8": decimal(stats.utc8, listing.decimals),
    }


def mark_price(tape: Tape, now: Micros) -> Json:
    price = decimal(tape.last(now)[0], tape.listing.decimals)
    return {"instId": tape.listing.symbol, "instType": "MARGIN", "markPx": price, "ts": millis(now)}
