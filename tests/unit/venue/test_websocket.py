from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from onetape.venue.login import Key, signature

Open = Callable[..., Any]
Talk = dict[str, Callable[..., Any]]
SYMBOL = "BTC-USDT"


async def ready(client: Any, talk: Talk, url: str, *channels: str) -> Any:
    """A connection with these channels, acknowledged."""
    socket = await client.session.ws_connect(f"{client.venue.ws_url}/{url}", max_msg_size=0)
    await talk["subscribe"](socket, *channels)
    return socket


async def data(talk: Talk, socket: Any, channel: str) -> Any:
    found = await talk["hear"](socket, lambda m: m.get("arg", {}).get("channel") == channel and "data" in m)
    return found["data"]


async def test_every_argument_is_acknowledged_with_id_and_connection(opened: Open, talk: Talk) -> None:
    async with opened() as client, client.connect("public") as socket:
        args = [{"channel": name, "instId": SYMBOL} for name in ("trades", "tickers")]
        await talk["say"](socket, {"id": "a1", "op": "subscribe", "args": args})
        acks = [await talk["hear"](socket, lambda m: "event" in m) for _ in args]
        assert [(a["id"], a["event"], a["arg"]) for a in acks] == [("a1", "subscribe", arg) for arg in args]
        assert len({a["connId"] for a in acks}) == 1
        await talk["say"](socket, {"op": "unsubscribe", "args": args[:1]})
        ack = await talk["hear"](socket, lambda m: "event" in m)
        assert ack == {"event": "unsubscribe", "arg": args[0], "connId": acks[0]["connId"]}


@pytest.mark.parametrize(
    ("url", "request_", "code"),
    [
        ("public", {"op": "subscribe", "args": [{"channel": "candle1m", "instId": SYMBOL}]}, "60018"),
        ("business", {"op": "subscribe", "args": [{"channel": "trades", "instId": SYMBOL}]}, "60018"),
        ("public", {"op": "subscribe", "args": [{"channel": "prices", "instId": SYMBOL}]}, "60018"),
        ("public", {"op": "subscribe", "args": [{"channel": "trades", "instId": "NO-NO"}]}, "60018"),
        ("public", {"op": "subscribe", "args": [{"channel": "trades"}]}, "60018"),
        ("business", {"op": "subscribe", "args": [{"channel": "candle1h", "instId": SYMBOL}]}, "60018"),
        ("public", {"op": "subscribe", "args": ["trades"]}, "60012"),
        ("public", {"op": "subscribe", "args": []}, "60013"),
        ("public", {"op": "subscribe"}, "60013"),
        ("public", {"op": "dance", "args": [{}]}, "60019"),
        ("public", {"op": "order", "args": [{}]}, "60019"),
        ("public", {"args": [{}]}, "60012"),
        ("public", "[]", "60012"),
        ("public", "not json", "60012"),
        ("private", {"op": "subscribe", "args": [{"channel": "orders", "instType": "ANY"}]}, "60011"),
        ("private", {"op": "order", "args": [{}]}, "60011"),
    ],
)
async def test_what_is_wrong_gets_the_exchanges_code(
    opened: Open, talk: Talk, url: str, request_: object, code: str
) -> None:
    async with opened() as client, client.connect(url) as socket:
        await talk["say"](socket, request_)
        answer = await talk["hear"](socket)
        assert (answer["event"], answer["code"]) == ("error", code)
        assert answer["msg"]
        assert "arg" not in answer
        await socket.send_str("ping")
        assert (await socket.receive(timeout=30)).data == "pong"


async def test_an_idle_connection_is_closed_with_4004(opened: Open) -> None:
    async with opened(idle_s=0.2) as client, client.connect("public") as socket:
        message = await socket.receive(timeout=30)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4004)


async def test_pings_keep_an_idle_connection(opened: Open) -> None:
    async with opened(idle_s=1.0) as client, client.connect("public") as socket:
        for _ in range(5):
            await asyncio.sleep(0.25)
            await socket.send_str("ping")
            assert (await socket.receive(timeout=30)).data == "pong"


async def test_a_message_over_64_kib_closes_with_1009(opened: Open, talk: Talk) -> None:
    async with opened() as client, client.connect("public") as socket:
        await talk["say"](socket, {"op": "subscribe", "args": [{"channel": "x" * 70_000}]})
        message = await socket.receive(timeout=30)
        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)


async def test_the_481st_request_of_an_hour_is_refused(opened: Open, talk: Talk) -> None:
    async with opened(limits=True, speed=0.001) as client, client.connect("public") as socket:
        request = {"op": "unsubscribe", "args": [{"channel": "trades", "instId": SYMBOL}]}
        for _ in range(481):
            await talk["say"](socket, request)
        events = [await talk["hear"](socket) for _ in range(481)]
        assert {e["event"] for e in events[:480]} == {"unsubscribe"}
        assert events[480]["code"] == "60014"


async def test_the_fourth_connection_of_a_second_is_refused(opened: Open) -> None:
    async with opened(limits=True) as client:
        for _ in range(3):
            await client.session.ws_connect(client.venue.ws_url + "/public")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.session.ws_connect(client.venue.ws_url + "/public")
        assert refused.value.status == 429


async def test_trades_on_the_wire_rebuild_the_closed_candles_on_the_wire(opened: Open, talk: Talk) -> None:
    async with opened(speed=600) as client:
        socket = await ready(client, talk, "business", "trades-all", "candle1m")
        trades: list[dict[str, str]] = []
        closed: list[list[str]] = []
        while len(closed) < 12:
            message = await talk["hear"](socket, lambda m: "data" in m)
            if message["arg"]["channel"] == "trades-all":
                trades += message["data"]
            else:
                closed += [row for row in message["data"] if row[8] == "1"]
        opens = [int(row[0]) for row in closed]
        assert opens == list(range(opens[0], opens[0] + 12 * 60_000, 60_000))
        for row in closed[1:]:  # the subscription began inside the first one
            inside = [t for t in trades if int(row[0]) <= int(t["ts"]) < int(row[0]) + 60_000]
            if not inside:
                assert row[5] == "0"
                continue
            wire = [Decimal(t["px"]) for t in inside]
            assert [wire[0], max(wire), min(wire), wire[-1]] == [Decimal(x) for x in row[1:5]]
            assert sum(Decimal(t["sz"]) for t in inside) == Decimal(row[5])
            assert float(sum(Decimal(t["sz"]) * Decimal(t["px"]) for t in inside)) == pytest.approx(float(row[6]))
        history = await client.data(
            "market/history-candles", instId=SYMBOL, before=str(opens[0] - 1), after=str(opens[-1] + 1)
        )
        assert history[::-1] == closed


async def test_bars_of_all_lengths_close_once_and_in_order_at_high_speed(
    opened: Open, talk: Talk, frame_of: Any
) -> None:
    frame = frame_of(1_500)
    async with opened(frame, speed=60_000) as client:  # the 1,000 minutes left take one second
        names = ("candle1m", "candle5m", "candle1H")
        socket = await ready(client, talk, "business", *names)
        closed: dict[str, list[int]] = {name: [] for name in names}
        end_ms = client.venue.end_ts // 1_000
        while not closed["candle1m"] or closed["candle1m"][-1] < end_ms - 60_000:
            message = await talk["hear"](socket, lambda m: "data" in m)
            closed[message["arg"]["channel"]] += [int(row[0]) for row in message["data"] if row[8] == "1"]
        await asyncio.wait_for(client.venue.finished.wait(), 30)
        for name, step in zip(names, (60_000, 300_000, 3_600_000), strict=True):
            first = closed[name][0]
            assert closed[name] == list(range(first, end_ms - step + 1, step))
        assert len(closed["candle1m"]) > 900


async def test_books_form_an_unbroken_chain_that_equals_the_next_snapshot(opened: Open, talk: Talk) -> None:
    async with opened(speed=60) as client:
        socket = await ready(client, talk, "public", "books")
        first = await talk["hear"](socket, lambda m: "data" in m)
        (shot,) = first["data"]
        assert (first["action"], shot["prevSeqId"], shot["checksum"]) == ("snapshot", -1, 0)
        book = {side: {level[0]: level for level in shot[side]} for side in ("asks", "bids")}
        last, steps = shot["seqId"], set()
        for _ in range(15):
            message = await talk["hear"](socket, lambda m: "data" in m)
            (update,) = message["data"]
            assert (message["action"], update["prevSeqId"], update["checksum"]) == ("update", last, 0)
            steps.add(update["seqId"] - last)
            last = update["seqId"]
            for side, level in ((s, lv) for s in ("asks", "bids") for lv in update[s]):
                book[side][level[0]] = level
                if level[1] == "0":
                    del book[side][level[0]]
            assert {side: len(levels) for side, levels in book.items()} == {"asks": 400, "bids": 400}
            assert min(map(Decimal, book["asks"])) > max(map(Decimal, book["bids"]))
        assert len(steps) > 1
        second = await ready(client, talk, "public", "books")
        (again,) = await data(talk, second, "books")
        while last < again["seqId"]:
            (update,) = (await talk["hear"](socket, lambda m: "data" in m))["data"]
            last = update["seqId"]
            for side, level in ((s, lv) for s in ("asks", "bids") for lv in update[s]):
                book[side].pop(level[0], None)
                if level[1] != "0":
                    book[side][level[0]] = level
        assert last == again["seqId"]
        assert {lv[0]: lv for lv in again["asks"]} == book["asks"]
        assert {lv[0]: lv for lv in again["bids"]} == book["bids"]


async def test_a_skipped_book_update_breaks_the_chain_once(opened: Open, talk: Talk) -> None:
    async with opened(speed=60) as client:
        socket = await ready(client, talk, "public", "books")
        (shot,) = await data(talk, socket, "books")
        client.venue.skip_book_update(SYMBOL)
        links = [(await data(talk, socket, "books"))[0] for _ in range(4)]
        seqs = [shot["seqId"]] + [u["seqId"] for u in links]
        whole = [u["prevSeqId"] == before for u, before in zip(links, seqs, strict=False)]
        assert whole.count(False) == 1


async def test_a_book_that_stands_still_says_so(opened: Open, talk: Talk, frame_of: Any) -> None:
    async with opened(frame_of(20), speed=60_000) as client:
        await asyncio.wait_for(client.venue.finished.wait(), 30)
        client.venue._feed.heartbeat_s = 0.2
        socket = await ready(client, talk, "public", "books")
        (shot,) = await data(talk, socket, "books")
        (beat,) = await data(talk, socket, "books")
        assert (beat["asks"], beat["bids"], beat["seqId"], beat["prevSeqId"]) == ([], [], shot["seqId"], shot["seqId"])


async def test_small_books_and_tickers_agree_with_the_last_print(opened: Open, talk: Talk) -> None:
    async with opened(speed=60) as client:
        socket = await ready(client, talk, "public", "books5", "bbo-tbt", "tickers")
        seen: dict[str, dict[str, Any]] = {}
        for _ in range(30):
            message = await talk["hear"](socket, lambda m: "data" in m)
            assert "action" not in message
            seen[message["arg"]["channel"]] = message["data"][0]
            if ticker := seen.get("tickers"):
                assert Decimal(ticker["bidPx"]) < Decimal(ticker["last"]) <= Decimal(ticker["askPx"])
        assert (len(seen["books5"]["asks"]), len(seen["bbo-tbt"]["bids"])) == (5, 1)
        assert isinstance(seen["books5"]["seqId"], int)


async def test_trades_carry_count_and_sequence_and_rising_ids(opened: Open, talk: Talk) -> None:
    async with opened(speed=600) as client:
        socket = await ready(client, talk, "public", "trades")
        trades = [(await data(talk, socket, "trades"))[0] for _ in range(40)]
        ids = [int(t["tradeId"]) for t in trades]
        assert ids == sorted(set(ids))
        assert all(t["count"] == "1" and isinstance(t["seqId"], int) for t in trades)
        assert all(int(a["ts"]) < int(b["ts"]) for a, b in itertools.pairwise(trades))


async def test_a_running_bar_is_pushed_at_most_once_a_second(opened: Open, talk: Talk) -> None:
    async with opened(speed=60) as client:
        socket = await ready(client, talk, "business", "candle1H")
        moments = []
        for _ in range(4):
            await data(talk, socket, "candle1H")
            moments.append(asyncio.get_running_loop().time())
        assert all(b - a > 0.9 for a, b in itertools.pairwise(moments[1:]))


async def test_the_same_candles_and_seed_give_the_same_prints(opened: Open, talk: Talk) -> None:
    async def prints(**options: Any) -> list[Any]:
        async with opened(speed=0.001, **options) as client:
            return await client.data("market/trades", instId=SYMBOL)

    assert await prints() == await prints()
    assert await prints(seed=1) != await prints()


async def test_instruments_channel_sends_the_list(opened: Open, talk: Talk) -> None:
    async with opened() as client, client.connect("public") as socket:
        await talk["say"](socket, {"op": "subscribe", "args": [{"channel": "instruments", "instType": "SPOT"}]})
        (listing,) = await data(talk, socket, "instruments")
        assert listing["instId"] == SYMBOL


async def test_a_correct_login_opens_private_channels_and_a_wrong_one_does_not(opened: Open, talk: Talk) -> None:
    async with opened(keys={"k": Key("secret", "words")}) as client:
        stamp = str(client.venue.now() // 1_000_000)
        good = {"apiKey": "k", "passphrase": "words", "timestamp": stamp, "sign": signature("secret", stamp)}
        wrong = {
            "60005": good | {"apiKey": "other"},
            "60024": good | {"passphrase": "guess"},
            "60007": good | {"sign": signature("guess", stamp)},
            "60006": good | {"timestamp": str(int(stamp) + 86_400)},
            "60004": good | {"timestamp": "now"},
            "60009": {"apiKey": "k"},
        }
        async with client.connect("private") as socket:
            for code, arg in wrong.items():
                await talk["say"](socket, {"op": "login", "args": [arg]})
                assert (await talk["hear"](socket))["code"] == code
            await talk["say"](socket, {"op": "login", "args": [good]})
            answer = await talk["hear"](socket)
            assert (answer["event"], answer["code"]) == ("login", "0")
            await talk["say"](socket, {"op": "login", "args": [good]})
            assert (await talk["hear"](socket))["code"] == "60031"
            args = [{"channel": "orders", "instType": "ANY"}, {"channel": "account"}]
            await talk["say"](socket, {"op": "subscribe", "args": args})
            events = [(await talk["hear"](socket, lambda m: "event" in m))["event"] for _ in range(4)]
            assert events == ["subscribe", "channel-conn-count"] * 2
            await talk["say"](socket, {"id": "9", "op": "order", "args": [{"instIdCode": 1}]})
            reply = await talk["hear"](socket, lambda m: "op" in m)
            assert (reply["id"], reply["op"], reply["code"], reply["data"]) == ("9", "order", "54072", [])


def test_the_signature_is_the_one_the_exchange_computes() -> None:
    # test vector of the reference sheet, section 5.3
    secret = "chNOOS4KvNXR_Xq4k4c9qsfoKWvnDecLATCRlcBwyKDYnWgO"
    assert signature(secret, "1538054050") == "ENpPNQ8mQv8YzDMPhBsB4SrjaKK+FaEh2nozTRW6KU0="


async def test_dropped_connections_end_without_a_close_frame_and_new_ones_work(opened: Open, talk: Talk) -> None:
    async with opened() as client:
        socket = await ready(client, talk, "public", "trades")
        await talk["hear"](socket)
        client.venue.drop_connections()
        message = await socket.receive(timeout=30)
        while message.type == aiohttp.WSMsgType.TEXT:
            message = await socket.receive(timeout=30)
        assert socket.close_code == 1006
        again = await ready(client, talk, "public", "trades")
        assert await data(talk, again, "trades")


async def test_a_silent_venue_keeps_the_socket_open_and_says_nothing(opened: Open, talk: Talk) -> None:
    async with opened(idle_s=0.2) as client, client.connect("public") as socket:
        client.venue.go_silent()
        await socket.send_str("ping")
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive(timeout=0.5)
        client.venue.go_silent(False)
        second = await ready(client, talk, "public", "trades")
        assert (await talk["hear"](second))["event"] == "subscribe"


async def test_a_notice_announces_the_service_upgrade(opened: Open, talk: Talk) -> None:
    async with opened() as client:
        socket = await ready(client, talk, "public", "trades")
        await talk["hear"](socket)
        client.venue.notice()
        event = await talk["hear"](socket, lambda m: m.get("event") == "notice")
        assert event["code"] == "64008"


async def test_nobody_listening_costs_nothing(opened: Open, talk: Talk) -> None:
    async with opened(speed=600) as client:
        async with client.connect("public") as socket:
            await talk["subscribe"](socket, "trades")
            await data(talk, socket, "trades")
        async with asyncio.timeout(30):
            while client.venue._connections or client.venue._feed._wanted.is_set():
                await asyncio.sleep(0.01)


REAL = {
    ("public", "trades"): "trades/01_okx-net",
    ("business", "trades-all"): "trades-all/01_tardis-node",
    ("public", "tickers"): "tickers/01_okx-net",
    ("public", "bbo-tbt"): "bbo-tbt/02_nautilus_trader",
    ("public", "books"): "books/01_okx-net",
    ("public", "mark-price"): "mark-price/01_tardis-node",
}


@pytest.mark.parametrize(("ours", "real"), REAL.items(), ids=lambda x: x if isinstance(x, str) else x[1])
async def test_pushes_have_the_shape_of_real_ones(
    opened: Open, talk: Talk, shared_data: Path, ours: tuple[str, str], real: str
) -> None:
    url, channel = ours
    theirs = json.loads((shared_data / "okx" / "ws_push" / f"{real}.json").read_text())["data"][0]
    async with opened(speed=600) as client:
        socket = await ready(client, talk, url, channel)
        mine = (await data(talk, socket, channel))[0]
    assert set(theirs) <= set(mine)
    assert set(mine) - set(theirs) <= {"source", "seqId"}
    assert {k: type(mine[k]) for k in theirs} == {k: type(v) for k, v in theirs.items()}
