from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onetape.domain.errors import Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.units import MINUTE
from onetape.venue.server import Venue

Open = Callable[..., Any]
SYMBOL = "BTC-USDT"


async def walk(client: Any, bar: str, limit: int) -> list[list[str]]:
    """All closed bars, as the reference tells clients to page: backwards with `after` alone."""
    rows: list[list[str]] = []
    after = "99999999999999"
    while True:
        page = await client.data("market/history-candles", instId=SYMBOL, bar=bar, after=after, limit=str(limit))
        assert [int(r[0]) for r in page] == sorted((int(r[0]) for r in page), reverse=True)
        if not page:
            return rows
        rows += page
        after = page[-1][0]


@pytest.mark.parametrize(("bar", "minutes"), [("1m", 1), ("15m", 15), ("1H", 60)])
async def test_paging_backwards_gets_every_closed_bar_once(
    opened: Open, frame_of: Callable[..., CandleFrame], bar: str, minutes: int
) -> None:
    frame = frame_of(2_000)
    async with opened(frame, speed=0.001) as client:
        rows = await walk(client, bar, 300)
        begin, now = int(frame.ts[0]), client.venue.now()
        count = (now - begin) // (minutes * MINUTE)
        assert [int(r[0]) * 1_000 for r in rows] == [begin + i * minutes * MINUTE for i in range(count)][::-1]
        assert {r[8] for r in rows} == {"1"}
        assert {len(r) for r in rows} == {9}
    if bar == "1m":
        shown = {int(r[0]) * 1_000: tuple(map(float, r[1:6])) for r in rows}
        for i in range(len(frame.between(None, now - MINUTE + 1))):
            c = frame.candle(i)
            assert shown[c.open_ts] == (c.open, c.high, c.low, c.close, c.volume)


async def test_after_and_before_exclude_their_bounds_and_before_alone_gives_the_newest(opened: Open) -> None:
    async with opened(speed=0.001) as client:
        now_ms = client.venue.now() // 1_000
        newest = now_ms // 60_000 * 60_000 - 60_000  # the open of the newest closed minute

        async def opens(path: str, **query: str) -> list[int]:
            rows = await client.data(path, instId=SYMBOL, **query)
            return [(newest - int(r[0])) // 60_000 for r in rows]

        ago = lambda n: str(newest - n * 60_000)  # noqa: E731
        assert await opens("market/history-candles", after=ago(5), limit="2") == [6, 7]
        assert await opens("market/history-candles", before=ago(5)) == [0, 1, 2, 3, 4]
        assert await opens("market/history-candles", before=ago(500), limit="3") == [0, 1, 2]
        assert await opens("market/history-candles", before=ago(9), after=ago(5)) == [6, 7, 8]
        assert await opens("market/candles", before=ago(2)) == [-1, 0, 1]
        assert await opens("market/candles", after=ago(-1)) == list(range(100))
        assert len(await opens("market/candles", limit="1000")) == 300
        assert await opens("market/history-candles", before=ago(0)) == []


async def test_candles_reach_back_1440_bars_and_history_further(opened: Open, frame_of: Any) -> None:
    frame = frame_of(6_000)
    async with opened(frame, speed=0.001, start_ts=int(frame.ts[0]) + 3_000 * MINUTE) as client:
        last_minute = (int(frame.ts[0]) + 3_000 * MINUTE) // 1_000
        old = str(last_minute - 1_435 * 60_000)
        rows = await client.data("market/candles", instId=SYMBOL, after=old)
        assert [(last_minute - int(r[0])) // 60_000 for r in rows] == [1_436, 1_437, 1_438, 1_439]
        assert len(await client.data("market/history-candles", instId=SYMBOL, after=old)) == 100


async def test_the_running_bar_is_first_and_unconfirmed(opened: Open) -> None:
    async with opened(speed=0.001) as client:
        rows = await client.data("market/candles", instId=SYMBOL, bar="1D", limit="2")
        assert [r[8] for r in rows] == ["0", "1"]


async def test_trades_page_by_id_and_by_time_without_losing_one(opened: Open) -> None:
    async with opened(speed=0.001) as client:
        newest = await client.data("market/trades", instId=SYMBOL, limit="500")
        ids = [int(t["tradeId"]) for t in newest]
        assert len(ids) == 500
        assert ids == sorted(set(ids), reverse=True)
        paged: list[dict[str, str]] = []
        after = str(ids[0] + 1)
        while len(paged) < 500:
            page = await client.data("market/history-trades", instId=SYMBOL, after=after)
            assert len(page) == 100
            paged += page
            after = page[-1]["tradeId"]
        assert paged == newest
        by_time = await client.data("market/history-trades", instId=SYMBOL, type="2", after=newest[7]["ts"])
        assert by_time[:20] == newest[8:28]
        between = await client.data("market/history-trades", instId=SYMBOL, before=str(ids[4]), after=str(ids[1]))
        assert between == newest[2:4]


async def test_the_order_book_has_the_depth_asked_for(opened: Open) -> None:
    async with opened(speed=0.001) as client:
        (one,) = await client.data("market/books", instId=SYMBOL)
        (many,) = await client.data("market/books", instId=SYMBOL, sz="400")
        assert (len(one["asks"]), len(many["asks"]), len(many["bids"])) == (1, 400, 400)
        assert isinstance(many["seqId"], int)
        (ticker,) = await client.data("market/ticker", instId=SYMBOL)
        assert float(ticker["bidPx"]) < float(ticker["last"]) <= float(ticker["askPx"])
        assert (ticker["askPx"], ticker["bidPx"]) == (many["asks"][0][0], many["bids"][0][0])
        (swap,) = await client.data("market/tickers", instType="SWAP")
        assert swap["instId"] == SYMBOL + "-SWAP"
        assert await client.data("market/tickers", instType="FUTURES") == []


async def test_instruments_say_the_steps_of_the_data_or_those_given(opened: Open, frame_of: Any) -> None:
    known = Instrument(exchange="okx", symbol="ETH-USDT", tick=0.01, lot=0.000001, min_qty=0.0001)
    async with opened(frame_of(100), frame_of(100, symbol="ETH-USDT"), instruments=[known]) as client:
        first, second = await client.data("public/instruments", instType="SPOT")
        steps = [(i["instId"], i["tickSz"], i["lotSz"], i["minSz"]) for i in (first, second)]
        assert steps[0] == ("BTC-USDT", "0.1", "0.00000001", "0.00001")
        assert steps[1] == ("ETH-USDT", "0.01", "0.000001", "0.0001")
        assert isinstance(first["instIdCode"], int)
        assert first["instIdCode"] != second["instIdCode"]
        assert await client.data("public/instruments", instType="SPOT", instId="ETH-USDT") == [second]
        assert await client.data("public/instruments", instType="FUTURES") == []
        assert len(await client.data("market/tickers", instType="SPOT")) == 2


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("market/candles", {}, 400, "50014"),
        ("market/candles", {"instId": "NO-NO"}, 200, "51001"),
        ("market/candles", {"instId": SYMBOL, "bar": "1h"}, 400, "51000"),
        ("market/candles", {"instId": SYMBOL, "bar": "5D"}, 400, "51000"),  # WebSocket only
        ("market/candles", {"instId": SYMBOL, "limit": "x"}, 400, "51000"),
        ("market/candles", {"instId": SYMBOL, "limit": "0"}, 400, "51000"),
        ("market/candles", {"instId": SYMBOL, "after": "-5"}, 400, "51000"),
        ("market/books", {"instId": SYMBOL, "sz": "401"}, 400, "51000"),
        ("market/tickers", {}, 400, "50014"),
        ("market/tickers", {"instType": "SPOTS"}, 400, "51000"),
        ("public/instruments", {"instType": "OPTION"}, 400, "50014"),
        ("market/history-trades", {"instId": SYMBOL, "type": "2", "before": "5"}, 200, "50039"),
        ("market/nothing", {}, 404, "404"),
        ("trade/order", {}, 405, "50115"),
    ],
)
async def test_bad_requests_get_the_exchanges_codes(
    opened: Open, path: str, query: dict[str, str], status: int, code: str
) -> None:
    async with opened() as client:
        got, body = await client.get(path, **query)
        assert (got, body["code"], body["data"]) == (status, code, [])
        assert body["msg"]


async def test_empty_parameters_count_as_absent(opened: Open) -> None:
    async with opened() as client:
        rows = await client.data("market/candles", instId=SYMBOL, after="", before="", limit="", bar="")
        assert len(rows) == 100


async def test_orders_are_refused_with_a_code(opened: Open) -> None:
    async with opened() as client, client.session.post(client.venue.rest_url + "/api/v5/trade/batch-orders") as answer:
        assert (await answer.json())["code"] == "54072"


async def test_too_many_requests_get_429_and_each_endpoint_counts_alone(opened: Open) -> None:
    async with opened(limits=True) as client:
        codes = [(await client.get("public/time"))[1]["code"] for _ in range(11)]
        assert codes == ["0"] * 10 + ["50011"]
        assert (await client.get("public/time"))[0] == 429
        assert (await client.get("market/ticker", instId=SYMBOL))[0] == 200


async def test_refusals_end_after_the_calls_asked_for(opened: Open) -> None:
    async with opened() as client:
        client.venue.refuse(2)
        client_codes = [(await client.get("public/time")) for _ in range(3)]
        assert [(status, body["code"]) for status, body in client_codes] == [(503, "50001"), (503, "50001"), (200, "0")]
        client.venue.refuse(1, status=429, code="50011")
        assert (await client.get("public/time"))[0] == 429


async def test_a_delay_holds_answers_back(opened: Open) -> None:
    async with opened() as client:
        client.venue.delay(0.2)
        began = time.monotonic()
        await client.data("public/time")
        assert time.monotonic() - began >= 0.2


async def test_time_runs_at_its_speed_and_stands_still_at_the_end(opened: Open, frame_of: Any) -> None:
    frame = frame_of(40)
    async with opened(frame, speed=6_000) as client:  # 27 minutes are left: 0.27 s
        await asyncio.wait_for(client.venue.finished.wait(), 30)
        (now,) = await client.data("public/time")
        assert int(now["ts"]) * 1_000 == int(frame.ts[0]) + 40 * MINUTE == client.venue.end_ts
        rows = await client.data("market/candles", instId=SYMBOL, limit="1")
        assert rows[0][8] == "1"
        assert rows[0][4] == f"{frame.close[-1]:g}"


async def test_a_taken_port_is_one_sentence(opened: Open, frame_of: Any) -> None:
    async with opened() as client:
        second = Venue([frame_of(10)], port=client.venue.port)
        with pytest.raises(Refused, match=f"port {client.venue.port}"):
            await second.start()


REAL = {  # path of ours -> a real message of the exchange
    ("public/time", ()): "public_time/01_ccxt",
    ("market/ticker", ("instId",)): "market_ticker/02_ccxt",
    ("market/tickers", ("instType",)): "market_tickers/01_okx-net",
    ("market/trades", ("instId",)): "market_trades/02_nautilus_trader",
    ("market/history-trades", ("instId",)): "market_history-trades/01_okx-net",
    ("market/books", ("instId",)): "market_books/02_nautilus_trader",
    ("market/candles", ("instId",)): "market_candles/02_nautilus_trader",
    ("market/history-candles", ("instId",)): "market_history-candles/01_okx-net",
    ("public/instruments", ("instType",)): "public_instruments/09_nautilus_trader",
    ("public/mark-price", ("instType",)): "public_mark-price/01_ccxt",
}
NEWER = {  # fields that the exchange has added since those messages were taken
    "market/trades": {"source"},
    "market/history-trades": {"source"},
    "market/books": {"seqId"},
    "public/instruments": {
        *("contTdSwTime", "futureSettlement", "groupId", "instCategory", "instIdCode", "openType", "preMktSwTime"),
        *("tradeQuoteCcyList", "upcChg"),
    },
}


@pytest.mark.parametrize(("ours", "real"), REAL.items(), ids=lambda x: x if isinstance(x, str) else x[0])
async def test_answers_have_the_shape_of_real_ones(
    opened: Open, shared_data: Path, ours: tuple[str, tuple[str, ...]], real: str
) -> None:
    path, names = ours
    message = json.loads((shared_data / "okx" / "rest" / f"{real}.json").read_text())
    values = {"instId": SYMBOL, "instType": "MARGIN" if path == "public/mark-price" else "SPOT"}
    async with opened() as client:
        data = await client.data(path, **{name: values[name] for name in names})
    mine, theirs = data[0], message["data"][0]
    if isinstance(theirs, list):
        assert [type(x) for x in mine] == [type(x) for x in theirs]
        return
    assert set(theirs) <= set(mine)
    assert set(mine) - set(theirs) <= NEWER.get(path, set())
    assert {k: type(mine[k]) for k in theirs} == {k: type(v) for k, v in theirs.items()}
