"""The swap beside each pair, marks, indices, funding, and what the venue announces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onetape.domain.units import HOUR, MINUTE

SYMBOL = "BTC-USDT"
SWAP = "BTC-USDT-SWAP"
Open = Callable[..., Any]
Talk = dict[str, Any]


async def data(talk: Talk, socket: Any, channel: str) -> list[Any]:
    message = await talk["hear"](socket, lambda m: "data" in m and m["arg"]["channel"] == channel)
    return list(message["data"])


async def test_a_swap_has_the_candles_of_its_pair_counted_in_contracts(opened: Open) -> None:
    async with opened(speed=0.001) as client:
        (listing,) = await client.data("public/instruments", instType="SWAP")
        # prices are near 4,000: a contract is a tenth of a coin, and a lot of 0.00000001 coins is 0.0000001 contracts
        assert (listing["instId"], listing["ctVal"], listing["ctType"]) == (SWAP, "0.1", "linear")
        assert (listing["lotSz"], listing["settleCcy"], listing["uly"]) == ("0.0000001", "USDT", SYMBOL)
        (coins,) = await client.data("market/history-candles", instId=SYMBOL, limit="1")
        (contracts,) = await client.data("market/history-candles", instId=SWAP, limit="1")
    assert contracts[:5] == coins[:5]
    assert round(float(contracts[5]) * 0.1, 8) == float(coins[5]) == float(contracts[6])


async def test_trades_of_a_swap_add_up_to_its_candle(opened: Open) -> None:
    async with opened(speed=0.001) as client:
        (candle,) = await client.data("market/history-candles", instId=SWAP, limit="1")
        trades = await client.data("market/history-trades", instId=SWAP)
    start = int(candle[0])
    inside = [t for t in trades if start <= int(t["ts"]) < start + 60_000]
    assert sum(round(float(t["sz"]) * 10**7) for t in inside) == round(float(candle[5]) * 10**7)


async def test_trade_ids_follow_each_other_without_a_gap(opened: Open) -> None:
    async with opened(speed=0.001) as client:
        newest = await client.data("market/trades", instId=SYMBOL, limit="500")
        ids = [int(trade["tradeId"]) for trade in newest]
        assert ids == list(range(ids[0], ids[0] - len(ids), -1))
        older = await client.data("market/history-trades", instId=SYMBOL, after=str(ids[300]), limit="50")
        assert [int(trade["tradeId"]) for trade in older] == ids[301:351]


async def test_funding_is_paid_every_eight_hours_and_what_was_paid_stays(opened: Open) -> None:
    async with opened(speed=0.001) as client:
        now = client.venue.now()
        (due,) = await client.data("public/funding-rate", instId=SWAP)
        paid = await client.data("public/funding-rate-history", instId=SWAP)
        assert await client.data("public/funding-rate", instId="ANY") == [due]
        assert (await client.get("public/funding-rate", instId=SYMBOL))[1]["code"] == "51000"
    times = [int(row["fundingTime"]) * 1_000 for row in paid]
    assert int(due["fundingTime"]) * 1_000 - times[0] == 8 * HOUR
    assert times[0] <= now < times[0] + 8 * HOUR
    assert {b - a for a, b in zip(times[1:], times, strict=False)} == {8 * HOUR}
    assert all(abs(float(row["realizedRate"])) <= 0.0005 for row in paid)


async def test_an_index_is_served_by_its_pair(opened: Open, talk: Talk) -> None:
    async with opened(speed=0.001) as client, client.connect("public") as socket:
        await talk["subscribe"](socket, "index-tickers")
        (pushed,) = await data(talk, socket, "index-tickers")
        (asked,) = await client.data("market/index-tickers", instId=SYMBOL)
        assert (pushed["instId"], pushed["idxPx"]) == (SYMBOL, asked["idxPx"])
        assert await client.data("market/index-tickers", quoteCcy="USDT") == [asked]
        assert (await client.get("market/index-tickers", instId=SWAP))[1]["code"] == "51001"


async def test_funding_is_pushed_for_swaps_and_refused_for_pairs(opened: Open, talk: Talk) -> None:
    async with opened() as client, client.connect("public") as socket:
        await talk["subscribe"](socket, "funding-rate", symbol=SWAP)
        assert (await data(talk, socket, "funding-rate"))[0]["instId"] == SWAP
        await talk["subscribe"](socket, "funding-rate")
        refused = await talk["hear"](socket, lambda m: m.get("event") == "error")
        assert refused["code"] == "60018"


async def test_maintenance_is_told_to_listeners_and_to_those_who_ask(opened: Open, talk: Talk) -> None:
    async with opened(speed=0.001) as client, client.connect("public") as socket:
        venue, now = client.venue, client.venue.now() // 1_000 * 1_000
        await talk["say"](socket, {"op": "subscribe", "args": [{"channel": "status"}]})
        await talk["hear"](socket, lambda m: m.get("event") == "subscribe")
        venue.announce("Upgrade", "scheduled", now + HOUR, now + 2 * HOUR)
        (said,) = await data(talk, socket, "status")
        assert await client.data("system/status") == [said]
        assert (said["state"], int(said["begin"]) * 1_000) == ("scheduled", now + HOUR)
        venue.announce("Upgrade", "completed", now + HOUR, now + 90 * MINUTE)
        assert (await data(talk, socket, "status"))[0]["state"] == "completed"
        assert await client.data("system/status") == []
        assert len(await client.data("system/status", state="completed")) == 1
        async with client.connect("public") as later:
            await talk["say"](later, {"op": "subscribe", "args": [{"channel": "status"}]})
            assert (await data(talk, later, "status"))[0]["state"] == "completed"


async def test_a_suspended_instrument_is_told_on_its_types_channel(opened: Open, talk: Talk) -> None:
    async with opened() as client, client.connect("public") as socket:
        await talk["say"](socket, {"op": "subscribe", "args": [{"channel": "instruments", "instType": "SWAP"}]})
        assert (await data(talk, socket, "instruments"))[0]["state"] == "live"
        client.venue.change_state(SWAP, "suspend")
        (listing,) = await data(talk, socket, "instruments")
        assert (listing["instId"], listing["state"]) == (SWAP, "suspend")
        (asked,) = await client.data("public/instruments", instType="SWAP")
        assert asked["state"] == "suspend"


async def test_a_restarted_sequence_goes_on_from_a_small_number(opened: Open, talk: Talk) -> None:
    async with opened(speed=600) as client, client.connect("public") as socket:
        await talk["subscribe"](socket, "books")
        last = (await data(talk, socket, "books"))[0]["seqId"]
        client.venue.restart(SYMBOL)
        fell = False
        for _ in range(6):
            (update,) = await data(talk, socket, "books")
            assert update["prevSeqId"] == last
            fell, last = fell or update["seqId"] < update["prevSeqId"], update["seqId"]
        (asked,) = await client.data("market/books", instId=SYMBOL)
        assert fell
        assert last <= asked["seqId"] < 10**9


NEWER = {"formulaType", "impactValue", "interestRate", "premium"}  # fields added after those messages were taken
REAL = {"index-tickers": (SYMBOL, "index-tickers"), "funding-rate": (SWAP, "funding-rate"), "status": ("", "status")}


@pytest.mark.parametrize("channel", REAL)
async def test_pushes_have_the_shape_of_real_ones(opened: Open, talk: Talk, shared_data: Path, channel: str) -> None:
    symbol, folder = REAL[channel]
    real = min((shared_data / "okx" / "ws_push" / folder).iterdir())
    theirs = json.loads(real.read_text())["data"][0]
    async with opened(speed=600) as client, client.connect("public") as socket:
        client.venue.announce("Upgrade", "ongoing", client.venue.now(), client.venue.now() + HOUR)
        arg = {"channel": channel} | ({"instId": symbol} if symbol else {})
        await talk["say"](socket, {"op": "subscribe", "args": [arg]})
        (mine,) = await data(talk, socket, channel)
    assert set(theirs) <= set(mine)
    assert set(mine) - set(theirs) <= NEWER
    assert {k: type(mine[k]) for k in theirs} == {k: type(v) for k, v in theirs.items()}
