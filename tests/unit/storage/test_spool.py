from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from onetape.domain.errors import Taken
from onetape.domain.market import Gap, RawFrame
from onetape.ports import Spooled
from onetape.storage import spooled
from onetape.storage.spool import DiskSpool
from onetape.storage.spooled import DAMAGED

GAP = Gap("okx", "BTC-USDT", "trades", 5, 9, "the line was cut")


def frame(i: int, size: int = 10) -> RawFrame:
    return RawFrame("okx", "BTC-USDT", "trades", i, i + 1, i, b'{"a":' + b"1" * size + b"}")


async def emptied(spool: DiskSpool, parts: int = 1_000) -> list[Spooled]:
    found: list[Spooled] = []
    for _ in range(parts):
        if not (items := await spool.oldest()):
            break
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
    assert await again.newest([("BTC-USDT", "trades"), ("BTC-USDT", "book")]) == {("BTC-USDT", "trades"): 3}
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


async def damaged(folder: Path, *places: str) -> DiskSpool:
    """A spool of an earlier run with frames 1 to 9 in three parts; of each of `places` (`part.record`) the payload or,
    with a !, the length is not what was written."""
    spool = DiskSpool(folder, 1_000_000, part_bytes=1)
    for i in range(3):
        await spool.write([frame(3 * i + 1), frame(3 * i + 2), frame(3 * i + 3)])
    spool.close()
    length = (len(min(folder.glob("*.spool")).read_bytes()) - 8) // 3
    for place in places:
        part, record = place.rstrip("!").split(".")
        path = sorted(folder.glob("*.spool"))[int(part)]
        data = bytearray(path.read_bytes())
        data[8 + int(record) * length + (0 if place.endswith("!") else 20)] ^= 1
        path.write_bytes(data)
    return DiskSpool(folder, 1_000_000)


@pytest.mark.parametrize("place", ["1.1", "1.1!"])
async def test_of_a_damaged_part_the_rest_is_read_and_the_loss_is_a_gap(tmp_path: Path, place: str) -> None:
    spool = await damaged(tmp_path, place)
    bytes_before = sorted(tmp_path.glob("*.spool"))[1].read_bytes()
    lost = Gap("okx", "BTC-USDT", "trades", 4, 6, DAMAGED)  # frame 5 between 4 and 6
    whole = [frame(i) for i in (1, 2, 3, 4, 6)]
    assert await emptied(spool) == [*whole, lost, *(frame(i) for i in (7, 8, 9))]
    assert (tmp_path / "0000000002.damaged").read_bytes() == bytes_before
    spool.close()
    again = DiskSpool(tmp_path, 1_000_000)  # what is kept aside is not offered again, nor written over
    assert again.state.items == 0
    await again.write([frame(10)])
    assert [path.name for path in tmp_path.glob("*.spool")] == ["0000000003.spool"]


async def test_a_part_that_lost_its_end_while_running_has_a_gap_until_it_was_written(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 1_000_000)
    await spool.write([frame(1), frame(2)])
    (part,) = tmp_path.glob("*.spool")
    os.truncate(part, spool.state.bytes - 5)
    written_ts = part.stat().st_mtime_ns // 1_000
    assert await spool.oldest() == [frame(1), Gap("okx", "BTC-USDT", "trades", 1, written_ts, DAMAGED)]
    await spool.done()
    assert part.with_suffix(".damaged").exists()


@pytest.mark.parametrize("how", ["zeros", "gone"])
async def test_of_a_part_without_one_whole_record_all_streams_before_it_have_a_gap(tmp_path: Path, how: str) -> None:
    spool = DiskSpool(tmp_path, 1_000_000, part_bytes=1)
    for i in (1, 2, 3):
        await spool.write([frame(i)])
    part = sorted(tmp_path.glob("*.spool"))[1]
    if how == "zeros":
        part.write_bytes(bytes(part.stat().st_size))
    else:
        part.unlink()
    items = await emptied(spool, parts=3)
    assert [item for item in items if isinstance(item, RawFrame)] == [frame(1), frame(3)]
    (gap,) = (item for item in items if isinstance(item, Gap))
    assert (gap.symbol, gap.channel, gap.start_ts, gap.cause) == ("BTC-USDT", "trades", 1, DAMAGED)
    assert part.with_suffix(".damaged").exists() == (how == "zeros")


async def test_the_start_looks_into_the_last_part_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = DiskSpool(tmp_path, 1_000_000, part_bytes=1)
    for i in range(5):
        await before.write([frame(i)])
    before.close()
    read: list[str] = []
    content = spooled.read

    def watched(path: Path, size: int | None = None) -> spooled.Content:
        read.append(path.stem[-1])
        return content(path, size)

    monkeypatch.setattr(spooled, "read", watched)
    spool = DiskSpool(tmp_path, 1_000_000)
    assert read == ["5"]
    assert spool.state.items == 5  # parts of one item of the same size each
    assert await spool.newest([("BTC-USDT", "trades")]) == {("BTC-USDT", "trades"): 4}
    assert read == ["5", "5"]
    assert await emptied(spool) == [frame(i) for i in range(5)]


class Disk:
    """os.fsync of a disk that is full while `full`."""

    def __init__(self) -> None:
        self.full, self._sync = False, os.fsync

    def __call__(self, handle: int) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._sync(handle)


@pytest.mark.parametrize("part_bytes", [1, 1_000_000], ids=["a new part", "the same part"])
async def test_a_full_disk_refuses_and_with_room_again_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk)
    spool = DiskSpool(tmp_path, 1_000_000, part_bytes)
    assert await spool.write([frame(1)])
    disk.full = True
    for _ in range(3):
        assert not await spool.write([frame(2)])
        assert spool.state.full
        assert "No space left" in spool.state.problem
        assert spool.state.items == 1
    disk.full = False
    assert await spool.write([frame(3)])
    assert not spool.state.full
    assert await emptied(spool) == [frame(1), frame(3)]
    assert list(tmp_path.glob("*.spool")) == []


async def test_a_part_that_cannot_even_be_opened_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = DiskSpool(tmp_path, 1_000_000)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        assert not await spool.write([frame(1)])
    assert await spool.write([frame(2)])
    assert await emptied(spool) == [frame(2)]


@pytest.mark.parametrize(("room", "limit"), [(50_000_000, 1_000_000), (300, 300), (0, 1)])
async def test_a_small_disk_is_the_limit_so_that_the_alarm_comes_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, limit: int
) -> None:
    spool = DiskSpool(tmp_path, 1_000_000)
    monkeypatch.setattr("onetape.storage.spool._room", lambda _: room)
    assert spool.state.limit == limit
    assert await spool.write([frame(1)])
    state = spool.state
    assert state.limit == min(1_000_000, state.bytes + room)


async def test_a_larger_limit_is_followed(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 10)
    assert not await spool.write([frame(1)])
    spool.allow(1_000)
    assert await spool.write([frame(1)])
    assert not spool.state.full


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
