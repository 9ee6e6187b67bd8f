"""What is exported can be imported again, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from onetape import archive
from onetape.archive.exporting import export
from onetape.domain.errors import BadInput
from onetape.domain.frame import COLUMNS, CandleFrame
from onetape.domain.units import Timeframe, parse_time

START = parse_time("2024-01-01")


def frame(n: int = 500, timeframe: str = "7m", exchange: str = "somewhere") -> CandleFrame:
    """Prices with all the digits a float64 has, of every size, holes after rows 10 and 11, every origin."""
    rng = np.random.default_rng(11)
    opens, close = (10.0 ** rng.uniform(-8, 6, n) for _ in range(2))
    step = np.arange(n) + (np.arange(n) > 10) * 3 + (np.arange(n) > 11)
    grain = Timeframe.parse(timeframe)
    columns: dict[str, object] = {
        "ts": grain.floor(START) + step * grain.micros,
        "open": opens,
        "high": np.maximum(opens, close) * 1.1,
        "low": np.minimum(opens, close) / 3,
        "close": close,
        "volume": rng.uniform(0, 1e9, n),
        "turnover": rng.uniform(0, 1e-9, n),
        "origin": np.arange(n) % 5,
    }
    return CandleFrame.of(exchange, "BTC-USDT-SWAP", timeframe, columns)


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
@pytest.mark.parametrize(("n", "timeframe"), [(500, "7m"), (1, "1h"), (40, "1d")])
def test_it_comes_back_bit_for_bit_without_a_word_about_it(tmp_path: Path, name: str, n: int, timeframe: str) -> None:
    written, path = frame(n, timeframe), tmp_path / name
    export(written, path)
    reading = archive.read(path)
    assert reading.layout == "onetape"
    assert (reading.rejected, reading.duplicates) == (0, 0)
    read = reading.frame
    assert (read.exchange, read.symbol, str(read.timeframe)) == ("somewhere", "BTC-USDT-SWAP", timeframe)
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(read, column), getattr(written, column))


def test_the_file_is_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.csv"
    path.write_text("the old one")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    with pytest.raises(OSError, match="No space"):
        export(frame(), path)
    assert path.read_text() == "the old one"
    assert [each.name for each in tmp_path.iterdir()] == ["data.csv"]


def test_a_name_without_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.csv or \.parquet"):
        export(frame(), tmp_path / "data.xlsx")


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("exchange", "elsewhere", "the exchange column is 'elsewhere': not one, but elsewhere, somewhere"),
        ("timeframe", "1h", "the timeframe column is '1h': not one, but 1h, 7m"),
        ("origin", "guessed", "line 4, column origin is 'guessed': not an origin"),
    ],
)
def test_a_changed_file_is_refused_with_the_column(tmp_path: Path, column: str, value: str, says: str) -> None:
    path = tmp_path / "data.csv"
    export(frame(), path)
    lines = path.read_text().splitlines()
    cells = lines[3].split(",")
    cells[lines[0].split(",").index(column)] = value
    path.write_text("\n".join([*lines[:3], ",".join(cells), *lines[4:]]))
    with pytest.raises(BadInput) as refusal:
        archive.read(path)
    assert says in str(refusal.value)
