"""Raw messages in a real PostgreSQL, and with all of them in the archive."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from onetape.archive.folder import Files
from onetape.archive.frames import ArchivedRawStore
from onetape.archive.moving import archive
from onetape.domain.market import RawFrame
from onetape.domain.parts import Which
from onetape.domain.units import DAY, parse_time
from onetape.ports import RawStore
from onetape.storage.raw import PgRawStore
from onetape.storage.shelf import PgShelf


class Shelved(ArchivedRawStore):
    """Everything leaves the database after each append."""

    async def append(self, frames: Sequence[RawFrame]) -> int:
        new = await super().append(frames)
        await archive(self._shelf, self._files, Which(), lambda _: None)
        return new


@pytest.fixture(params=["postgres", "archive"])
def store(request: pytest.FixtureRequest, pool: Any, tmp_path: Path) -> RawStore:
    if request.param == "postgres":
        return PgRawStore(pool)
    later = SimpleNamespace(now=lambda: NOON + 30 * DAY)
    return Shelved(PgRawStore(pool), PgShelf(pool), Files(tmp_path), later, 0.0)


NOON = parse_time("2026-01-04T23:59:59.999")  # a Sunday: the next second is in the next weekly partition


def frame(seq: int, ts: int = NOON, data: bytes = b'{"z":1,  "a":[2.50]}', recv_ts: int = NOON + 7) -> RawFrame:
    return RawFrame("okx", "BTC-USDT", "trades", ts, recv_ts, seq, data)


async def test_messages_of_one_millisecond_are_all_kept_byte_for_byte(store: RawStore) -> None:
    frames = [frame(1), frame(2, data='{"p":"1e400","é":"\\u0000"}'.encode()), frame(3, NOON + 1_000_000)]
    assert await store.append(frames) == 3
    assert await store.tail("okx", "BTC-USDT", "trades", 10) == frames
    assert await store.tail("okx", "BTC-USDT", "trades", 2) == frames[1:]


async def test_a_message_already_there_is_not_stored_again(store: RawStore) -> None:
    await store.append([frame(1)])
    assert await store.append([frame(1), frame(2)]) == 1


async def test_an_answer_that_is_asked_for_again_is_not_stored_again(store: RawStore) -> None:
    def answer(seq: int, recv_ts: int, data: bytes = b'{"data":[]}', ts: int = NOON) -> RawFrame:
        return RawFrame("okx", "BTC-USDT", "trades_rest", ts, recv_ts, seq, data)

    assert await store.append([answer(1, NOON), answer(2, NOON + 1), answer(3, NOON, b'{"data":[ ]}')]) == 2
    assert await store.append([answer(1, NOON + 7), answer(2, NOON + 8, ts=NOON + 1)]) == 1
    kept = await store.tail("okx", "BTC-USDT", "trades_rest", 9)
    assert [(f.ts - NOON, f.recv_ts - NOON) for f in kept] == [(0, 0), (0, 0), (1, 8)]


async def test_sequence_numbers_that_start_anew_lose_nothing(store: RawStore) -> None:
    assert await store.append([frame(1), frame(1, data=b"{}", recv_ts=NOON + 90)]) == 2


async def test_a_message_that_is_no_json_is_kept_as_text(store: RawStore) -> None:
    assert await store.append([frame(1, data=b"pong"), frame(2, data=b"\xff")]) == 2
    assert [f.data for f in await store.tail("okx", "BTC-USDT", "trades", 2)] == [b'"pong"', '"\ufffd"'.encode()]


async def test_channels_are_read_together_in_the_order_of_receipt(store: RawStore) -> None:
    frames = [
        RawFrame("okx", "BTC-USDT", channel, NOON + ts, NOON + recv, seq, b'{"a": 1}')
        for channel, ts, recv, seq in (("trades", 5, 9, 2), ("book", 7, 8, 1), ("trades", 20, 30, 3), ("bbo", 6, 7, 4))
    ]
    await store.append(frames)
    pages = [page async for page in store.read("okx", "BTC-USDT", ("trades", "book"), NOON, NOON + 20)]
    assert [one.recv_ts - NOON for page in pages for one in page] == [8, 9]
