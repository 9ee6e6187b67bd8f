"""PostgreSQL's binary COPY format, made from numpy columns and read back into them without an object per row.

Wire: "PGCOPY\\n\\xff\\r\\n\\0", flags int32, length of the header's extension int32; then per row an int16 with the
number of fields and per field an int32 length and the bytes; at the end an int16 of -1. All numbers are big-endian. As
long as no field is NULL and every type has a fixed width, a row is a fixed-width record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
CHUNK: Final = 20_000  # rows

Columns = Sequence[tuple[str, str]]  # name and numpy type: ("open", ">f8"), ("symbol", "S7") for a text of 7 bytes


def record_type(columns: Columns) -> np.dtype[Any]:
    """The fixed-width row; the length in front of field `x` is called `len_x`."""
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns:
        fields += [(f"len_{name}", ">i4"), (name, kind)]
    return np.dtype(fields)


def write(columns: Columns, values: dict[str, NDArray[Any]], n: int) -> Iterator[bytes]:
    """The file in pieces, from one array of `n` rows per column (or of none: the same value in every row)."""
    record = record_type(columns)
    rows = np.empty(min(n, CHUNK), record)
    rows["fields"] = len(columns)
    for name, kind in columns:
        rows[f"len_{name}"] = np.dtype(kind).itemsize
    yield HEADER
    for start in range(0, n, CHUNK):
        part = rows[: min(CHUNK, n - start)]
        for name, _ in columns:
            part[name] = values[name][start : start + CHUNK] if values[name].ndim else values[name]
        yield part.tobytes()
    yield TRAILER


def read(columns: Columns, data: bytes | bytearray) -> NDArray[np.void]:
    """The rows of a whole file as a structured array over the same memory. Raises ValueError for anything else."""
    record = record_type(columns)
    body = memoryview(data)[len(HEADER) : len(data) - len(TRAILER)]
    if bytes(data[: len(HEADER)]) != HEADER or len(body) % record.itemsize:
        raise ValueError("not a binary COPY of these columns without NULLs")
    rows = np.frombuffer(body, record)
    # A NULL has no bytes: it would shift all that follows, and the number of fields would not stand in its place.
    if (rows["fields"] != len(columns)).any():
        raise ValueError("not a binary COPY of these columns without NULLs")
    for name, kind in columns:
        if len(rows) and rows[f"len_{name}"][0] != np.dtype(kind).itemsize:
            raise ValueError(f"column {name} holds another type")
    return rows
