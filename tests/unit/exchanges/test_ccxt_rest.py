"""What is asked of a venue through the library: instruments, history, past trades. The library is a fake with its
manners: rows in its order, its limits, its errors."""

from __future__ import annotations

import socket
from typing import Any

import ccxt
import pytest

from onetape.domain.errors import BadInput, Refused, Transient
from onetape.domain.frame import concat
from onetape.domain.instrument import Kind
from onetape.domain.market import Print
from onetape.domain.units import DAY, HOUR, MINUTE, Timeframe
from onetape.exchanges.ccxt.library import in_words
from onetape.exchanges.ccxt.past import Past
from onetape.exchanges.ccxt.rest import Rest

M1, W1 = Timeframe.parse("1m"), Timeframe.parse("1w")
START = 1_600_000_020_000_000  # on a minute
FOREVER = 10_000_000_000_000_000


def market(symbol: str, **more: Any) -> dict[str, Any]:
    pair, _, settle = symbol.partition(":")
    base, quote = pair.split("/")
    made = {
        "symbol": symbol,
        "base": base,
        "quote": quote,
        "settle": settle.partition("-")[0] or None,
        "spot": not settle,
        "swap": bool(settle) and "-" not in settle,
        "future": "-" in settle,
        "linear": settle.partition("-")[0] == quote or None,
        "contractSize": None,
        "active": True,
        "precision": {"price": 0.1, "amount": 0.001},
        "limits": {"amount": {"min": 0.002}, "cost": {"min": 5.0}},
    }
    return {**made, **more}


class Library:
    """`rows` are all candles that the venue keeps, `trades` all trades; `errors` are raised first, one a call."""

    def __init__(self, rows: list[list[float]] = [], *, now: int = FOREVER, page: int = 4) -> None:  # noqa: B006
        self.rows, self.now, self.page = rows, now, page
        self.trades: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.asked: list[int] = []
        self.has = {"fetchTime": True}
        self.timeframes = {"1m": "1", "1h": "60", "1w": "week"}
        self.precisionMode = 4
        self.last_http_response = '{"as":"it came"}'
        self.markets = {
            one["symbol"]: one
            for one in (
                market("BTC/USDT"),
                market("BTC/USDT:USDT", contractSize=0.01),
                market("BTC/USDT:USDT-250808", contractSize=0.01),
                market("BTC/USD:BTC", linear=False, contractSize=100.0),
                market("OLD/USDT", active=False),
            )
        }

    async def load_markets(self) -> dict[str, Any]:
        return self.markets

    async def fetch_time(self) -> int:
        return self.now // 1_000

    def feature_value(self, *_: Any) -> int:
        return self.page

    async def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> list[list[float]]:
        if self.errors:
            raise self.errors.pop(0)
        self.asked.append(since)
        end = since + limit * Timeframe.parse(timeframe).micros // 1_000
        return [row for row in self.rows if since <= row[0] < end][:limit]

    async def fetch_trades(self, symbol: str, since: int, limit: int) -> list[dict[str, Any]]:
        self.asked.append(since)
        return [trade for trade in self.trades if since <= trade["timestamp"]][: self.page]


class Forgetful(Library):
    """Keeps the newest rows only and answers with them whatever was asked for, as Kraken does."""

    async def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> list[list[float]]:
        self.asked.append(since)
        return self.rows


def rows(n: int, start: int = START, step: int = MINUTE) -> list[list[float]]:
    return [[(start + i * step) // 1_000, 10.0 + i, 11.0 + i, 9.0 + i, 10.5 + i, 1.5] for i in range(n)]


async def history(library: Library, start: int, end: int, timeframe: Timeframe = M1, exchange: str = "kraken") -> Any:
    rest = Rest(exchange, library)
    return [page async for page in rest.history("BTC-USDT", timeframe, start, end)]


async def test_history_comes_in_pages_oldest_first_and_ends_where_it_was_asked_to() -> None:
    library = Library(rows(20))
    pages = await history(library, START + 2 * MINUTE, START + 13 * MINUTE)
    assert [len(page) for page in pages] == [4, 4, 3]
    whole = concat(pages)
    assert whole.ts.tolist() == [START + i * MINUTE for i in range(2, 13)]
    assert whole.close.tolist() == [10.5 + i for i in range(2, 13)]
    assert (whole.exchange, whole.symbol) == ("kraken", "BTC-USDT")


async def test_history_leaves_out_what_has_not_closed_by_the_venues_clock() -> None:
    library = Library(rows(5), now=START + 3 * MINUTE + 1_000)  # the fourth is running
    pages = await history(library, START, START + 10 * MINUTE)
    assert concat(pages).ts.tolist() == [START + i * MINUTE for i in range(3)]


async def test_hole_wider_than_a_page_is_stepped_over() -> None:
    library = Library([*rows(2), *rows(2, START + 30 * MINUTE)])
    pages = await history(library, START, START + 32 * MINUTE)
    assert concat(pages).ts.tolist() == [START + i * MINUTE for i in (0, 1, 30, 31)]


async def test_venue_that_keeps_less_answers_with_its_oldest() -> None:
    library = Forgetful(rows(6, START + 100 * MINUTE))
    pages = await history(library, START, START + 200 * MINUTE)
    assert concat(pages).ts.tolist() == [START + (100 + i) * MINUTE for i in range(6)]
    assert len(library.asked) < 40


async def test_weeks_from_thursday_are_refused() -> None:
    thursday = 1_600_300_800_000_000 - 1_600_300_800_000_000 % (7 * DAY)  # whole weeks since 1970, a Thursday
    library = Library(rows(3, thursday, 7 * DAY))
    with pytest.raises(Refused, match=r"kraken's 1w candles of BTC-USDT open at .*: days begin at 00:00 UTC, weeks on"):
        await history(library, thursday - 7 * DAY, thursday + 20 * DAY, W1)


async def test_length_that_the_venue_has_not_is_refused_with_those_it_has() -> None:
    with pytest.raises(BadInput, match=r"timeframe is '7m': not offered by kraken. It offers 1m, 1h, 1w"):
        await history(Library(), START, START + HOUR, Timeframe.parse("7m"))


async def test_busy_venue_is_asked_again_and_a_refusal_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onetape.exchanges.ccxt.rest._PAUSE", 0.001)
    library = Library(rows(2))
    library.errors = [ccxt.RateLimitExceeded("kraken too many"), ccxt.RequestTimeout("kraken slow")]
    assert sum(map(len, await history(library, START, START + 2 * MINUTE))) == 2
    library.errors = [ccxt.BadSymbol("kraken does not have market symbol X")]
    with pytest.raises(Refused, match=r"kraken refuses: does not have market symbol X."):
        await history(library, START, START + 2 * MINUTE)


async def test_venue_that_stays_away_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onetape.exchanges.ccxt.rest._TRIES", 1)
    library = Library()
    library.errors = [ccxt.ExchangeNotAvailable("kraken 503 Service Unavailable")]
    with pytest.raises(Transient, match=r"kraken cannot be asked now: 503 Service Unavailable."):
        await history(library, START, START + 2 * MINUTE)


def test_host_that_cannot_be_found_is_named_with_the_reason() -> None:
    error = ccxt.ExchangeNotAvailable("kraken GET https://api.kraken.com/0/public/Time")
    error.__cause__ = socket.gaierror("nodename nor servname provided")
    said = in_words("kraken", error)
    assert isinstance(said, Transient)
    assert str(said).startswith("api.kraken.com cannot be reached: its name cannot be resolved")


async def test_instruments_have_our_names_and_base_units() -> None:
    found = {one.symbol: one for one in await Rest("bybit", Library()).instruments()}
    assert set(found) == {"BTC-USDT", "BTC-USDT-SWAP", "BTC-USDT-250808"}
    spot, swap = found["BTC-USDT"], found["BTC-USDT-SWAP"]
    assert (spot.kind, spot.tick, spot.lot, spot.min_qty, spot.min_notional) == (Kind.SPOT, 0.1, 0.001, 0.002, 5.0)
    assert (swap.kind, swap.contract_size, swap.lot, swap.min_qty) == (Kind.SWAP, 0.01, 0.00001, 0.00002)
    assert found["BTC-USDT-250808"].kind is Kind.FUTURE


async def test_inverse_contract_is_refused_by_name() -> None:
    rest = Rest("bybit", Library())
    with pytest.raises(Refused, match=r"BTC/USD:BTC is an inverse contract \(settled in BTC\)"):
        await rest.instrument("BTC-USD-SWAP")
    with pytest.raises(Refused, match=r"bybit has no instrument NO-SUCH"):
        await rest.instrument("NO-SUCH")


async def test_candles_in_unknown_units_are_refused() -> None:
    rest = Rest("gate", Library())
    with pytest.raises(Refused, match=r"contracts of 0.01, and it is not known whether its candles count contracts"):
        [page async for page in rest.history("BTC-USDT-SWAP", M1, START, START + HOUR)]


def trade(i: int, ms: int) -> dict[str, Any]:
    return {"id": str(i), "timestamp": ms, "price": 100.0 + i, "amount": 1.0, "side": "buy", "symbol": "BTC/USDT"}


async def test_past_trades_come_once_with_the_answer_as_it_came() -> None:
    library = Library()
    ms = START // 1_000
    # pages of four: three trades share the millisecond at which a page ends
    library.trades = [trade(i, ms + at) for i, at in enumerate((0, 5, 9, 9, 9, 12, 40, 7_300_000, 7_300_001))]
    past = Past("binance", Rest("binance", library))
    pages = [page async for page in past.trades("BTC-USDT", START, START + 7_300_001_000)]
    prints = [e for page in pages for e in page.events if isinstance(e, Print)]
    assert [p.id for p in prints] == [str(i) for i in range(8)]  # the last lies at the end, which is not included
    assert {page.raw.data for page in pages if page.raw} == {b'{"as":"it came"}'}
    assert {page.raw.channel for page in pages if page.raw} == {"trades_rest"}


async def test_past_trades_of_a_venue_that_gives_only_the_newest_are_refused() -> None:
    past = Past("bybit", Rest("bybit", Library()))
    with pytest.raises(Refused, match=r"only through an adapter of its own"):
        [page async for page in past.trades("BTC-USDT", START, START + HOUR)]
