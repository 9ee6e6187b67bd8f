"""`onetape data` from the command line to PostgreSQL and back."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape import archive
from onetape.cli.main import main
from onetape.domain.frame import PRICES, CandleFrame, resample
from onetape.domain.market import Origin
from onetape.domain.units import Timeframe
from onetape.storage.candles import PgCandleStore
from onetape.storage.pool import open_pool

GOOD = ["time,open,high,low,close,volume", *(f"{1_600_000_020 + 60 * m},5,6,4,5,1" for m in (0, 1, 2, 5, 6))]


class Command:
    """`command("import", FILE)`: runs `onetape data import FILE --json`, gives exit code and document."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *args: object) -> tuple[int, Any]:
        code, out = self.text(*args, "--json")
        return code, json.loads(out)

    def text(self, *args: object) -> tuple[int, str]:
        self._capsys.readouterr()
        code = main(["data", *map(str, args)])
        self.captured = self._capsys.readouterr()
        return code, self.captured.out


@pytest.fixture
def command(
    database_url: str,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    monkeypatch.setenv("ONETAPE_DATABASE_URL", database_url)
    monkeypatch.setenv("ONETAPE_REDIS_URL", redis_url)
    monkeypatch.setenv("ONETAPE_DATA_DIR", str(tmp_path / "data"))
    return Command(capsys)


def write(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def test_sample_is_imported_whole_and_again_without_change(command: Command, database_url: str):
    code, document = command("import", archive.sample_path())
    (done,) = document["files"]
    assert code == 0
    assert {key: done[key] for key in ("layout", "exchange", "symbol", "timeframe")} == {
        "layout": "bitfinex-raw",
        "exchange": "bitfinex",
        "symbol": "BTC-USD",
        "timeframe": "1m",
    }
    counts = {key: done[key] for key in ("rows_read", "rows_new", "duplicates", "rejected", "gaps", "missing")}
    assert list(counts.values()) == [85_455, 85_455, 0, 0, 397, 945]
    assert (done["first"], done["last"]) == ("2019-05-15T00:00:00Z", "2019-07-13T23:59:00Z")

    async def load(store: PgCandleStore) -> CandleFrame:
        return await store.load("bitfinex", "BTC-USD", Timeframe(1, "m"), None, None)

    stored, sample = with_store(database_url, load), archive.sample_frame()
    for name in ("ts", *PRICES, "volume", "origin"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(sample, name))

    code, document = command("import", archive.sample_path())
    assert (code, document["files"][0]["rows_new"], document["files"][0]["rows_changed"]) == (0, 0, 0)
    _, document = command("list")
    assert [(one["rows"], one["gaps"]) for one in document["series"]] == [(85_455, 397)]


def with_store(database_url: str, work: Callable[[PgCandleStore], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        pool = await open_pool(database_url)
        try:
            return await work(PgCandleStore(pool))
        finally:
            await pool.close()

    return asyncio.run(run())


def test_bad_file_is_refused_with_its_place_and_the_others_go_in(command: Command, tmp_path: Path):
    bad = write(tmp_path, "okx_ETHUSDT.csv", [*GOOD[:4], "1600000200,5,six,4,5,1"])
    good = write(tmp_path, "okx_BTCUSDT.csv", GOOD)
    code, document = command("import", bad, tmp_path / "none.csv", good)
    first, second, third = document["files"]
    assert code == 2
    assert (first["field"], first["value"]) == ("line 5, column 3 (high)", "six")
    assert "there is no such file" in second["error"]
    assert (third["rows_new"], third["gaps"]) == (5, 1)
    assert [one["symbol"] for one in command("list")[1]["series"]] == ["BTC-USDT"]


def test_text_says_layout_counts_and_refused_lines(command: Command, tmp_path: Path):
    path = write(tmp_path, "okx_BTCUSDT.csv", [*GOOD, "1600000440,5,4,6,5,1"])
    code, text = command.text("import", path)
    assert code == 0
    assert text.splitlines()[1:] == [
        "  okx BTC-USDT 1m, 2020-09-13 12:27 to 2020-09-13 12:33 UTC",
        "  6 rows read, 5 new",
        "  1 gap noted, 2 candles missing; nothing was filled",
        "  1 row refused:",
        "    line 7: high below low (open 5, high 4, low 6, close 5)",
    ]
    assert "generic" in text.splitlines()[0]


def test_fill_makes_up_what_a_file_lacks_and_nothing_beside_it(
    command: Command, database_url: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "okx_BTCUSDT.csv", GOOD)
    code, document = command("import", path, "--fill")
    (done,) = document["files"]
    assert (code, done["gaps"], done["missing"], done["synthetic"]) == (0, 1, done["missing"], done["missing"])

    async def load(store: PgCandleStore) -> tuple[CandleFrame, int]:
        return await store.load("okx", "BTC-USDT", Timeframe(1, "m"), None, None), len(
            await store.gaps("okx", None, None)
        )

    stored, open_holes = with_store(database_url, load)
    assert (len(stored), stored.gaps(), open_holes) == (done["rows_new"] + done["missing"], [], 0)
    made = stored.origin == Origin.SYNTHETIC
    assert made.sum() == done["missing"] > 0
    assert not stored.volume[made].any()
    code, document = command("import", path, "--fill")
    assert (document["files"][0]["rows_new"], document["files"][0]["synthetic"]) == (0, 0)


def test_list_shows_one_exchange_and_names_the_nearest(command: Command, tmp_path: Path) -> None:
    command("import", write(tmp_path, "okx_BTCUSDT.csv", GOOD), write(tmp_path, "binance_BTCUSDT.csv", GOOD))
    code, document = command("list", "--exchange", "OKX")
    assert (code, [one["exchange"] for one in document["series"]]) == (0, ["okx"])
    for verb in ("list", "check"):
        code, document = command(verb, "--exchange", "binanc")
        assert code != 0
        assert "Did you mean binance?" in document["error"]


def test_flags_say_what_the_file_does_not(command: Command, tmp_path: Path):
    path = write(tmp_path, "candles.csv", GOOD)
    code, document = command("import", path)
    assert (code, document["files"][0]["field"]) == (2, "--symbol")
    code, document = command("import", path, "--symbol", "btc/usdt", "--exchange", "OKX", "--timeframe", "1m")
    assert code == 0
    assert [document["files"][0][key] for key in ("exchange", "symbol", "timeframe")] == ["okx", "BTC-USDT", "1m"]


def test_check_shows_gaps_and_fails_on_what_is_impossible(command: Command, database_url: str, tmp_path: Path):
    command("import", write(tmp_path, "okx_BTCUSDT.csv", GOOD))
    code, document = command("check")
    (series,) = document["series"]
    assert (code, series["gaps"], series["missing"], series["impossible"]) == (0, 1, 2, 0)
    assert series["missing_percent"] == 28.5714  # 2 of 7
    assert series["longest_gap"] == {"start": "2020-09-13T12:30:00Z", "end": "2020-09-13T12:32:00Z", "candles": 2}

    async def spoil(store: PgCandleStore) -> None:
        columns: dict[str, object] = {name: [5.0] for name in (*PRICES, "volume")}
        columns |= {"ts": [1_600_000_140_000_000], "high": [1.0]}
        await store.append(CandleFrame.of("okx", "BTC-USDT", "1m", columns))

    with_store(database_url, spoil)
    code, document = command("check", "--symbol", "BTC-USDT", "--exchange", "okx", "--timeframe", "1m")
    assert (code, document["series"][0]["impossible"]) == (3, 1)
    assert document["series"][0]["impossible_rows"][0]["reason"] == "high below low"
    code, text = command.text("check")
    assert (code, "impossible  1" in text) == (3, True)
    code, document = command("check", "--symbol", "ETH-USDT")
    assert (code, document["field"]) == (2, "the series")


def test_empty_database_says_what_to_do(command: Command):
    code, document = command("list")
    assert (code, document["series"], document["raw"]) == (0, [], [])
    assert "onetape data import FILE" in command.text("list")[1]
    assert "onetape data import FILE" in command.text("check")[1]


@pytest.mark.parametrize("args", [[], ["import"], ["export"], ["list", "--jso"]])
def test_wrong_usage_is_said_in_a_sentence(args: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(["data", *args]) == 2
    assert "--help` shows what it takes" in capsys.readouterr().err


def test_list_says_what_is_stored_and_how_much_room_it_takes(command: Command, tmp_path: Path):
    command("import", write(tmp_path, "okx_BTC-USDT.csv", GOOD))
    code, document = command("list")
    assert (code, document["series"][0]["rows"], document["series"][0]["gaps"]) == (0, 5, 1)
    stored = sum(size["bytes"] for size in document["sizes"] if size["table"] == "processed_market_data")
    assert 0 < stored <= document["disk"]["database"]
    assert 0 < document["disk"]["free"] < document["disk"]["total"]
    text = command.text("list")[1]
    assert "okx       BTC-USDT  1m" in text
    assert "free" in text


def test_export_and_import_agree_and_a_built_timeframe_can_be_exported(command: Command, tmp_path: Path):
    command("import", write(tmp_path, "okx_BTC-USDT.csv", GOOD))
    path = tmp_path / "out.parquet"
    code, document = command("export", "--symbol", "BTC-USDT", "--timeframe", "1m", "-o", path)
    assert (code, document["rows"], document["exchange"]) == (0, 5, "okx")
    code, document = command("import", path)
    assert (code, document["files"][0]["layout"], document["files"][0]["rows_new"]) == (0, "onetape", 0)
    code, document = command("export", "--symbol", "BTC-USDT", "--timeframe", "2m", "-o", tmp_path / "two.csv")
    assert (code, document["rows"]) == (0, 2)  # the file begins in the middle of a pair of minutes
    assert "BTC-USDT 2m" in command.text("export", "--symbol", "BTC-USDT", "--timeframe", "2m", "-o", path)[1]


@pytest.mark.parametrize(
    ("flags", "field"),
    [
        (("--symbol", "ETH-USDT", "--timeframe", "1m", "-o", "x.csv"), "the series"),
        (("--symbol", "BTC-USDT", "--timeframe", "1m", "-o", "x.txt"), "-o"),
        (("--symbol", "BTC-USDT", "--timeframe", "1m", "-o", "/no/such/folder/x.csv"), "-o"),
        (("--symbol", "BTC-USDT", "--timeframe", "1m", "--since", "20300101", "-o", "x.csv"), "the span"),
        (("--symbol", "BTC-USDT", "--timeframe", "1m", "--since", "2024", "-o", "x.csv"), "--since"),
    ],
)
def test_export_that_cannot_be_is_refused(command: Command, tmp_path: Path, flags: tuple[str, ...], field: str):
    command("import", write(tmp_path, "okx_BTC-USDT.csv", GOOD))
    code, document = command("export", *flags)
    assert (code, document["field"]) == (2, field)


@pytest.mark.parametrize(("late", "code"), [(0, 0), (16, 3)])
def test_check_tells_a_day_that_begins_in_hong_kong(command: Command, database_url: str, late: int, code: int):
    """Thirty days of hours, and days made of them that begin `late` hours after the midnight that they name."""
    close = 100 + np.arange(24 * 30) * 0.01
    ts = 1_704_067_200_000_000 + np.arange(24 * 30) * 3_600_000_000
    columns: dict[str, object] = {"open": close - 0.01, "high": close, "low": close - 0.01, "close": close}
    hours = CandleFrame.of("okx", "BTC-USDT", "1h", columns | {"ts": ts, "volume": np.ones(24 * 30)})
    moved = dataclasses.replace(hours, ts=hours.ts - late * 3_600_000_000).between(int(ts[0]), None)

    async def put(store: PgCandleStore) -> None:
        await store.append(hours)
        await store.append(resample(moved, "1d").rows(0, 28))

    with_store(database_url, put)
    found, document = command("check", "--timeframe", "1d")
    (series,) = document["series"]
    assert (found, document["ok"]) == (code, code == 0)
    assert series["anchor"] == {"sound": code == 0, "offset_hours": late, "agree": 1.0, "compared": 28}
    assert (series["duplicates"], series["repeated"], series["off_grid"]) == (0, 0, 0)
    says = (
        "anchored at midnight UTC: 100% of 28" if code == 0 else "WRONG ANCHOR: 100% of 28 hold the prices of 16 hours"
    )
    assert says in command.text("check", "--timeframe", "1d")[1]
