"""Market routes: closed candles only, pages that join without overlap, errors that name the field."""

from __future__ import annotations

import httpx

from onetape.api.hub import LIVE, Hub
from onetape.domain.market import Book, Print, Prints

START = "2024-01-01T00:00:00Z"


async def test_candles_without_start_are_the_last_ones_oldest_first(client: httpx.AsyncClient) -> None:
    items = (await client.get("candles?symbol=BTC-USD&limit=2")).json()["items"]
    assert [each["timestamp"] for each in items] == ["2024-01-01T23:58:00Z", "2024-01-01T23:59:00Z"]


async def test_candles_from_a_start_come_in_pages_that_join(client: httpx.AsyncClient) -> None:
    seen, start = [], START
    while start:
        page = (await client.get("candles", params={"symbol": "BTC-USD", "start": start, "limit": 500})).json()
        seen += [each["timestamp"] for each in page["items"]]
        start = page["next"]
    assert len(seen) == 1440
    assert seen == sorted(set(seen))


async def test_a_longer_timeframe_is_built_from_shorter_candles(client: httpx.AsyncClient) -> None:
    hours = (await client.get(f"candles?symbol=BTC-USD&timeframe=1h&start={START}&limit=2")).json()["items"]
    minutes = (await client.get(f"candles?symbol=BTC-USD&start={START}&limit=60")).json()["items"]
    assert hours[0]["open"] == minutes[0]["open"]
    assert hours[0]["close"] == minutes[59]["close"]
    assert hours[0]["high"] == max(each["high"] for each in minutes)
    assert hours[0]["volume"] == 60


async def test_a_candle_that_is_not_over_is_not_shown(client: httpx.AsyncClient) -> None:
    # the day has 1440 minutes = 205 candles of 7 minutes and 5 minutes more
    items = (await client.get("candles?symbol=BTC-USD&timeframe=7m&limit=5000")).json()["items"]
    assert items[-1]["timestamp"] <= "2024-01-01T23:52:00Z"


async def test_the_exchange_may_be_left_out_where_only_one_has_the_symbol(client: httpx.AsyncClient) -> None:
    named = await client.get("candles?exchange=okx&symbol=BTC-USD&limit=3")
    assert (await client.get("candles?symbol=BTC-USD&limit=3")).json() == named.json()


async def test_wrong_input_is_a_problem_that_names_the_field(client: httpx.AsyncClient) -> None:
    for query, status, field in (
        ("symbol=BTC-USD&timeframe=7x", 422, "timeframe"),
        ("symbol=BTC-USD&start=soon", 422, "start"),
        ("symbol=BTC-USD&limit=0", 422, "limit"),
        (f"symbol=BTC-USD&start={START}&end={START}", 422, "end"),
        ("symbol=NO-SUCH", 404, "symbol"),
        ("", 422, "symbol"),
    ):
        answer = await client.get(f"candles?{query}")
        assert (answer.status_code, answer.json()["field"]) == (status, field), query
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


async def test_an_unknown_path_is_a_problem_and_not_a_page(client: httpx.AsyncClient) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await client.request(method, "nothing/here")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


async def test_trades_and_book_are_what_was_heard_last(client: httpx.AsyncClient, hub: Hub) -> None:
    assert (await client.get("book?symbol=BTC-USD")).status_code == 404
    for i in range(3):
        trade = Print("okx", "BTC-USD", str(i), 1_700_000_000_000_000 + i, 100.0 + i, 0.5, -1)
        hub.on_prints(Prints("okx", "BTC-USD", (trade,)))
    hub.on_book(Book("okx", "BTC-USD", 1_700_000_000_000_000, [(99.0, 1.0), (98.0, 2.0)], [(101.0, 3.0)]))
    trades = (await client.get("trades?symbol=BTC-USD&limit=2")).json()["items"]
    assert [(each["id"], each["side"], each["price"]) for each in trades] == [
        ("2", "sell", 102.0),
        ("1", "sell", 101.0),
    ]
    book = (await client.get("book?symbol=BTC-USD&depth=1")).json()
    assert (book["bids"], book["asks"]) == ([[99.0, 1.0]], [[101.0, 3.0]])


async def test_symbols_say_what_is_stored_and_what_is_received(client: httpx.AsyncClient, hub: Hub) -> None:
    hub.on_prints(Prints("okx", "ETH-USD", (Print("okx", "ETH-USD", "1", 1, 5.0, 1.0, 1),)))
    items = (await client.get("symbols")).json()["items"]
    assert [(each["id"], each["live"], each["timeframes"]) for each in items] == [
        ("okx:ETH-USD", True, []),
        ("okx:BTC-USD", False, ["1m"]),
    ]


async def test_a_replay_is_not_taken_for_the_market(client: httpx.AsyncClient, hub: Hub) -> None:
    for exchange, price in (("okx", 5.0), ("replay-okx", 4.0)):
        hub.on_prints(Prints(exchange, "ETH-USD", (Print(exchange, "ETH-USD", "1", 1, price, 1.0, 1),)))
    assert (await client.get("trades?symbol=ETH-USD")).json()["items"][0]["price"] == 5.0
    assert (await client.get("trades?symbol=ETH-USD&exchange=replay-okx")).json()["items"][0]["price"] == 4.0


async def test_what_was_not_heard_of_for_long_is_not_received_any_more(client: httpx.AsyncClient, hub: Hub) -> None:
    """Its collector is dead, or nobody wants the symbol any more: an old book would look like the market."""
    hub.on_book(Book("okx", "BTC-USD", 1_700_000_000_000_000, [(99.0, 1.0)], [(101.0, 3.0)]))
    hub.symbols["okx:BTC-USD"].heard_ts -= LIVE + 1
    answer = await client.get("book?symbol=BTC-USD")
    assert (answer.status_code, answer.json()["field"]) == (404, "symbol")
    assert [each["live"] for each in (await client.get("symbols")).json()["items"]] == [False]
    assert "book" not in hub.open("okx:BTC-USD", bots=False).take()


async def test_coverage_lists_every_series(client: httpx.AsyncClient) -> None:
    [row] = (await client.get("coverage")).json()["items"]
    assert row == {
        "exchange": "okx",
        "symbol": "BTC-USD",
        "timeframe": "1m",
        "first": START,
        "last": "2024-01-01T23:59:00Z",
        "candles": 1440,
        "gaps": 0,
    }
