"""Bots as files: what is wrong is named by its path, and nothing half-written is ever seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from onetape.bots import files
from onetape.domain.bots import BotSpec, LimitsSpec
from onetape.domain.errors import BadInput

GOOD = b'{"name": "trend", "exchange": "okx", "symbol": "BTC-USDT", "timeframe": "1h", "strategy": "ema_cross"}'


def test_a_written_bot_is_read_back_equal(tmp_path: Path) -> None:
    spec = BotSpec(
        name="trend",
        exchange="okx",
        symbol="BTC-USDT",
        timeframe="1h",
        strategy="ema_cross",
        parameters={"fast": 3},
        limits=LimitsSpec(stop=0.02, allow_short=True),
    )
    assert files.write(tmp_path, spec) == tmp_path / "bots" / "trend.json"
    assert files.read_all(tmp_path) == ({"trend": spec}, [])
    assert [path.name for path in (tmp_path / "bots").iterdir()] == ["trend.json"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (GOOD.replace(b"}", b', "stratgy": 1}'), "$.stratgy"),
        (GOOD.replace(b"}", b', "limits": {"stopp": 0.1}}'), "$.limits.stopp"),
        (GOOD.replace(b"}", b', "limits": {"stop": 1.5}}'), "$.limits.stop"),
        (GOOD.replace(b"}", b', "capital": "much"}'), "$.capital"),
        (GOOD.replace(b"}", b', "capital": -1}'), "$.capital"),
        (GOOD.replace(b'"1h"', b'"1 hour"'), "$.timeframe"),
        (GOOD.replace(b'"trend"', b'"My Bot"'), "$.name"),
        (GOOD[:-1], "the file"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(text: bytes, field: str) -> None:
    with pytest.raises(BadInput) as caught:
        files.parse(text, "the file")
    assert caught.value.field == field


def test_a_missing_key_is_named() -> None:
    with pytest.raises(BadInput, match="symbol"):
        files.parse(GOOD.replace(b'"symbol": "BTC-USDT", ', b""))


def test_one_bad_file_does_not_hide_the_good_ones(tmp_path: Path) -> None:
    folder = tmp_path / "bots"
    folder.mkdir()
    (folder / "trend.json").write_bytes(GOOD)
    (folder / "other.json").write_bytes(GOOD)  # its name is not that of its file
    (folder / "broken.json").write_text("{")
    specs, errors = files.read_all(tmp_path)
    assert list(specs) == ["trend"]
    assert len(errors) == 2


def test_removing_a_file_that_is_not_there_is_fine(tmp_path: Path) -> None:
    files.remove(tmp_path, "nobody")


def test_a_value_of_the_wrong_type_is_shown_with_its_file() -> None:
    text = b'{"name": "a", "exchange": "okx", "symbol": "BTC-USDT", "timeframe": 5, "strategy": "sma_cross"}'
    with pytest.raises(BadInput, match=r"\$\.timeframe is 5: expected str, got int, in a\.json") as refused:
        files.parse(text, "a.json")
    assert (refused.value.field, refused.value.value) == ("$.timeframe", 5)


def test_a_key_that_is_missing_is_named() -> None:
    with pytest.raises(BadInput, match="it misses the required field name"):
        files.parse(b"{}", "a.json")
