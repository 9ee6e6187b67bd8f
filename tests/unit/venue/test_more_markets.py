"""Futures, bars of a second, candles of indices and marks, and how far back the venue's past reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.units import DAY, MINUTE
from onetape.venue.server import Venue

Open = Callable[..., Any]
Talk = dict[str, Any]
BEGIN_TS = 1_546_300_800_000_000  # 2019-01-01T00:00:00Z
FUTURE = "BTC-USDT-190103"


async def test_a_linear_future_is_listed_trades_and_is_told_once_when_it_expires(opened: Open, talk: Talk) -> None:
    start = BEGIN_TS + 2 * DAY + 8 * 60 * MINUTE - 30 * MINUTE
    async with opened(speed=600, start_ts=start, futures=["190103", "190628"]) as client:
        one, later = await client.data("public/instruments", instType="FUTURES")
        assert (one["instId"], one["instType"], one["ctType"], one["uly"]) == (FUTURE, "FUTURES", "linear", "BTC-USDT")
        assert one["expTime"] == str((BEGIN_TS + 2 * DAY) // 1_000 + 8 * 3_600_000)
        assert len({one["instIdCode"], later["instIdCode"]}) == 2
        async with client.connect("public") as socket:
            await talk["subscribe"](socket, "trades", symbol=FUTURE)
            await talk["say"](socket, {"op": "subscribe", "args": [{"channel": "instruments", "instType": "FUTURES"}]})
            trade = await talk["hear"](socket, lambda m: "data" in m and m["arg"]["channel"] == "trades")
            assert trade["data"][0]["instId"] == FUTURE
            over = await talk["hear"](
                socket, lambda m: "data" in m and any(row.get("state") == "expired" for row in m["data"])
            )
        assert [row["instId"] for row in over["data"] if row["state"] == "expired"] == [FUTURE]
        assert [row["instId"] for row in await client.data("public/instruments", instType="FUTURES")] == [
            later["instId"]
        ]


def test_a_future_that_expires_on_no_day_is_refused(frame_of: Callable[..., CandleFrame]) -> None:
    with pytest.raises(BadInput, match="not a day"):
        Venue([frame_of(100)], futures=["191301"])


async def test_sixty_bars_of_a_second_make_the_minute(opened: Open) -> None:
    async with opened() as client:
        (minute,) = await client.data("market/history-candles", instId="BTC-USDT", limit="1")
        after = str(int(minute[0]) + 60_000)
        rows = await client.data("market/history-candles", instId="BTC-USDT", bar="1s", after=after, limit="60")
        status, body = await client.get("market/candles", instId="BTC-USDT", bar="1s")
    assert len(rows) == 60
    assert [int(row[0]) for row in rows] == list(range(int(after) - 1_000, int(minute[0]) - 1, -1_000))
    traded = [row for row in reversed(rows) if float(row[5])]
    assert (traded[0][1], traded[-1][4]) == (minute[1], minute[4])
    assert max(float(row[2]) for row in traded) == float(minute[2])
    assert min(float(row[3]) for row in traded) == float(minute[3])
    assert sum(float(row[5]) for row in rows) == pytest.approx(float(minute[5]), rel=1e-12)
    assert all(len(set(row[1:5])) == 1 for row in rows if not float(row[5]))
    assert (status, body["code"]) == (400, "51000")  # only of the past


async def test_each_closed_second_is_pushed_in_order(opened: Open, talk: Talk) -> None:
    async with opened(speed=20) as client, client.connect("business") as socket:
        await talk["subscribe"](socket, "candle1s")
        closed: list[int] = []
        while len(closed) < 30:
            message = await talk["hear"](socket, lambda m: "data" in m)
            closed += [int(row[0]) for row in message["data"] if row[8] == "1"]
    assert np.diff(closed).tolist() == [1_000] * (len(closed) - 1)


@pytest.mark.parametrize(("kind", "symbol"), [("index", "BTC-USDT"), ("mark-price", "BTC-USDT-SWAP")])
async def test_candles_of_an_index_and_a_mark_have_prices_only(
    opened: Open, talk: Talk, kind: str, symbol: str
) -> None:
    async with opened(speed=600) as client:
        rows = await client.data(f"market/history-{kind}-candles", instId=symbol, limit="300")
        newest = await client.data(f"market/{kind}-candles", instId=symbol, bar="5m")
        refused = await client.get(f"market/history-{kind}-candles", instId=symbol, bar="1s")
        unknown = await client.get(f"market/{kind}-candles", instId="DOGE-EUR")
        async with client.connect("business") as socket:
            await talk["subscribe"](socket, f"{kind}-candle1m", symbol=symbol)
            pushed = await talk["hear"](socket, lambda m: "data" in m)
    assert len(rows) == 100  # the most that are given
    assert {len(row) for row in (*rows, *newest, *pushed["data"])} == {6}
    assert {row[5] for row in rows} == {"1"}
    assert newest[0][5] == "0"
    assert pushed["arg"] == {"channel": f"{kind}-candle1m", "instId": symbol}
    assert (refused[0], refused[1]["code"]) == (400, "51000")
    assert unknown[1]["code"] == "51001"


async def test_trades_older_than_three_months_are_not_told(opened: Open, frame_of: Callable[..., CandleFrame]) -> None:
    old, new = frame_of(50), frame_of(60, begin_ts=BEGIN_TS + 100 * DAY)
    names = ("ts", "open", "high", "low", "close", "volume")
    columns = {name: np.concatenate((getattr(old, name), getattr(new, name))) for name in names}
    frame = CandleFrame.of("okx", "BTC-USDT", "1m", columns)
    async with opened(frame, start_ts=BEGIN_TS + 100 * DAY + 30 * MINUTE) as client:
        since = str((BEGIN_TS + 2 * DAY) // 1_000)
        gone = await client.data("market/history-trades", instId="BTC-USDT", type="2", after=since)
        assert gone == []
        there = await client.data("market/history-trades", instId="BTC-USDT")
        assert len(there) == 100
