"""The REST client against a little server that answers what each test wants."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from onetape.domain.errors import BadInput, Refused, Transient
from onetape.domain.instrument import Instrument
from onetape.domain.market import Print
from onetape.domain.units import MINUTE, SECOND, Timeframe
from onetape.exchanges.okx import rest
from onetape.exchanges.okx.history import candles
from onetape.exchanges.okx.past import Past
from onetape.exchanges.okx.rest import OkxRest

M1 = Timeframe.parse("1m")
Answer = Callable[[web.Request], tuple[int, object]]


@asynccontextmanager
async def asked(answer: Answer) -> AsyncIterator[OkxRest]:
    async def serve(request: web.Request) -> web.Response:
        status, body = answer(request)
        return web.Response(status=status, text=body if isinstance(body, str) else json.dumps(body))

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    client = OkxRest(f"http://127.0.0.1:{runner.addresses[0][1]}", "okx")
    try:
        yield client
    finally:
        await client.close()
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries and budgets without their waits."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(rest.asyncio, "sleep", sleep)


def ok(data: object) -> tuple[int, object]:
    return 200, {"code": "0", "msg": "", "data": data}


class Candles:
    """A venue with candles for the minutes `present`, at most `page` rows an answer, newest first."""

    def __init__(self, present: range | list[int], page: int) -> None:
        self.minutes, self.page, self.calls = sorted(present), page, 0

    def __call__(self, request: web.Request) -> tuple[int, object]:
        self.calls += 1
        after = int(request.query["after"])
        rows = [m * 60_000 for m in self.minutes if m * 60_000 < after][-self.page :]
        return ok([[str(ts), "1", "2", "1", "2", "5", "5", "5", "1"] for ts in reversed(rows)])


async def history(client: OkxRest, start: int, end: int) -> list[int]:
    found: list[int] = []
    async for page in candles(client, "BTC-USDT", M1, start * MINUTE, end * MINUTE):
        assert len(page) <= 300
        found += [int(ts) // MINUTE for ts in page.ts]
    return found


async def test_history_is_complete_and_rising_over_many_windows() -> None:
    venue = Candles(range(2_000), 300)
    async with asked(venue) as client:
        assert await history(client, 100, 1_100) == list(range(100, 1_100))
    assert venue.calls == 4  # 1,000 candles in windows of 300


async def test_shorter_pages_than_asked_for_lose_nothing() -> None:
    async with asked(Candles(range(2_000), 100)) as client:
        assert await history(client, 100, 1_100) == list(range(100, 1_100))


async def test_holes_and_the_time_before_the_listing_are_passed_over() -> None:
    present = [m for m in range(500, 1_000) if m % 7]
    async with asked(Candles(present, 300)) as client:
        assert await history(client, 0, 1_000) == present


async def test_bounds_are_from_inclusive_to_exclusive() -> None:
    async with asked(Candles(range(100), 300)) as client:
        assert await history(client, 10, 12) == [10, 11]


async def test_running_candle_is_left_out() -> None:
    row = ["600000", "1", "2", "1", "2", "5", "5", "5"]
    async with asked(lambda r: ok([[*row, "0"]])) as client:
        assert await history(client, 0, 20) == []


async def test_busy_venue_is_asked_again_and_answers() -> None:
    calls = []

    def answer(request: web.Request) -> tuple[int, object]:
        calls.append(1)
        return (429, {"code": "50011", "msg": "Too Many Requests", "data": []}) if len(calls) < 3 else ok([{"ts": "5"}])

    async with asked(answer) as client:
        await client.get("/api/v5/public/time")
    assert len(calls) == 3


async def test_venue_that_stays_down_is_transient_with_its_words() -> None:
    async with asked(lambda r: (503, {"code": "50001", "msg": "Service unavailable"})) as client:
        with pytest.raises(Transient, match=r"okx answered /public/time with: Service unavailable \(50001\)"):
            await client.now()


async def test_page_that_is_not_the_venues_is_transient() -> None:
    async with asked(lambda r: (200, "<html>log in to the hotel</html>")) as client:
        with pytest.raises(Transient, match="not OKX's JSON"):
            await client.now()


async def test_wrong_request_is_refused_at_once() -> None:
    calls = []

    def answer(request: web.Request) -> tuple[int, object]:
        calls.append(1)
        return 200, {"code": "51001", "msg": "Instrument ID does not exist", "data": []}

    async with asked(answer) as client:
        with pytest.raises(Refused, match=r"history-candles XX-YY .*does not exist \(51001\)"):
            await history_of(client, "XX-YY")
    assert len(calls) == 1


async def history_of(client: OkxRest, symbol: str) -> None:
    async for _ in candles(client, symbol, M1, 0, MINUTE):
        pass


async def test_answer_of_unknown_form_is_refused() -> None:
    async with asked(lambda r: ok([{"time": "5"}])) as client:
        with pytest.raises(Refused, match="form that onetape does not know"):
            await client.now()


async def test_nobody_there_is_one_sentence(unused_tcp_port: int) -> None:
    client = OkxRest(f"http://127.0.0.1:{unused_tcp_port}", "okx")
    with pytest.raises(Transient) as caught:
        await client.now()
    assert str(caught.value) == "127.0.0.1 cannot be reached: it refuses the connection."
    await client.close()


async def test_clock_offset_is_measured() -> None:
    async with asked(lambda r: ok([{"ts": "1000"}])) as client:
        now = await client.now()
    assert 1_000_000 <= now < 6_000_000
    assert client.clock_offset < -1e15  # our clock is decades ahead


async def test_instruments_leave_out_and_name_what_cannot_be_traded() -> None:
    spot = {
        "instId": "BTC-USDT",
        "instType": "SPOT",
        "baseCcy": "BTC",
        "quoteCcy": "USDT",
        "tickSz": "0.1",
        "lotSz": "1",
    }
    inverse = {"instId": "BTC-USD-SWAP", "instType": "SWAP", "ctType": "inverse", "ctVal": "100", "tickSz": "0.1"}
    data = {"SPOT": [spot], "SWAP": [inverse], "FUTURES": []}
    async with asked(lambda r: ok(data[r.query["instType"]])) as client:
        assert [i.symbol for i in await client.instruments()] == ["BTC-USDT"]
        with pytest.raises(Refused, match="BTC-USD-SWAP is an inverse contract"):
            await client.instrument("BTC-USD-SWAP")
        with pytest.raises(Refused, match="no instrument NO-SUCH"):
            await client.instrument("NO-SUCH")


async def test_length_that_is_not_offered_is_refused_before_asking() -> None:
    async with asked(lambda r: ok([])) as client:
        with pytest.raises(BadInput, match="7m"):
            async for _ in candles(client, "BTC-USDT", Timeframe.parse("7m"), 0, MINUTE):
                pass


async def test_endpoint_that_does_not_answer_is_replaced_for_the_newest_candles_only() -> None:
    """The venue's time is minute 2,000: its other endpoint has the 1,440 bars from minute 560 on."""
    asked_for: list[str] = []

    def answer(request: web.Request) -> tuple[int, object]:
        asked_for.append(request.path.rsplit("/", 1)[1])
        if request.path.endswith("/time"):
            return ok([{"ts": str(2_000 * 60_000)}])
        if request.path.endswith("history-candles"):
            return 503, {"code": "50001", "msg": "down"}
        return Candles(range(560, 2_000), 300)(request)

    async with asked(answer) as client:
        await client.now()
        assert await history(client, 1_900, 1_910) == list(range(1_900, 1_910))
        assert asked_for[-1] == "candles"
        with pytest.raises(Transient, match="down"):
            await history(client, 100, 110)


async def test_next_host_is_asked_when_one_cannot_be_reached_and_then_kept(unused_tcp_port: int) -> None:
    async with asked(lambda r: ok([{"ts": "1000"}])) as client:
        there = client._urls[0]
        both = OkxRest((f"http://127.0.0.1:{unused_tcp_port}", there), "okx")
        await both.now()
        assert both._urls[both._at] == there
        await both.close()


async def test_only_demo_trading_says_that_it_is_simulated() -> None:
    heads: list[str | None] = []

    def answer(request: web.Request) -> tuple[int, object]:
        heads.append(request.headers.get("x-simulated-trading"))
        return ok([{"ts": "1000"}])

    async with asked(answer) as live:
        await live.get("/api/v5/public/time")
        demo = OkxRest(live._urls, "okx-demo", demo=True)
        await demo.get("/api/v5/public/time")
        await demo.close()
    assert heads == [None, "1"]


async def test_announced_maintenance_is_read() -> None:
    notice = {"title": "Upgrade", "state": "scheduled", "begin": "1672823400000", "end": "1672825980000"}
    async with asked(lambda r: ok([notice])) as client:
        (status,) = await client.status()
    assert (status.title, status.state, status.start_ts, status.end_ts) == (
        "Upgrade", "scheduled", 1_672_823_400_000_000, 1_672_825_980_000_000,
    )  # fmt: skip


def trade_rows(newest: int, oldest: int) -> list[dict[str, str]]:
    return [
        {"tradeId": str(i), "px": "9", "sz": "1", "side": "buy", "ts": str(i)} for i in range(newest, oldest - 1, -1)
    ]


async def test_past_trades_walk_back_by_time_then_by_id_and_come_older_first() -> None:
    """Trade n happens in millisecond n; 250 of them in pages of 100."""
    asked_for: list[tuple[str, str]] = []

    def answer(request: web.Request) -> tuple[int, object]:
        kind, after = request.query["type"], int(request.query["after"])
        asked_for.append((kind, str(after)))
        return ok(trade_rows(min(after - 1, 1_000), max(1, after - 100)))

    async with asked(answer) as client:
        pages = [page async for page in Past(client).trades("BTC-USDT", 300_000, 550_000)]
    ids = [int(e.id) for page in pages for e in page.events if isinstance(e, Print)]
    assert ids == list(range(300, 550))
    assert asked_for == [("2", "550"), ("1", "450"), ("1", "350")]


async def test_past_trades_asked_for_again_from_a_later_time_come_in_the_same_answers() -> None:
    """A trade in every second: three windows of five minutes, each with pages that the next one does not share."""

    def answer(request: web.Request) -> tuple[int, object]:
        after = int(request.query["after"])
        before = after - 1 if request.query["type"] == "1" else (after - 1) // 1_000
        rows = trade_rows(min(before, 1_000), max(1, before - 99))
        return ok([row | {"ts": f"{row['ts']}000"} for row in rows])

    async with asked(answer) as client:
        past, end = Past(client), 780 * SECOND
        whole, rest = [
            {(page.raw.ts, page.raw.data) async for page in past.trades("BTC-USDT", start * SECOND, end) if page.raw}
            for start in (10, 250)
        ]
    assert len(whole) > len(rest) > 5
    assert rest < whole


async def test_newest_trades_help_out_when_they_reach_back_far_enough() -> None:
    def answer(request: web.Request) -> tuple[int, object]:
        if request.path.endswith("history-trades"):
            return 503, {"code": "50001", "msg": "down"}
        return ok(trade_rows(700, 201))

    async with asked(answer) as client:
        pages = [page async for page in Past(client).trades("BTC-USDT", 300_000, 400_000)]
        assert [int(e.id) for e in pages[0].events if isinstance(e, Print)] == list(range(300, 400))
        with pytest.raises(Transient, match="down"):
            _ = [page async for page in Past(client).trades("BTC-USDT", 100_000, 400_000)]


async def test_page_of_a_proxy_that_is_not_okx_s_json_is_worth_another_try() -> None:
    def forbid(_: web.Request) -> tuple[int, object]:
        return 403, "<html>Access denied</html>"

    async with asked(forbid) as client:
        with pytest.raises(Transient, match="403"):
            await client.now()


async def test_an_instrument_that_is_listed_otherwise_is_passed_on_and_one_that_is_gone_is_listed_no_more() -> None:
    row = {"instId": "BTC-USDT", "instType": "SPOT", "baseCcy": "BTC", "quoteCcy": "USDT", "tickSz": "0.1"}
    row |= {"lotSz": "0.001", "minSz": "0.001", "state": "live"}
    other = row | {"instId": "ETH-USDT", "baseCcy": "ETH"}
    listed = [row, other]

    def answer(request: web.Request) -> tuple[int, object]:
        return 200, {"code": "0", "data": listed if request.query["instType"] == "SPOT" else []}

    async with asked(answer) as client:
        told: list[Instrument] = []
        client.changed = told.append
        assert [each.symbol for each in await client.instruments()] == ["BTC-USDT", "ETH-USDT"]
        assert told == []
        listed[:] = [row | {"tickSz": "0.01", "state": "suspend"}]
        (now,) = await client.instruments()
    assert (now.tick, now.state) == (0.01, "suspend")
    assert told == [now]
