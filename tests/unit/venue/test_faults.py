"""The fault script: what each kind does to a client, one at a time, and how a file of it is read."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from onetape.domain.errors import BadInput
from onetape.venue.faults import Fault, Faults, Kind, read_script
from onetape.venue.journal import Journal
from onetape.venue.tamper import About, Tampering

SYMBOL = "BTC-USDT"
Open = Callable[..., Any]
Talk = dict[str, Any]


def tampered(fault: Fault, *texts: str, channel: str = "books", rank: int = 0, url: str = "public") -> list[str]:
    tampering = Tampering(url, Faults(active={0: fault}))
    return [out for text in texts for out in tampering.pass_on(text, About(channel, SYMBOL, rank))]


def test_a_frozen_stream_says_nothing_and_its_neighbours_go_on() -> None:
    fault = Fault(kind=Kind.FREEZE, for_s=1, channel="books")
    assert tampered(fault, "a", "b") == []
    assert tampered(fault, "a", channel="books5") == ["a"]


def test_only_the_first_messages_are_skipped_for_each_listener() -> None:
    faults = Faults(active={0: Fault(kind=Kind.SKIP, count=2)})
    first, second = Tampering("public", faults), Tampering("public", faults)
    heard = [first.pass_on(text, About("books", SYMBOL, 0)) for text in "abc"]
    assert heard == [[], [], ["c"]]
    assert second.pass_on("c", About("books", SYMBOL, 1)) == []
    again = Tampering("public", faults)  # the first has come back: its messages have been counted
    assert again.pass_on("d", About("books", SYMBOL, 0)) == ["d"]


def test_every_two_messages_change_places_and_the_last_one_is_released() -> None:
    tampering = Tampering("public", Faults(active={3: Fault(kind=Kind.REORDER, for_s=1)}))
    heard = [out for text in "abcde" for out in tampering.pass_on(text, About("trades", SYMBOL, 0))]
    assert heard == ["b", "a", "d", "c"]
    assert tampering.release(3) == ["e"]
    assert tampering.release(3) == []


def test_duplicates_and_garbled_messages() -> None:
    assert tampered(Fault(kind=Kind.DUPLICATE, for_s=1), "ab") == ["ab", "ab"]
    assert tampered(Fault(kind=Kind.GARBLE, count=1), "abcd", "efgh") == ["ab", "efgh"]


def test_noise_leaves_the_message_readable_with_one_more_field() -> None:
    message = '{"arg":{"channel":"trades"},"data":[]}'
    noise, kept = tampered(Fault(kind=Kind.NOISE, for_s=1), message)
    assert noise != message
    assert json.loads(kept).items() >= json.loads(message).items()
    assert "newField" in json.loads(kept)


def test_one_listener_can_be_hit_alone() -> None:
    fault = Fault(kind=Kind.FREEZE, for_s=1, listener=1)
    assert tampered(fault, "a", rank=0) == ["a"]
    assert tampered(fault, "a", rank=1) == []


def test_candle_means_all_candle_channels() -> None:
    fault = Fault(kind=Kind.FREEZE, for_s=1, channel="candle", url="business")
    assert tampered(fault, "a", channel="candle1m", url="business") == []
    assert tampered(fault, "a", channel="trades-all", url="business") == ["a"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{", "not JSON"),
        ("", "not a list of faults"),
        ('{"kind": "drop"}', "not a list of faults"),
        ('[{"kind": "rain"}]', "rain"),
        ('[{"kind": "drop", "when": 5}]', "Known keys: kind, at_s"),
        ('[{"kind": "drop", "at_s": -1}]', "0 or more"),
        ('[{"kind": "freeze"}]', "freeze needs for_s"),
        ('[{"kind": "skew", "for_s": 5}]', "skew needs ms"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused_with_the_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "faults.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=words):
        read_script(file)


def test_a_script_is_played_in_the_order_of_its_times(tmp_path: Path) -> None:
    file = tmp_path / "faults.json"
    file.write_text('[{"kind": "drop", "at_s": 9}, {"kind": "restart", "at_s": 2}]')
    assert [fault.kind for fault in read_script(file)] == [Kind.RESTART, Kind.DROP]
    with pytest.raises(BadInput, match="cannot be read"):
        read_script(tmp_path / "nothing.json")


async def test_the_script_begins_with_the_first_subscription(opened: Open, talk: Talk) -> None:
    async with (
        opened(speed=600, faults=[Fault(kind=Kind.DROP, at_s=0.05)]) as client,
        client.connect("public") as socket,
    ):
        await asyncio.sleep(0.15)
        assert client.venue.injected == []
        await talk["subscribe"](socket, "trades")
        while (await socket.receive(timeout=30)).type == aiohttp.WSMsgType.TEXT:
            pass
        (done,) = client.venue.injected
    assert done.fault.kind is Kind.DROP
    assert done.start_ts <= done.end_ts


async def test_requests_are_refused_for_a_while_by_endpoint(opened: Open) -> None:
    async with opened() as client:
        fault = Fault(kind=Kind.REFUSE, for_s=0.3, url="rest", channel="trades", status=429, code="50011")
        going = asyncio.create_task(client.venue.inject(fault))
        await asyncio.sleep(0)
        status, body = await client.get("market/trades", instId=SYMBOL)
        assert (status, body["code"]) == (429, "50011")
        await client.data("market/ticker", instId=SYMBOL)
        await going
        await client.data("market/trades", instId=SYMBOL)


async def test_a_skewed_clock_tells_another_time_and_prints_keep_theirs(opened: Open) -> None:
    async with opened(speed=0.001) as client:
        (before,) = await client.data("public/time")
        (print_,) = await client.data("market/trades", instId=SYMBOL, limit="1")
        going = asyncio.create_task(client.venue.inject(Fault(kind=Kind.SKEW, for_s=0.5, ms=90_000)))
        await asyncio.sleep(0)
        (skewed,) = await client.data("public/time")
        (book,) = await client.data("market/books", instId=SYMBOL)
        assert int(skewed["ts"]) - int(before["ts"]) == pytest.approx(90_000, abs=50)
        assert int(book["ts"]) - int(before["ts"]) == pytest.approx(90_000, abs=50)
        assert await client.data("market/trades", instId=SYMBOL, limit="1") == [print_]
        await going


async def test_an_upgrade_is_announced_before_the_line_is_closed(opened: Open, talk: Talk) -> None:
    async with opened() as client, client.connect("public") as socket:
        await talk["subscribe"](socket, "trades")
        await talk["hear"](socket, lambda m: m.get("event") == "subscribe")
        going = asyncio.create_task(client.venue.inject(Fault(kind=Kind.UPGRADE, for_s=0.2)))
        notice = await talk["hear"](socket, lambda m: m.get("event") == "notice")
        assert notice["code"] == "64008"
        while (message := await socket.receive(timeout=30)).type == aiohttp.WSMsgType.TEXT:
            pass
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        await going


async def test_one_silent_line_does_not_silence_the_other(opened: Open, talk: Talk) -> None:
    async with opened(speed=600) as client, client.connect("public") as first, client.connect("public") as second:
        for socket in (first, second):
            await talk["subscribe"](socket, "trades")
            await talk["hear"](socket, lambda m: "data" in m)
        going = asyncio.create_task(client.venue.inject(Fault(kind=Kind.SILENT, for_s=0.4, listener=0)))
        await talk["hear"](second, lambda m: "data" in m)
        await talk["hear"](second, lambda m: "data" in m)
        await going
        await talk["hear"](first, lambda m: "data" in m)


async def test_a_slow_line_brings_everything_later(opened: Open, talk: Talk) -> None:
    async with opened() as client, client.connect("public") as socket:
        fault = Fault(kind=Kind.SLOW, for_s=5, ms=150)
        going = asyncio.create_task(client.venue.inject(fault))
        await asyncio.sleep(0)
        began = time.monotonic()
        await talk["say"](socket, "ping")
        assert (await socket.receive(timeout=30)).data == "pong"
        assert time.monotonic() - began >= 0.15
        going.cancel()


async def test_the_ledger_holds_every_print_that_somebody_could_have_heard(
    opened: Open, talk: Talk, tmp_path: Path
) -> None:
    async with opened(speed=600) as client, client.connect("business") as socket:
        await talk["subscribe"](socket, "trades-all")
        heard = [(await talk["hear"](socket, lambda m: "data" in m))["data"][0] for _ in range(40)]
        venue = client.venue
        since = venue.listened_since(SYMBOL)
        assert since is not None
        truth = venue.prints(SYMBOL, since, int(heard[-1]["ts"]) * 1_000)
        assert heard == truth
        assert venue.write_ledger(tmp_path / "ledger") >= 40
        lines = [json.loads(line) for line in (tmp_path / "ledger").read_text().splitlines()]
        assert lines[:40] == heard
        minute = since // 60_000_000 * 60_000_000
        bars = venue.bars(SYMBOL, "1m", minute - 600_000_000, minute)
        assert len(bars) == 10
        asked = await client.data("market/history-candles", instId=SYMBOL, after=str(minute // 1_000), limit="10")
        assert asked == bars[::-1]


async def test_a_revised_candle_is_told_short_and_then_whole_and_the_journal_has_both(opened: Open, talk: Talk) -> None:
    journal = Journal()
    fault = Fault(kind=Kind.REVISE, count=1, channel="candle1m")
    async with opened(speed=600, journal=journal, faults=[fault]) as client, client.connect("business") as socket:
        await talk["subscribe"](socket, "candle1m")
        closed: list[list[str]] = []
        while len(closed) < 3:
            message = await talk["hear"](socket, lambda m: "data" in m)
            closed += [row for row in message["data"] if row[8] == "1"]
        truth = await client.data("market/history-candles", instId=SYMBOL, after=str(int(closed[-1][0]) + 1), limit="9")
    (one,) = journal.revised
    wrong = closed.index(one.first)
    assert closed[wrong + 1] == one.then
    assert one.then in truth
    assert float(one.first[5]) < float(one.then[5])
    assert {json.dumps(json.loads(said.text)["data"][0]) for said in journal.said} >= {
        json.dumps(row) for row in closed
    }


async def test_the_journal_has_every_message_and_says_which_were_kept_from_a_listener(opened: Open, talk: Talk) -> None:
    journal = Journal()
    async with opened(speed=60, journal=journal) as client, client.connect("public") as socket:
        await talk["subscribe"](socket, "books", "tickers")
        await talk["hear"](socket, lambda m: m.get("action") == "update")
        await client.venue.inject(Fault(kind=Kind.SKIP, channel="books", count=1))
        async with asyncio.timeout(30):
            while not any(said.harmed for said in journal.said):
                await asyncio.sleep(0.05)
    books = [json.loads(said.text)["data"][0] for said in journal.said if said.channel == "books"]
    assert [row["prevSeqId"] for row in books[1:]] == [row["seqId"] for row in books[:-1]]
    assert {said.channel for said in journal.said if said.harmed} == {"books"}
    assert {said.channel for said in journal.greeted} == {"books", "tickers"}
    assert journal.moments[0].seq == books[0]["seqId"]
    assert len(journal.moments[0].bids) == 400
