"""Raw messages in a real PostgreSQL."""

from __future__ import annotations

from typing import Any

from onetape.domain.market import RawFrame
from onetape.domain.units import parse_time
from onetape.storage.raw import PgRawStore

NOON = parse_time("2026-01-04T23:59:59.999")  # a Sunday: the next second is in the next weekly partition


def frame(seq: int, ts: int = NOON, data: bytes = b'{"z":1,  "a":[2.50]}', recv_ts: int = NOON + 7) -> RawFrame:
    return RawFrame("okx", "BTC-USDT", "trades", ts, recv_ts, seq, data)


async def test_messages_of_one_millisecond_are_all_kept_byte_for_byte(pool: Any) -> None:
    store = PgRawStore(pool)
    frames = [frame(1), frame(2, data='{"p":"1e400","é":"\\u0000"}'.encode()), frame(3, NOON + 1_000_000)]
    assert await store.append(frames) == 3
    assert await store.tail("okx", "BTC-USDT", "trades", 10) == frames
    assert await store.tail("okx", "BTC-USDT", "trades", 2) == frames[1:]


async def test_a_message_already_there_is_not_stored_again(pool: Any) -> None:
    store = PgRawStore(pool)
    await store.append([frame(1)])
    assert await store.append([frame(1), frame(2)]) == 1


async def test_sequence_numbers_that_start_anew_lose_nothing(pool: Any) -> None:
    store = PgRawStore(pool)
    assert await store.append([frame(1), frame(1, data=b"{}", recv_ts=NOON + 90)]) == 2


async def test_a_message_that_is_no_json_is_kept_as_text(pool: Any) -> None:
    store = PgRawStore(pool)
    assert await store.append([frame(1, data=b"pong"), frame(2, data=b"\xff")]) == 2
    assert [f.data for f in await store.tail("okx", "BTC-USDT", "trades", 2)] == [b'"pong"', '"\ufffd"'.encode()]


async def test_channels_are_read_together_in_the_order_of_receipt(pool: Any) -> None:
    store = PgRawStore(pool)
    frames = [
        RawFrame("okx", "BTC-USDT", channel, NOON + ts, NOON + recv, seq, b'{"a": 1}')
        for channel, ts, recv, seq in (("trades", 5, 9, 2), ("book", 7, 8, 1), ("trades", 20, 30, 3), ("bbo", 6, 7, 4))
    ]
    await store.append(frames)
    pages = [page async for page in store.read("okx", "BTC-USDT", ("trades", "book"), NOON, NOON + 20)]
    assert [one.recv_ts - NOON for page in pages for one in page] == [8, 9]
