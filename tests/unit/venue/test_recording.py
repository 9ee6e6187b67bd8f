"""Recordings played by the venue: message for message, with a book and candles that agree with them."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from onetape.domain.errors import BadInput
from onetape.venue.foreign import Converter, contracts, swap_symbol
from onetape.venue.played import by_instrument
from onetape.venue.recording import Heard, pushes, read_file
from onetape.venue.server import Venue

Talk = dict[str, Any]
OKX = "capture/okx_v5_public_2022-05-13_BTC-USDT_UNI-USD-SWAP.ws.gz"
BINANCE = "capture/binance_usdm_btcusdt_2024-08-08.gz"


def trade(id_: int, px: str, sz: str, ms: int) -> str:
    row = {"instId": "BTC-USDT", "tradeId": str(id_), "px": px, "sz": sz, "side": "buy", "ts": str(ms)}
    return json.dumps({"arg": {"channel": "trades", "instId": "BTC-USDT"}, "data": [row]})


def book(action: str, ms: int, asks: list[list[str]], bids: list[list[str]]) -> str:
    data = [{"asks": asks, "bids": bids, "ts": str(ms), "checksum": 5}]
    return json.dumps({"arg": {"channel": "books", "instId": "BTC-USDT"}, "action": action, "data": data})


def small() -> list[Heard]:
    """Two minutes: prints at 100, 103, 101.5 and 102, and a book of two levels."""
    at = 1_600_000_000_000  # 40 s after a full minute
    texts = [
        (at, book("snapshot", at, [["101", "1", "0", "1"]], [["100", "2", "0", "1"]])),
        (at + 1_000, trade(1, "100", "0.5", at + 1_000)),
        (at + 2_000, trade(2, "103", "0.25", at + 2_000)),
        (at + 3_000, book("update", at + 3_000, [["101", "0", "0", "0"], ["103.5", "4", "0", "1"]], [])),
        (at + 25_000, trade(3, "101.5", "1", at + 25_000)),
        (at + 26_000, trade(4, "102", "2", at + 26_000)),
    ]
    return [Heard(ms * 1_000, text.replace(": ", ":").replace(", ", ",")) for ms, text in texts]


@asynccontextmanager
async def playing(recording: list[Any], speed: float) -> AsyncIterator[tuple[Venue, aiohttp.ClientSession]]:
    venue = Venue(recording=recording, speed=speed, limits=False)
    await venue.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield venue, session
    finally:
        await venue.stop()


async def hear_all(venue: Venue, socket: Any, channels: list[str], symbol: str) -> list[str]:
    """Every data message until the recording has ended."""
    args = [{"channel": channel, "instId": symbol} for channel in channels]
    await socket.send_str(json.dumps({"op": "subscribe", "args": args}))
    heard: list[str] = []
    while True:
        try:
            message = await socket.receive(timeout=0.5)
        except TimeoutError:
            if venue.finished.is_set():
                return heard
            continue
        if '"data":' in message.data:
            heard.append(message.data)


def test_lines_of_both_layouts_are_read_and_others_left_out(tmp_path: Path) -> None:
    file = tmp_path / "recording.gz"
    first, second = small()[1:3]
    lines = [
        "wss://ws.okx.com:8443/ws/v5/public <-> 1652459224.5300605",
        f"{first.recv_ts / 1e6}: {first.text}",
        '1600000001.0: {"event":"subscribe","arg":{"channel":"trades","instId":"BTC-USDT"}}',
        "nothing",
        "",
        f"{second.recv_ts * 1_000} {second.text}",
    ]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    assert [push.text for push in read_file(file)] == [first.text, second.text]
    plain = tmp_path / "recording.txt"
    plain.write_text("\n".join(lines))
    assert read_file(plain) == read_file(file)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"\x1f\x8bno gzip", b"\xff\xfe\n"])
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(BadInput, match="--recording"):
        read_file(file)


def test_messages_without_sequence_get_one_and_keep_the_rest() -> None:
    first, _, _, second, *_ = pushes(small())
    assert (first.data[0]["prevSeqId"], first.data[0]["seqId"]) == (-1, 1)
    assert (second.data[0]["prevSeqId"], second.data[0]["seqId"]) == (1, 2)
    assert second.text == small()[3].text[:-3] + ',"prevSeqId":1,"seqId":2}]}'
    assert json.loads(second.text)["data"][0]["seqId"] == 2


def test_no_message_is_sent_before_what_it_tells() -> None:
    late = [Heard(heard.recv_ts - 700_000, heard.text) for heard in small()]  # a clock that was 0.7 s behind
    assert [push.ts for push in pushes(late)] == [heard.recv_ts for heard in small()]


def test_the_market_of_a_recording_is_made_of_its_prints() -> None:
    (played,) = by_instrument(pushes(small())).values()
    at = small()[0].recv_ts
    listing = played.listing
    assert (listing.symbol, listing.tick_size, listing.kind) == ("BTC-USDT", "0.1", "SPOT")
    assert played.last(at + 2_000_000) == (1_030, 25_000_000)
    assert [t.id for t in played.latest_trades(at + 25_000_000, 2)] == [3, 2]
    before, after = played.book(at, 5), played.book(at + 3_000_000, 5)
    assert (before.asks.place.tolist(), before.bids.place.tolist()) == ([1_010], [1_000])
    assert (after.asks.place.tolist(), after.asks.lots.tolist(), after.seq) == ([1_035], [400_000_000], 2)


async def test_candles_of_a_recording_come_from_its_prints() -> None:
    async with playing(pushes(small()), speed=100) as (venue, session):
        async with session.ws_connect(f"{venue.ws_url}/public") as socket:
            await hear_all(venue, socket, ["trades"], "BTC-USDT")
        url = f"{venue.rest_url}/api/v5/market/candles"
        async with session.get(url, params={"instId": "BTC-USDT"}) as answer:
            rows = (await answer.json())["data"]
    # first minute: 0.5 at 100 and 0.25 at 103, that is 50 + 25.75 of turnover; the second one: 1 at 101.5, 2 at 102
    assert [row[1:8] for row in rows] == [
        ["101.5", "102", "101.5", "102", "3", "305.5", "305.5"],
        ["100", "103", "100", "103", "0.75", "75.75", "75.75"],
    ]
    assert [row[8] for row in rows] == ["0", "1"]


async def test_okx_messages_are_heard_as_they_were_recorded_and_in_that_order(shared_data: Path) -> None:
    recording = read_file(shared_data / OKX)
    channels = ["books", "trades", "tickers"]
    expected = [push.text for push in recording if push.symbol == "BTC-USDT"]
    async with playing(recording, speed=30) as (venue, session), session.ws_connect(f"{venue.ws_url}/public") as socket:
        assert await hear_all(venue, socket, channels, "BTC-USDT") == expected


def applied(sides: dict[str, dict[str, str]], text: str) -> dict[str, Any]:
    """The book of a plain client: raw price to raw size."""
    message = json.loads(text)
    (data,) = message["data"]
    for name in ("asks", "bids"):
        if message["action"] == "snapshot":
            sides[name] = {}
        for price, size, *_ in data[name]:
            sides[name][price] = size
            if float(size) == 0:
                del sides[name][price]
    return dict(data)


def checksum(sides: dict[str, dict[str, str]]) -> int:
    """The exchange's of 2022: CRC-32 of the best 25 levels, `bid:size:ask:size:...`, signed."""
    bids = sorted(sides["bids"].items(), key=lambda level: -float(level[0]))[:25]
    asks = sorted(sides["asks"].items(), key=lambda level: float(level[0]))[:25]
    parts = []
    for i in range(25):
        parts += [*bids[i : i + 1], *asks[i : i + 1]]
    crc = zlib.crc32(":".join(text for level in parts for text in level).encode())
    return crc - 2**32 if crc >= 2**31 else crc


async def test_every_book_message_reproduces_its_checksum_for_early_and_late_listeners(shared_data: Path) -> None:
    recording = read_file(shared_data / OKX)
    async with playing(recording, speed=5) as (venue, session):
        early = await session.ws_connect(f"{venue.ws_url}/public")
        hearing = asyncio.create_task(hear_all(venue, early, ["books"], "BTC-USDT"))
        await asyncio.sleep(2.0)
        late = await session.ws_connect(f"{venue.ws_url}/public")
        heard = [await hear_all(venue, late, ["books"], "BTC-USDT"), await hearing]
    assert len(heard[1]) == 98
    assert 2 < len(heard[0]) < 98
    for texts in heard:
        sides: dict[str, dict[str, str]] = {}
        last = -1
        for i, text in enumerate(texts):
            data = applied(sides, text)
            assert data["prevSeqId"] == last
            last = data["seqId"]
            if data["checksum"]:  # the snapshot for the late one has none
                assert data["checksum"] == checksum(sides), i


def test_names_and_sizes_of_binance() -> None:
    assert [swap_symbol(name) for name in ("BTCUSDT", "1000PEPEUSDC", "BTCUSD_PERP", "USDT")] == [
        "BTC-USDT-SWAP", "1000PEPE-USDC-SWAP", "", "",
    ]  # fmt: skip
    assert [contracts(coins) for coins in ("0.006", "2.510", "10", "0.000")] == ["0.6", "251", "1000", "0"]


def test_a_level_that_enters_the_best_400_is_told_and_one_that_leaves_deleted() -> None:
    converter = Converter()
    asks = [[f"{1_000 + i}", "1"] for i in range(401)]
    converter.convert({"data": {"e": "bookTicker", "s": "BTCUSDT"}})
    assert converter.convert({"lastUpdateId": 5, "T": 1, "bids": [["999", "1"]], "asks": asks}) == []  # whose is it?
    delta = {"e": "depthUpdate", "s": "BTCUSDT", "T": 2, "U": 6, "u": 7, "pu": 5, "b": [], "a": [["1000", "0"]]}
    assert converter.convert({"data": delta}) == []  # nothing to build on
    converter.convert({"lastUpdateId": 7, "T": 3, "bids": [["999", "1"]], "asks": asks})
    old = delta | {"u": 7}
    new = delta | {"u": 9, "pu": 7, "T": 4}
    ((*_, nothing),) = [converter.convert({"data": old}), ([],)][1:]
    assert nothing == []
    ((symbol, channel, action, (row,), _),) = converter.convert({"data": new})
    assert (symbol, channel, action) == ("BTC-USDT-SWAP", "books", "update")
    assert row["asks"] == [["1400", "100", "0", "1"], ["1000", "0", "0", "0"]]
    assert (row["prevSeqId"], row["seqId"], row["bids"]) == (7, 9, [])


def delta(first: int, last: int, before: int, ms: int, ask: str = "1000") -> str:
    data = {
        "e": "depthUpdate",
        "s": "BTCUSDT",
        "T": ms,
        "U": first,
        "u": last,
        "pu": before,
        "b": [],
        "a": [[ask, "3"]],
    }
    return json.dumps({"stream": "btcusdt@depth", "data": data})


def rest(last: int, ms: int) -> str:
    return json.dumps({"lastUpdateId": last, "T": ms, "bids": [["999", "1"]], "asks": [["1000", "1"]]})


def chain(*texts: str) -> list[tuple[int, int]]:
    """`prevSeqId` and `seqId` of the book messages that become of Binance's."""
    rows = [push.data[0] for push in pushes([Heard(i * 1_000, text) for i, text in enumerate(texts)])]
    return [(row["prevSeqId"], row["seqId"]) for row in rows]


def test_updates_that_were_heard_before_the_late_snapshot_follow_it() -> None:
    early = (delta(1, 10, 0, 1), delta(12, 20, 10, 2), delta(21, 30, 20, 3))
    assert chain(*early, rest(15, 4), delta(31, 40, 30, 5)) == [(-1, 15), (15, 20), (20, 30), (30, 40)]
    assert chain(*early, rest(20, 4), delta(31, 40, 30, 5)) == [(-1, 20), (20, 30), (30, 40)]
    assert chain(*early, rest(35, 4), delta(31, 40, 30, 5)) == [(-1, 35), (35, 40)]


def test_an_early_update_that_lacks_something_costs_no_snapshot() -> None:
    for harm in ({"pu": None}, {"u": "x"}, {"a": [["?", "1"]]}, {"T": None, "a": 5}):
        message = json.loads(delta(12, 20, 10, 2))
        message["data"] |= harm
        texts = (delta(1, 10, 0, 1), json.dumps(message), delta(21, 30, 20, 3), rest(10, 4), delta(31, 40, 30, 5))
        assert chain(*texts) == [(-1, 10), (20, 30), (30, 40)]


def test_the_chain_is_broken_exactly_where_that_of_binance_is() -> None:
    start = (delta(1, 10, 0, 1), rest(10, 2))
    assert chain(*start, delta(11, 20, 10, 3), delta(31, 40, 30, 4), delta(41, 50, 40, 5)) == [
        (-1, 10), (10, 20), (30, 40), (40, 50),
    ]  # fmt: skip
    assert chain(*start, delta(21, 30, 20, 3)) == [(-1, 10), (20, 30)]  # the first one begins too late
    assert chain(*start, delta(11, 20, 10, 3), delta(16, 30, 15, 4)) == [(-1, 10), (10, 20), (15, 30)]
    mended = (*start, delta(11, 20, 10, 3), delta(31, 40, 30, 4), delta(41, 50, 40, 5), rest(45, 6))
    assert chain(*mended, delta(51, 60, 50, 7))[-3:] == [(-1, 45), (45, 50), (50, 60)]


async def test_where_a_recorded_chain_is_broken_there_is_no_book_until_the_next_snapshot() -> None:
    at = 1_600_000_000_000
    texts = [
        delta(1, 10, 0, at), rest(10, at), delta(11, 20, 10, at + 1_000, "1001"), delta(31, 40, 30, at + 2_000, "1002"),
        delta(41, 50, 40, at + 3_000, "1003"), delta(51, 60, 50, at + 4_000, "1004"), rest(50, at + 4_000),
    ]  # fmt: skip
    recording = pushes([Heard((at + i * 1_000) * 1_000, text) for i, text in enumerate(texts)])
    (played,) = by_instrument(recording).values()
    seen = [played.book((at + i * 1_000) * 1_000, 5) for i in range(7)]
    asks = [book.asks.place.tolist() for book in seen]
    assert asks == [[], [1_000], [1_000, 1_001], [], [], [], [1_000, 1_004]]
    assert [book.seq for book in seen] == [0, 10, 20, 0, 0, 0, 60]
    async with playing(recording[:3], speed=1_000) as (venue, session):
        async with session.ws_connect(f"{venue.ws_url}/public") as socket:
            await hear_all(venue, socket, ["books"], "BTC-USDT-SWAP")
        url = f"{venue.rest_url}/api/v5/market/books"
        async with session.get(url, params={"instId": "BTC-USDT-SWAP", "sz": "5"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (503, "50001")


def test_a_whole_binance_recording_becomes_a_book_and_prints_that_agree_with_it(
    shared_data: Path, tmp_path: Path
) -> None:
    lines = gzip.decompress((shared_data / BINANCE).read_bytes()).splitlines()[:12_000]
    part = tmp_path / "part"
    part.write_bytes(b"\n".join(lines))
    recording = read_file(part)
    messages = [json.loads(line.split(b" ", 1)[1]) for line in lines]
    (snapshot,) = (message for message in messages if "lastUpdateId" in message)
    told = [message["data"] for message in messages if "data" in message]
    trades = [(str(d["t"]), float(d["p"]), float(d["q"])) for d in told if d["e"] == "trade"]
    later = [d for d in told if d["e"] == "depthUpdate" and d["u"] > snapshot["lastUpdateId"]]
    assert messages.index(snapshot) > next(i for i, m in enumerate(messages) if m.get("data") is later[0])  # it is late
    theirs = {name: {float(p): float(q) for p, q in snapshot[name]} for name in ("asks", "bids")}
    for data in later:
        for name, key in (("asks", "a"), ("bids", "b")):
            theirs[name] |= {float(p): float(q) for p, q in data[key]}
    mine: dict[str, dict[str, str]] = {}
    last = -1
    for push in recording:
        if push.channel == "books":
            data = applied(mine, push.text)
            assert data["prevSeqId"] == last
            last = data["seqId"]
            assert max(len(mine["asks"]), len(mine["bids"])) <= 400
    for name, sign in (("asks", 1), ("bids", -1)):
        best = sorted((sign * p, q) for p, q in theirs[name].items() if q)[:400]
        got = sorted((sign * float(p), float(q)) for p, q in mine[name].items())
        assert [(p, round(q * 100, 6)) for p, q in best] == got
    rows = [push.data[0] for push in recording if push.channel == "trades"]
    assert [(r["tradeId"], float(r["px"]), round(float(r["sz"]) / 100, 8)) for r in rows] == trades
    assert len(trades) == 1_920
    assert [push.data[0]["seqId"] for push in recording if push.action == "update"] == [data["u"] for data in later]


Open = Callable[..., Any]
