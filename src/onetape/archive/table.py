"""A candle file as a table of cells whose lines are known: header found, banner skipped, every row equally wide."""

from __future__ import annotations

import csv
import dataclasses
import re
from typing import Final

import numpy as np
import polars as pl

from onetape.archive.files import Opened
from onetape.domain.errors import BadInput
from onetape.domain.frame import Ints

SEPARATORS: Final = ",;\t|"
_EXPECTED: Final = "Expected candles: time, open, high, low, close, volume, with or without a header."
_VALUE: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|\d{4}-\d\d-\d\d.*|nan|null|none|", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """`rows` has one column per name in `names` (normalised where there is a header), as text unless `columnar`;
    `lines` is the line (from 1) of each row in the file, `hints` the file's names, `folders` those it lies in."""

    names: tuple[str, ...]
    rows: pl.DataFrame
    lines: Ints
    header: bool
    header_line: int
    columnar: bool
    hints: tuple[str, ...]
    folders: tuple[str, ...]

    def head(self, n: int) -> Table:
        return dataclasses.replace(self, rows=self.rows.head(n), lines=self.lines[:n])

    def keep(self, mask: pl.Series) -> Table:
        return dataclasses.replace(self, rows=self.rows.filter(mask), lines=self.lines[mask.to_numpy()])

    def text_of(self, row: int) -> str:
        return ",".join("" if value is None else str(value) for value in self.rows.row(row))


def table_of(opened: Opened) -> Table:
    """Raises BadInput: no rows, rows of different width, or nothing that looks like candles."""
    if opened.table is not None:
        names = tuple(_normal(name) for name in opened.table.columns)
        if not len(opened.table):
            raise BadInput("FILE", str(opened.path), "a table without rows", _EXPECTED)
        lines = np.arange(1, len(opened.table) + 1)
        return Table(names, _named(opened.table, names), lines, True, 0, True, opened.names, opened.folders)
    return _text_table(opened, opened.text or b"")


def _text_table(opened: Opened, text: bytes) -> Table:
    start, separator, header = _beginning(text)
    body = _from_line(text, start)
    lines = _lines_with_text(body)
    if b'"' not in body:
        _same_width(body, separator, start)
    if len(lines) < body.count(b"\n") + (not body.endswith(b"\n")):
        body = b"\n".join(line for line in body.split(b"\n") if line)
    lines += start
    if header is not None:
        lines = lines[1:]
    if not len(lines):
        raise BadInput(f"line {start + 1}", ",".join(header or []), "a header and nothing below it", _EXPECTED)
    try:
        rows = pl.read_csv(
            body, has_header=False, separator=separator, infer_schema=False, skip_rows=0 if header is None else 1
        )
    except pl.exceptions.PolarsError as error:
        _same_width(body, separator, start)
        raise BadInput("FILE", str(opened.path), f"not CSV ({str(error).splitlines()[0]})", _EXPECTED) from None
    names = tuple(f"column {i + 1}" for i in range(rows.width)) if header is None else _unique(header)
    if len(names) != rows.width or len(rows) != len(lines):
        raise BadInput(f"line {start + 1}", ",".join(names), f"{len(names)} names over {rows.width} columns", _EXPECTED)
    at = start + 1 if header is not None else 0
    return Table(names, _named(rows, names), lines + 1, header is not None, at, False, opened.names, opened.folders)


def _named(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    return pl.DataFrame([frame.to_series(i).alias(name) for i, name in enumerate(names)])


def _beginning(text: bytes) -> tuple[int, str, list[str] | None]:
    """How many lines are banner, the separator, and the header's names if there is a header."""
    head = text[:65_536].decode(errors="ignore").split("\n")[:6]
    above = 0
    for i, line in enumerate(head):
        separator = max(SEPARATORS, key=line.count)
        cells = next(csv.reader([line], delimiter=separator), [])
        if _is_row(cells):
            if above == len(cells):
                raise BadInput(f"line {i}", head[i - 1][:80], "a header that names neither open nor close", _EXPECTED)
            return i, separator, None
        above = len(cells)
        names = [_normal(cell) for cell in cells]
        if {"open", "close"} <= set(names) or {"o", "c"} <= set(names):
            return i, separator, names
    shown = head[0][:80]
    raise BadInput("line 1", shown, "neither a header that names open and close nor a row of numbers", _EXPECTED)


def _is_row(cells: list[str]) -> bool:
    """Whether a line is candles already: at least five cells, the first and most others numbers or times."""
    values = [bool(_VALUE.fullmatch(cell.strip())) for cell in cells]
    return len(cells) >= 5 and values[0] and bool(cells[0].strip()) and sum(values) >= 4


def _normal(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip().lower())


def _unique(names: list[str]) -> tuple[str, ...]:
    twice = {name for name in names if names.count(name) > 1 and name}
    if twice:
        raise BadInput("the header", ",".join(names), f"it names {min(twice)!r} twice", _EXPECTED)
    return tuple(name or f"column {i + 1}" for i, name in enumerate(names))


def _from_line(text: bytes, line: int) -> bytes:
    at = 0
    for _ in range(line):
        at = text.index(b"\n", at) + 1
    return text[at:] if at else text


def _lines_with_text(body: bytes) -> Ints:
    """The numbers (from 0) of the lines that are not empty."""
    ends = np.flatnonzero(np.frombuffer(body, np.uint8) == ord("\n"))
    ends = ends if body.endswith(b"\n") else np.append(ends, len(body))
    return np.flatnonzero(np.diff(ends, prepend=-1) > 1)


def _same_width(body: bytes, separator: str, start: int) -> None:
    """Refuses the first line that has fewer or more cells than the first one; separators in quotes count, too."""
    data = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    ends = ends if body.endswith(b"\n") else np.append(ends, len(body))
    commas = np.flatnonzero(data == ord(separator))
    counts = np.diff(np.searchsorted(commas, ends), prepend=0)
    full = np.diff(ends, prepend=-1) > 1
    width = counts[np.argmax(full)]
    bad = np.flatnonzero(full & (counts != width))
    if len(bad):
        row = int(bad[0])
        text = body[(int(ends[row - 1]) + 1 if row else 0) : int(ends[row])].decode(errors="replace")
        problem = f"{int(counts[row]) + 1} columns where the lines above have {int(width) + 1}"
        raise BadInput(f"line {start + row + 1}", text, problem, "Nothing was imported.")
