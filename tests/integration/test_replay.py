"""`onetape replay` and `onetape data verify` over messages in a real database and in the archive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from onetape.app.wiring import Platform, open_platform
from onetape.archive.moving import archive
from onetape.cli.main import main
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, Gap, Origin, RawFrame
from onetape.domain.parts import Which
from onetape.domain.units import SECOND, Micros, parse_time
from onetape.settings import Settings

NOON = parse_time("2026-03-01T12:00")


def message(channel: str, name: str, ts: Micros, seq: int, rows: list[Any], action: str = "") -> RawFrame:
    """`channel` as OKX calls it, `name` as we do; received 3 ms later."""
    document: dict[str, Any] = {"arg": {"channel": channel, "instId": "BTC-USDT"}, "data": rows}
    if action:
        document["action"] = action
    text = json.dumps(document, separators=(",", ":")).encode()
    return RawFrame("okx", "BTC-USDT", name, ts, ts + 3_000, seq, text)


def trade(seconds: float, price: str, number: int) -> RawFrame:
    ts = NOON + round(seconds * SECOND)
    row = {"instId": "BTC-USDT", "tradeId": str(number), "px": price, "sz": "0.5", "side": "buy", "ts": str(ts // 1000)}
    return message("trades", "trades", ts, number, [row])


def minute(number: int, close: str) -> RawFrame:
    ts = NOON + number * 60 * SECOND
    row = [str(ts // 1000), "100", "110", "90", close, "7.5", "750", "750", "1"]
    return message("candle1m", "candles:1m", ts, 1_000 + number, [row])


def book(seconds: float, seq: int, before: int, bid: str, action: str = "update", name: str = "book") -> RawFrame:
    ts = NOON + round(seconds * SECOND)
    row: dict[str, Any] = {"bids": [[bid, "1", "0", "1"]], "asks": [], "ts": str(ts // 1000), "seqId": seq}
    if name == "book5":
        return message("books5", name, ts, 2_000 + seq, [row])
    return message("books", name, ts, 2_000 + seq, [{**row, "prevSeqId": before}], action)


FRAMES = [
    *(trade(i * 9.7, str(100 + i), i + 1) for i in range(20)),
    *(minute(i, str(101.5 + i)) for i in range(3)),
    book(1, 10, -1, "99", "snapshot"),
    book(2, 12, 10, "99.5"),
    book(2.01, 12, 0, "99.5", name="book5"),
]


def stored_minutes(closes: list[float]) -> CandleFrame:
    """What the messages of `minute` say."""
    return CandleFrame.from_candles(
        Candle("okx", "BTC-USDT", "1m", (ts := NOON + i * 60 * SECOND), ts + 60 * SECOND, 100, 110, 90, close, 7.5, 750)
        for i, close in enumerate(closes)
    )


def built(first: float, second: float) -> CandleFrame:
    """30s candles of the trades at 38.8, 48.5, 58.2 s (104, 105, 106) and at 67.9, 77.6, 87.3 s (107, 108, 109)."""
    rows = [(30, 104, 106, 104, first), (60, 107, 109, 107, second)]
    return CandleFrame.from_candles(
        Candle(
            "okx", "BTC-USDT", "30s", (ts := NOON + at * SECOND), ts + 30 * SECOND, opened, high, low, close, 1.5,
            (opened + opened + 1 + high) / 2, Origin.BUILT,
        )
        for at, opened, high, low, close in rows
    )  # fmt: skip


Command = Callable[..., tuple[int, str]]
Work = Callable[[Platform], Awaitable[Any]]


@pytest.fixture
def on(tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], Any]:
    """Does something on the opened platform; the commands find the same one."""
    given = {"data_dir": str(tmp_path), "database_url": database_url, "redis_url": redis_url}
    for name, value in given.items():
        monkeypatch.setenv(f"ONETAPE_{name.upper()}", value)

    def run(work: Work) -> Any:
        async def opened() -> Any:
            async with open_platform(Settings()) as platform:
                return await work(platform)

        return asyncio.run(opened())

    return run


async def fill(platform: Platform) -> None:
    await platform.raw.append(FRAMES)
    await platform.candles.append(stored_minutes([101.5, 102.5, 103.5]))
    await platform.candles.append(built(106, 109))


def verify(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, dict[str, Any]]:
    code = main(["data", "verify", "--symbol", "BTC-USDT", "--json", *flags])
    return code, json.loads(capsys.readouterr().out)


def test_what_is_stored_is_what_the_messages_make(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    on(fill)
    code, found = verify(capsys)
    counts = {name: found[name] for name in ("messages", "candles", "built", "books", "differences")}
    # of the 30s candles the first is not whole, the last three are built and were not stored
    assert counts == {"messages": 26, "candles": 3, "built": 5, "books": 1, "differences": 3}
    assert found["first_difference"] == "2026-03-01T12:01:30Z candle 30s: the messages have it, and it is not stored."
    code, found = verify(capsys, "--until", "2026-03-01T12:01:30")
    assert (code, found["built"], found["differences"]) == (0, 1, 0)


def test_the_first_difference_is_named_and_the_exit_code_is_3(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    async def wrong(platform: Platform) -> None:
        await platform.raw.append(FRAMES)
        await platform.candles.append(stored_minutes([101.5, 102.25, 103.5]))

    on(wrong)
    code, found = verify(capsys)
    assert (code, found["differences"]) == (3, 1)
    assert (
        found["first_difference"] == "2026-03-01T12:01:00Z candle 1m: close is stored as 102.25, rebuilt it is 102.5."
    )
    assert main(["data", "verify", "--symbol", "BTC-USDT"]) == 3
    assert "stored and rebuilt differ" in capsys.readouterr().out


def test_a_candle_that_was_corrected_later_was_right_at_its_time(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    async def corrected(platform: Platform) -> None:
        await platform.raw.append(FRAMES)
        await platform.candles.append(stored_minutes([101.5, 102.5, 103.5]))
        await platform.candles.append(stored_minutes([101.5, 102.75, 103.5]))

    on(corrected)
    assert verify(capsys)[0] == 0


def test_where_no_message_lies_nothing_is_proved(on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str]) -> None:
    on(fill)
    code, found = verify(capsys, "--since", "2026-03-02", "--until", "2026-03-03")
    assert (code, found["proved"], found["messages"]) == (3, False, 0)
    assert main(["data", "verify", "--symbol", "BTC-USDT", "--since", "2026-03-02", "--until", "2026-03-03"]) == 3
    assert "no message lies in that time, so nothing could be proved" in capsys.readouterr().out


def test_a_candle_of_the_venue_that_no_message_says_is_a_difference_unless_its_gap_is_on_record(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    async def silent(platform: Platform) -> None:
        await platform.raw.append([*FRAMES[:21], *FRAMES[22:]])  # without the message of the minute after noon
        await platform.candles.append(stored_minutes([101.5, 102.5, 103.5]))

    async def noted(platform: Platform) -> None:
        start = NOON + 60 * SECOND
        await platform.candles.add_gaps([Gap("okx", "BTC-USDT", "candles:1m", start, start + 60 * SECOND, "lost")])

    on(silent)
    code, found = verify(capsys)
    assert (code, found["differences"], found["backfilled"]) == (3, 1, 0)
    said = "2026-03-01T12:01:00Z candle 1m: stored as received from the venue, and no stored message says it."
    assert found["first_difference"] == said
    on(noted)
    code, found = verify(capsys)
    assert (code, found["differences"], found["backfilled"], found["proved"]) == (0, 0, 1, True)


def test_a_broken_book_is_a_difference_unless_its_gap_is_on_record(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    lost = book(3, 15, 13, "98")

    async def broken(platform: Platform) -> None:
        await platform.raw.append([*FRAMES, lost])
        await platform.candles.append(stored_minutes([101.5, 102.5, 103.5]))

    async def noted(platform: Platform) -> None:
        await platform.candles.add_gaps([Gap("okx", "BTC-USDT", "book", NOON + 2 * SECOND, lost.ts, "lost")])

    on(broken)
    code, found = verify(capsys)
    assert (code, found["differences"]) == (3, 1)
    assert found["first_difference"].startswith("2026-03-01T12:00:03Z an update of the book is missing before this one")
    on(noted)
    assert verify(capsys)[0] == 0


def test_a_replay_says_the_same_from_the_database_and_from_the_archive(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    on(fill)
    flags = ["--symbol", "BTC/USDT", "--speed", "max", "--build", "30s", "--json"]

    def played(*more: str) -> dict[str, Any]:
        assert main(["replay", *flags, *more]) == 0
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    before = played()
    assert (before["frames"], before["events"]["print"], before["events"]["candle"]) == (26, 20, 3)

    async def move(platform: Platform) -> None:
        moved = await archive(platform.shelf, platform.files, Which(kind="raw"), lambda _: None)
        assert moved.released == 26

    on(move)
    after = played()
    assert (after["digest"], after["events"]) == (before["digest"], before["events"])
    assert played("--channels", "trades", "--until", "2026-03-01T12:00:30")["frames"] == 4
    assert verify(capsys, "--until", "2026-03-01T12:01:30")[0] == 0


async def repaired(platform: Platform) -> None:
    """The trades 6 to 8 were missed, and fetched a minute later in one answer with their neighbours."""
    missed = FRAMES[5:8]
    rows = [json.loads(one.data)["data"][0] for one in reversed(FRAMES[4:9])]
    answer = json.dumps({"code": "0", "msg": "", "data": rows}).encode()
    newest = FRAMES[8].ts
    rest = RawFrame("okx", "BTC-USDT", "trades_rest", newest, newest + 60 * SECOND, 1, answer)
    await platform.raw.append([*(one for one in FRAMES if one not in missed), rest])
    hole = Gap("okx", "BTC-USDT", "trades", FRAMES[4].ts, FRAMES[8].ts, "connection lost")
    await platform.candles.close_gaps([hole], "backfilled from trades")


def test_a_repaired_span_is_played_without_its_hole(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    on(repaired)
    assert main(["replay", "--symbol", "BTC-USDT", "--speed", "max", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["events"]["print"], found["repaired"]) == (20, 3)


def test_bars_are_made_of_the_stored_trades(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    on(repaired)
    wish = ["data", "bars", "--symbol", "BTC-USDT", "--size"]
    assert main([*wish, "7t", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["trades"], found["bars_made"], found["trades_after_last_bar"]) == (20, 2, 6)
    first, second = found["bars"]  # prices rise by one with each trade, from 100
    assert (first["open"], first["close"], first["volume"], first["trades"]) == (100, 106, 3.5, 7)
    assert (second["open_time"], second["close"]) == ("2026-03-01T12:01:07.900000Z", 113)

    file = tmp_path / "bars.csv"
    assert main([*wish, "1v", "-o", str(file), "--until", "2026-03-01T12:01"]) == 0
    assert "7 trades make 3 bars of 1v; 1 after the last bar are in none" in capsys.readouterr().out
    lines = file.read_text().splitlines()
    assert lines[0] == "exchange,symbol,size,open_time,close_time,open,high,low,close,volume,turnover,trades"
    times = "2026-03-01T12:00:00.000000Z,2026-03-01T12:00:09.700000Z"
    assert lines[1] == f"okx,BTC-USDT,1v,{times},100.0,101.0,100.0,101.0,1.0,100.5,2"
    assert main([*wish, "1v", "-o", str(tmp_path / "bars.parquet")]) == 0
    assert pl.read_parquet(tmp_path / "bars.parquet")["trades"].to_list() == [2] * 10
    assert main([*wish, "7x"]) == 2


def test_the_only_exchange_that_has_the_symbol_is_meant(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    async def elsewhere(platform: Platform) -> None:
        await platform.raw.append([msgspec.structs.replace(one, exchange="elsewhere") for one in FRAMES])

    on(elsewhere)
    assert main(["replay", "--symbol", "BTC-USDT", "--speed", "max", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["exchange"] == "elsewhere"


@pytest.mark.parametrize("flags", [["--speed", "fast"], ["--channels", "rumours"], ["--symbol", "XYZ-USDT"]])
def test_a_wrong_wish_is_refused_in_a_sentence(
    on: Callable[[Work], Any], capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    on(fill)
    assert main(["replay", "--symbol", "BTC-USDT", *flags]) == 2
    assert capsys.readouterr().err.startswith("onetape replay: ")
