"""Files that are no candle files: one sentence with the place, the value and what was expected."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from onetape import archive
from onetape.archive import files
from onetape.domain.errors import BadInput, NotFound

HEADER = "time,open,high,low,close,volume"
GOOD = [f"{1_600_000_020 + 60 * i},5,6,4,5,1" for i in range(6)]


def zipped(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("candles.csv", data)
    return packed.getvalue()


def refused(path: Path, **hints: str) -> BadInput:
    with pytest.raises(BadInput) as caught:
        archive.read(path, **({"symbol": "BTC-USDT", "exchange": "okx"} | hints))
    return caught.value


def test_missing_file(tmp_path: Path):
    with pytest.raises(NotFound, match="there is no such file"):
        archive.read(tmp_path / "none.csv")


def test_folder(tmp_path: Path):
    assert "a folder" in str(refused(tmp_path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\n\n  \n", "empty"),
        (bytes(range(256)) * 20, "binary"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
        (gzip.compress(b"x" * 5000, mtime=0)[:20], "gzip"),
        (gzip.compress("\n".join([HEADER, *GOOD]).encode(), mtime=0)[:-9], "gzip"),
        (b"PK\x03\x04 and then nothing", "zip"),
        (b"\x28\xb5\x2f\xfd and then nothing", "zstd"),
        (b"ARROW1\0\0 and then nothing", "without its end"),
        (b"ARROW1\0\0 and then nothing ARROW1", "columnar"),
        (b"<!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
        (b"<Error><Code>NoSuchKey</Code></Error>", "a web page"),
        (b'[["1600000020","5","6"]]', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "Git LFS"),
        (b"some words\nand more\n", "line 1 is 'some words'"),
        (b"id,price,qty,time,is_buyer\n1,2,3,4,true\n", "names neither open nor close"),
        (b"1,2,3,4,5,6\n2,3,4,5,6,7\n", "not candles"),
    ],
)
def test_what_is_no_candle_file(tmp_path: Path, content: bytes, says: str):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    assert says in str(refused(path))


def test_header_and_nothing_below(write):
    assert "nothing below" in str(refused(write("a.csv", HEADER)))


def test_header_without_a_column_names_it(write):
    error = refused(write("a.csv", "time,open,high,low,close", "1600000020,5,6,4,5"))
    assert "without volume" in str(error)
    assert error.field == "line 1"


def test_header_that_names_a_column_twice(write):
    assert "'close' twice" in str(refused(write("a.csv", HEADER + ",close", *(f"{row},5" for row in GOOD))))


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        ("1600000200,5,six,4,5,1", "line 5, column 3 (high)", "six"),
        ("yesterday,5,6,4,5,1", "line 5, column 1 (time)", "yesterday"),
        (",5,6,4,5,1", "line 5, column 1 (time)", None),
        ("1600000200,5,6,4,5,1.5 BTC", "line 5, column 6 (volume)", "1.5 BTC"),
    ],
)
def test_text_where_a_number_belongs_names_line_and_column(write, row: str, field: str, value: str | None):
    error = refused(write("a.csv", HEADER, *GOOD[:3], row, *GOOD[4:]))
    assert (error.field, error.value) == (field, value)


@pytest.mark.parametrize(("row", "n"), [("1600000200,5,6,4,5", 5), ("1600000200,5,6,4,5,1,2", 7)])
def test_row_of_another_width_names_its_line(write, row: str, n: int):
    error = refused(write("a.csv", HEADER, *GOOD[:3], row, *GOOD[4:]))
    assert (error.field, error.value) == ("line 5", row)
    assert f"{n} columns where the lines above have 6" in str(error)


def test_row_of_another_width_names_its_line_among_quoted_ones(write):
    quoted = [",".join(f'"{cell}"' for cell in row.split(",")) for row in GOOD]
    assert len(archive.read(write("okx_BTCUSDT.csv", HEADER, *quoted)).frame) == 6
    error = refused(write("a.csv", HEADER, *quoted[:3], quoted[3] + ',"7"', *quoted[4:]))
    assert error.field == "line 5"


def test_columnar_file_that_is_cut_off(tmp_path: Path):
    path = tmp_path / "okx-BTC_USDT-1m.feather"
    pl.DataFrame({"date": [0, 60], "open": [1.0, 2.0]}).write_ipc(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "without its end" in str(refused(path))


def test_file_of_mostly_impossible_rows_is_refused_whole(write):
    bad = [row.replace(",6,4,", ",4,6,") for row in GOOD]
    error = refused(write("a.csv", HEADER, *bad[:4], *GOOD[4:]))
    assert error.field == "line 2"
    assert "4 of 6 rows are impossible" in str(error)


def test_file_from_the_future_is_refused_whole(write):
    error = refused(write("a.csv", HEADER, *(f"{4_000_000_020 + 60 * i},5,6,4,5,1" for i in range(3))))
    assert "in the future" in str(error)
    assert error.value == "2096-10-02T07:07:00Z"


def test_rows_apart_by_no_timeframe_are_refused(write):
    ticks = [f"{1_600_000_020_000 + 137 * i},5,6,4,5,1" for i in range(5)]
    assert "no timeframe" in str(refused(write("a.csv", HEADER, *ticks)))


def zstandard(data: bytes) -> bytes:
    packed = io.BytesIO()
    pl.DataFrame({"x": [data.decode()]}).write_csv(packed, include_header=False, compression="zstd")
    return packed.getvalue()


def repeats(data: bytes) -> bytes:
    """Zstandard by hand: after a frame to be skipped, blocks that each say 'this byte, so many times'."""
    sizes = [min(100_000, len(data) - at) for at in range(0, len(data), 100_000)]
    heads = [(size << 3 | 1 << 1 | (at + 1 == len(sizes))).to_bytes(3, "little") for at, size in enumerate(sizes)]
    blocks = b"".join(head + data[:1] for head in heads)
    return zstandard(b"") + b"\x50\x2a\x4d\x18\x02\x00\x00\x00ab" + b"\x28\xb5\x2f\xfd\x00\x38" + blocks


@pytest.mark.parametrize("pack", [gzip.compress, zipped, zstandard, repeats])
def test_a_file_that_unpacks_to_more_than_memory_holds_is_refused(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST", 1_000_000)
    path = tmp_path / "okx_BTCUSDT_1m.csv"
    path.write_bytes(pack(b"0" * 1_000_001))
    with pytest.raises(BadInput, match="when unpacked"):
        archive.read(path)


def test_a_part_of_a_zstd_file_that_cannot_be_measured_is_refused(tmp_path):
    """Of an older format, say, which a library may still unpack."""
    path = tmp_path / "okx_BTCUSDT_1m.csv"
    path.write_bytes(zstandard(b"0") + b"\x27\xb5\x2f\xfd" + bytes(20))
    with pytest.raises(BadInput, match="zstd"):
        archive.read(path)


@pytest.mark.parametrize("size", [0, 1, 1000, 131_072, 500_000, 3_000_000])
def test_what_zstd_can_unpack_to_is_known_within_a_block(size):
    text = "".join(f"{i * 7919 % 100_003}," for i in range(size // 5 + 1))[:size]
    most = files.zstd_bound(zstandard(text.encode()))
    assert size <= most <= size + 2 * 131_072 + 3


@pytest.mark.parametrize("cut", [0, *range(4, 14)])
def test_zstd_cut_off_anywhere_in_its_head_is_measured_without_an_error_of_its_own(cut):
    assert files.zstd_bound(zstandard(b"0" * 500)[:cut]) <= 131_072
