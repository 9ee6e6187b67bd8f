"""Messages that PostgreSQL could choke on: whatever a venue sends, the batch it comes in is stored."""

from __future__ import annotations

from typing import Any

from onetape.domain.market import RawFrame
from onetape.storage.raw import PgRawStore

TS = 1_560_000_000_000_000
ODD = [
    b"", b"\x00", b"\xff\xfe", b"pong", b"null", b"NaN", b'"\x00"', b'"\\u0000"', b'"\\ud800"', b'{"a":1,"a":2}', b"{",
    b"1e999999", b"9" * 5_000, b"[" * 900 + b"]" * 900, b'{"a":' * 900 + b"1" + b"}" * 900, b'"\xf4\x90\x80\x80"',
    b"[" * 20_000 + b"]" * 20_000, b"[" * 200_000, b'{"arg":{"channel":"trades"},"data":[]}', b'  {"spaced" : 1}  ',
    b'"' + b"x" * 300_000 + b'"',
]  # fmt: skip


async def test_every_odd_message_is_stored_with_its_batch(pool: Any) -> None:
    frames = [RawFrame("okx", "BTC-USDT", "trades", TS, TS + i, i, data) for i, data in enumerate(ODD)]
    store = PgRawStore(pool)
    assert await store.append(frames) == len(frames)
    kept = await store.tail("okx", "BTC-USDT", "trades", len(frames))
    assert [frame.seq for frame in kept] == list(range(len(frames)))
    assert kept[-2].data == frames[-2].data
    assert await store.append(frames) == 0
