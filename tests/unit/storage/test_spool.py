from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from onetape.domain.errors import Taken
from onetape.domain.market import Gap, RawFrame
from onetape.ports import Spooled
from onetape.storage.spool import DiskSpool

GAP = Gap("okx", "BTC-USDT", "trades", 5, 9, "the line was cut")


def frame(i: int, size: int = 10) -> RawFrame:
    return RawFrame("okx", "BTC-USDT", "trades", i, i + 1, i, b'{"a":' + b"1" * size + b"}")


async def emptied(spool: DiskSpool) -> list[Spooled]:
    found: list[Spooled] = []
    while items := await spool.oldest():
        found += items
        await spool.done()
    return found


async def test_what_was_written_comes_back_in_order_over_several_parts(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 1_000_000, part_bytes=500)
    given: list[Spooled] = [GAP if i % 7 == 0 else frame(i) for i in range(60)]
    for i in range(0, 60, 5):
        assert await spool.write(given[i : i + 5])
    assert spool.state.items == 60
    assert len(list(tmp_path.glob("*.spool"))) > 3
    assert await emptied(spool) == given
    assert list(tmp_path.glob("*.spool")) == []
    assert spool.state.bytes == 0


async def test_a_part_stays_until_it_is_done_and_survives_the_end_of_the_program(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 1_000_000)
    await spool.write([frame(1), frame(2)])
    assert await spool.oldest() == [frame(1), frame(2)]
    await spool.write([frame(3)])  # meanwhile
    spool.close()  # before it was done, as by a kill
    again = DiskSpool(tmp_path, 1_000_000)
    assert again.state.items == 3
    assert again.newest("BTC-USDT", "trades") == 3
    assert again.newest("BTC-USDT", "book") == 0
    assert await emptied(again) == [frame(1), frame(2), frame(3)]


async def test_cut_anywhere_the_whole_records_before_the_cut_are_there(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "whole", 1_000_000)
    given: list[Spooled] = [frame(i, i) for i in range(6)]
    ends = []
    for item in given:
        await spool.write([item])
        ends.append(spool.state.bytes)
    (part,) = (tmp_path / "whole").glob("*.spool")
    data = part.read_bytes()
    for cut in range(len(data) + 1):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / part.name).write_bytes(data[:cut])
        mended = DiskSpool(folder, 1_000_000)
        whole = sum(end <= cut for end in ends)
        assert mended.state.items == whole
        await mended.write([GAP])  # and it can be written on
        assert await emptied(mended) == [*given[:whole], GAP]
        mended.close()


async def test_a_record_that_was_damaged_is_cut_off_and_kept_beside(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 1_000_000)
    await spool.write([frame(1)])
    good = spool.state.bytes
    await spool.write([frame(2), frame(3)])
    spool.close()
    (part,) = tmp_path.glob("*.spool")
    data = bytearray(part.read_bytes())
    data[good + 20] ^= 1
    part.write_bytes(data)
    again = DiskSpool(tmp_path, 1_000_000)
    assert await emptied(again) == [frame(1)]
    assert part.with_suffix(".cut").read_bytes() == bytes(data[good:])


async def test_full_it_refuses_whole_batches_until_there_is_room(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 2_000, part_bytes=500)
    written = 0
    while await spool.write([frame(written)]):
        written += 1
    assert spool.state.full
    assert spool.state.bytes <= 2_000
    assert spool.state.items == written
    await spool.oldest()
    await spool.done()
    assert not spool.state.full
    assert await spool.write([frame(written)])
    assert (await emptied(spool))[-1] == frame(written)


async def test_a_write_that_is_cancelled_ends_before_the_next_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write is still opening its part when it is cancelled; the second must not open it too."""
    entered, leave = threading.Event(), threading.Event()
    sync = os.fsync

    def slow(handle: int) -> None:
        entered.set()
        assert leave.wait(5)
        sync(handle)

    monkeypatch.setattr(os, "fsync", slow)
    spool = DiskSpool(tmp_path, 1_000_000)
    first = asyncio.create_task(spool.write([frame(1)]))
    await asyncio.to_thread(entered.wait, 5)
    first.cancel()
    second = asyncio.create_task(spool.write([frame(2)]))
    await asyncio.sleep(0.05)
    leave.set()
    assert await second
    assert first.cancelled()
    assert await emptied(spool) == [frame(1), frame(2)]


def test_a_folder_belongs_to_one_process(tmp_path: Path) -> None:
    first = DiskSpool(tmp_path, 1_000)
    with pytest.raises(Taken, match="used by another process"):
        DiskSpool(tmp_path, 1_000)
    first.close()
    DiskSpool(tmp_path, 1_000).close()
