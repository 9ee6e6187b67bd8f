"""What is inside a file of the archive. Messages lie in the order of their receipt, candles in that of their time.

A file is written under a temporary name, read back and compared, brought to the disk, and then gets its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from onetape.archive.sums import sha256
from onetape.domain.errors import BadInput, Damaged
from onetape.domain.parts import CANDLES, RAW, Archived, Part, Weight
from onetape.domain.units import Micros

ORDER: Final = {RAW: ("recv_ts", "seq"), CANDLES: ("timestamp",)}
KEY: Final = {RAW: ("timestamp", "seq", "recv_ts"), CANDLES: ("timestamp",)}
_GROUP: Final = 50_000  # rows of one row group
_TIME: Final = pl.Datetime("us", "UTC")
_TYPES: Final = {"text": pl.String(), "time": pl.Int64(), "int": pl.Int64(), "float": pl.Float64()}
_TEMPORARY: Final = ".new"
Columns = tuple[tuple[str, str], ...]
Rows = list[tuple[Any, ...]]
Unreadable = (pl.exceptions.PolarsError, pl.exceptions.PanicException)  # a damaged page makes the library panic


class Draft:
    """A file that is being written, piece by piece. Nothing of it counts before `finish`."""

    def __init__(self, folder: Path, part: Part, columns: Columns, path: Path) -> None:
        self._folder, self._part, self._columns, self._path = folder, part, columns, path
        self._pieces: list[Path] = []
        self._finished = False

    def add(self, rows: Rows) -> None:
        self._put(pl.DataFrame(rows, {name: _TYPES[kind] for name, kind in self._columns}, orient="row"))

    def merge(self, entry: Archived) -> None:
        """Takes over an older file of the part; call it first, because of two rows of one key the later one counts."""
        for page in pages(self._folder / entry.file, entry.rows):
            self._put(page)

    def _put(self, frame: pl.DataFrame) -> None:
        piece = self._path.with_suffix(f".parquet.{os.getpid()}.{len(self._pieces)}{_TEMPORARY}")
        self._pieces.append(piece)
        frame.write_parquet(piece, compression="lz4")

    def finish(self, taken: Weight, *, merged: bool) -> Archived:
        """The file under its name and on the disk, read back and compared before. Raises Damaged."""
        temporary = self._path.with_suffix(f".parquet.{os.getpid()}{_TEMPORARY}")
        rows = pl.concat([pl.scan_parquet(piece, glob=False) for piece in self._pieces], how="diagonal")
        if merged:
            order = list(ORDER[self._part.kind])
            rows = rows.unique(list(KEY[self._part.kind]), keep="last", maintain_order=True).sort(order)
        times = [name for name, kind in self._columns if kind == "time"]
        rows.with_columns(pl.from_epoch(pl.col(times), "us").dt.replace_time_zone("UTC")).sink_parquet(
            temporary, compression="zstd", row_group_size=_GROUP
        )
        self._compare(rows, _plain(pl.scan_parquet(temporary, glob=False)), temporary)
        entry = self._entry(temporary, taken)
        _to_disk(temporary)
        temporary.rename(self._path)  # over the empty file that kept the name
        self._finished = True
        for folder in (self._path.parent, *self._path.relative_to(self._folder).parents):
            _to_disk(self._folder / folder)
        self.discard()
        return entry

    def _compare(self, given: pl.LazyFrame, written: pl.LazyFrame, path: Path) -> None:
        """Row by row, without holding them all."""
        digests = []
        for rows in (given, written):
            count, total = 0, 0
            for page in rows.collect_batches(maintain_order=True):
                count += len(page)
                total += sum(page.hash_rows(seed=0).to_list())
            digests.append((count, total))
        if digests[0] != digests[1]:
            path.unlink()
            raise Damaged(
                f"{self._part} was written to {path} and did not come back the same ({digests[0][0]:,} rows written, "
                f"{digests[1][0]:,} read). Nothing left the database. Is the disk sound?"
            )

    def _entry(self, path: Path, taken: Weight) -> Archived:
        scan = _plain(pl.scan_parquet(path, glob=False))
        received = pl.col("recv_ts").min() if self._part.kind == RAW else pl.lit(0)
        found = scan.select(
            pl.len().alias("rows"),
            pl.col("timestamp").min().alias("first"),
            pl.col("timestamp").max().alias("last"),
            received.alias("received"),
        ).collect()
        rows, first, last, received_ts = found.row(0)
        return Archived(
            part=self._part,
            file=self._path.relative_to(self._folder).as_posix(),
            rows=rows,
            first_ts=first,
            last_ts=last,
            first_recv_ts=received_ts,
            bytes=path.stat().st_size,
            sha256=sha256(path),
            taken=taken,
        )

    def discard(self) -> None:
        """Leaves nothing but a finished file."""
        for piece in self._pieces if self._finished else [*self._pieces, self._path]:
            piece.unlink(missing_ok=True)


def names(path: Path) -> list[str]:
    return pl.scan_parquet(path, glob=False).collect_schema().names()


def pages(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """All rows in pieces, times as micros."""
    scan = _plain(pl.scan_parquet(path, glob=False))
    for start in range(0, rows, _GROUP):
        yield scan.slice(start, _GROUP).collect()


def between(path: Path, start_ts: Micros, end_ts: Micros, names: Sequence[str]) -> pl.DataFrame:
    """The rows with a time in [start_ts, end_ts), times as micros."""
    time = pl.col("timestamp")
    scan = _plain(pl.scan_parquet(path, glob=False)).filter((time >= start_ts) & (time < end_ts))
    return scan.select(names).collect()


def _plain(scan: pl.LazyFrame) -> pl.LazyFrame:
    return scan.with_columns(pl.col(_TIME).to_physical())


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def messages(place: Path) -> list[tuple[Micros, str]]:
    """Receipt and text of all messages of one file, or of all files below a folder, in the order of their receipt.
    Raises BadInput."""
    files = sorted(place.rglob("*.parquet")) if place.is_dir() else [place]
    try:
        pieces = [_plain(pl.scan_parquet(file, glob=False)).select("recv_ts", "seq", "data") for file in files]
        rows = (
            pl.concat(pieces).sort("recv_ts", "seq").select("recv_ts", "data").collect() if pieces else pl.DataFrame()
        )
    except (*Unreadable, OSError) as error:
        problem = f"no archive of messages ({str(error).splitlines()[0]})"
        raise BadInput("--recording", str(place), problem, "Give a file or a folder below archive/raw.") from error
    return list(rows.iter_rows())
