"""What the collector's process does with old rows, on an opened platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from onetape.app.housekeeping import keep_apart, keep_policy
from onetape.app.wiring import open_platform
from onetape.cli.data import main
from onetape.clock import RealClock
from onetape.domain.errors import Transient
from onetape.domain.market import RawFrame
from onetape.domain.parts import Which
from onetape.domain.units import DAY, parse_time
from onetape.settings import Settings
from tests.integration.test_collecting import Door

MONDAY = parse_time("2024-03-04")
NOW = MONDAY + 20 * DAY


def frames() -> list[RawFrame]:
    return [RawFrame("okx", "BTC-USDT", "trades", MONDAY + i * DAY, MONDAY + i * DAY, i, b"{}") for i in range(8)]


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    return Settings(data_dir=tmp_path, database_url=database_url, redis_url=redis_url)


def write_policy(settings: Settings, text: str) -> None:
    settings.config_dir.mkdir()
    (settings.config_dir / "markets.json").write_text(f'{{"markets": [], "keep": {{"raw": {{"*": {text}}}}}}}')


async def test_old_rows_go_to_the_archive_as_the_file_says(settings: Settings) -> None:
    write_policy(settings, '{"database": "15d"}')
    async with open_platform(settings) as platform:
        await platform.raw.append(frames())
        await keep_policy(platform, NOW)
        assert len(await platform.shelf.entries(Which())) == 5  # the days that ended by Saturday
        read = [f async for page in platform.raw.read("okx", "BTC-USDT", ["trades"], MONDAY, NOW) for f in page]
        assert read == frames()


async def test_the_policy_is_kept_by_a_process_of_its_own(settings: Settings) -> None:
    write_policy(settings, '{"database": "15d", "archive": "60d"}')
    young = RealClock().now() - 40 * DAY
    async with open_platform(settings) as platform:
        await platform.raw.append([*frames(), RawFrame("okx", "BTC-USDT", "trades", young, young, 1, b"{}")])
        await keep_apart(platform)
        (entry,) = await platform.shelf.entries(Which())  # the others were over for the archive, too
        assert entry.first_ts == young
    assert (settings.log_dir / "housekeeping.log").is_file()


@pytest.mark.native  # the door is in the way of a socket, and a server by URL has a port
async def test_a_process_that_cannot_reach_the_database_is_tried_again_later(settings: Settings) -> None:
    door = Door(settings.database_url)
    shut = settings.model_copy(update={"database_url": door.url})
    async with open_platform(shut, services=False, patient=True) as platform:
        with pytest.raises(Transient):
            await keep_apart(platform)
    door.close()


@pytest.mark.parametrize("text", ['{"database": "a while"}', '{"databse": "15d"}'])
async def test_a_policy_that_makes_no_sense_moves_nothing(settings: Settings, text: str) -> None:
    write_policy(settings, text)
    async with open_platform(settings) as platform:
        await platform.raw.append(frames())
        await keep_policy(platform, NOW)
        assert await platform.shelf.entries(Which()) == []


async def test_without_a_file_everything_stays(settings: Settings) -> None:
    async with open_platform(settings) as platform:
        await platform.raw.append(frames())
        await keep_policy(platform, NOW)
        assert await platform.shelf.entries(Which()) == []


def test_the_commands_say_what_they_did(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    async def fill() -> None:
        async with open_platform(settings) as platform:
            await platform.raw.append(frames())

    asyncio.run(fill())
    for name in ("data_dir", "database_url", "redis_url"):
        monkeypatch.setenv(f"ONETAPE_{name.upper()}", str(getattr(settings, name)))
    assert main("data", ["archive", "--before", "2024-03-07", "--symbol", "BTC/USDT"]) == 0
    assert "3 files with 3 rows" in capsys.readouterr().out
    assert main("data", ["list"]) == 0
    assert "okx       BTC-USDT  trades    2024-03-04 00:00  2024-03-11 00:00     8     0" in capsys.readouterr().out
    assert main("data", ["restore-archive", "--since", "2024-03-05", "--list"]) == 0
    assert capsys.readouterr().out.count("BTC-USDT") == 2
    assert main("data", ["restore-archive", "--json"]) == 0
    assert '"rows": 3' in capsys.readouterr().out
