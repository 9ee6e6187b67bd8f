from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from onetape.domain.errors import BadInput
from onetape.domain.markets import Kept, Markets, Recorded
from onetape.marketdata import wanted

USUAL = Markets((Recorded(("BTC-USDT",)),))


def test_without_a_file_the_defaults_hold_and_are_written_to_be_edited(tmp_path: Path) -> None:
    assert wanted.read(tmp_path / "config", USUAL) == USUAL
    other = Markets((Recorded(("ETH-USDT",)),))
    assert wanted.read(tmp_path / "config", other) == USUAL  # the file wins from now on
    assert '"database": "forever"' in (tmp_path / "config" / "markets.json").read_text()


def test_a_file_that_cannot_be_used_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "markets.json").write_text('{"markets": [{"symbol": "BTC-USDT"}]}')
    with pytest.raises(BadInput, match=r"\$\.markets\[0\]"):
        wanted.read(tmp_path, USUAL)


async def test_edits_are_followed_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    wanted.write(tmp_path, USUAL)
    following = wanted.follow(tmp_path, USUAL, look=0.005)
    coming = asyncio.ensure_future(anext(following))
    (tmp_path / "markets.json").write_text("{")
    await asyncio.sleep(0.05)
    (tmp_path / "markets.json").unlink()
    await asyncio.sleep(0.05)
    assert not coming.done()
    more = Markets((Recorded(("BTC-USDT", "ETH-USDT")),))
    more.keep.raw["trades"] = Kept("30d")
    wanted.write(tmp_path, more)
    async with asyncio.timeout(30):
        assert await coming == more
