"""The binary COPY format against bytes worked out by hand from PostgreSQL's documentation."""

from __future__ import annotations

import numpy as np
import pytest

from onetape.storage import binary

COLUMNS = (("key", "S2"), ("ts", ">i8"), ("origin", ">i2"))
# signature, flags, no extension | 3 fields | 2 "ab" | 8 258 | 2 -1 | end
ONE_ROW = (
    b"PGCOPY\n\xff\r\n\x00" + b"\x00" * 8
    + b"\x00\x03" + b"\x00\x00\x00\x02ab" + b"\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x01\x02"
    + b"\x00\x00\x00\x02\xff\xff" + b"\xff\xff"
)  # fmt: skip


def test_one_row_is_written_as_documented() -> None:
    values = {"key": np.array(b"ab"), "ts": np.array([258]), "origin": np.array([-1])}
    assert b"".join(binary.write(COLUMNS, values, 1)) == ONE_ROW


def test_one_row_is_read_as_documented() -> None:
    rows = binary.read(COLUMNS, ONE_ROW)
    assert rows[["key", "ts", "origin"]].tolist() == [(b"ab", 258, -1)]


@pytest.mark.parametrize("n", [0, 1, binary.CHUNK, 2 * binary.CHUNK + 7])
def test_pieces_hold_every_row_once(n: int) -> None:
    values = {"key": np.array(b"xy"), "ts": np.arange(n), "origin": np.arange(n) % 5}
    rows = binary.read(COLUMNS, b"".join(binary.write(COLUMNS, values, n)))
    np.testing.assert_array_equal(rows["ts"], np.arange(n))
    np.testing.assert_array_equal(rows["origin"], np.arange(n) % 5)


def test_anything_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not a binary COPY"):
        binary.read(COLUMNS, ONE_ROW[1:])
    row = ONE_ROW[19:-2]
    null = b"\x00\x03" + b"\xff\xff\xff\xff" + row[8:]  # the key is NULL: length -1 and no bytes
    for rows in (null, row + null, null + row, 11 * row + 13 * null):  # 13 * 24 bytes = 12 * 26 bytes
        with pytest.raises(ValueError, match="not a binary COPY"):
            binary.read(COLUMNS, ONE_ROW[:19] + rows + ONE_ROW[-2:])
    with pytest.raises(ValueError, match="key holds another type"):
        binary.read((("key", "S1"), ("ts", ">i8"), ("origin", "S3")), ONE_ROW)
