"""The files of the archive: Parquet with zstd, one per part, under a folder for each kind, exchange, symbol, channel.

    raw/okx/BTC-USDT/trades/2026-01-04.parquet      candles/okx/BTC-USDT/1m/2026-01.parquet

A name is never written twice: the next version of a part is `2026-01-04.2.parquet`. So nobody reads half of one file
and half of the other. What is inside is the business of `parquet`, which is loaded when the first file is touched.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from onetape.archive.sums import sha256
from onetape.domain.errors import BadInput, Damaged
from onetape.domain.parts import Archived, Part
from onetape.domain.units import Micros
from onetape.observe import log

if TYPE_CHECKING:
    import polars as pl

    from onetape.archive.parquet import Columns, Draft

_OVER: Final = ".over"
GRACE: Final = 3_600.0  # seconds that a file which nobody needs any more is kept for those who still read it


class Files:
    """`folder` is the archive's; files are named relative to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def draft(self, part: Part, columns: Columns) -> Draft:
        """A new version of the file of a part."""
        from onetape.archive.parquet import Draft

        place = self.folder / part.kind / _safe(part.exchange) / _safe(part.symbol) / _safe(part.channel)
        place.mkdir(parents=True, exist_ok=True)
        version, path = 1, place / f"{part.label}.parquet"
        while not _reserved(path):
            version += 1
            path = place / f"{part.label}.{version}.parquet"
        return Draft(self.folder, part, columns, path)

    def path(self, entry: Archived) -> Path:
        """Raises Damaged when the file is not there."""
        path = self.folder / entry.file
        if not path.is_file():
            raise Damaged(
                f"The archive file {path} ({entry.part}, {entry.rows:,} rows) is not there. "
                "Put it back from a backup of the archive's folder."
            )
        return path

    def names(self, entry: Archived) -> list[str]:
        """Of its columns. Raises Damaged."""
        from onetape.archive import parquet

        with self._sound(entry):
            return parquet.names(self.path(entry))

    def pages(self, entry: Archived) -> Iterator[pl.DataFrame]:
        """Its rows in pieces, times as micros. Raises Damaged."""
        from onetape.archive import parquet

        with self._sound(entry):
            yield from parquet.pages(self.path(entry), entry.rows)

    def between(self, entry: Archived, start_ts: Micros, end_ts: Micros, names: Sequence[str]) -> pl.DataFrame:
        """The rows with a time in [start_ts, end_ts), times as micros. Raises Damaged."""
        from onetape.archive import parquet

        with self._sound(entry):
            return parquet.between(self.path(entry), start_ts, end_ts, names)

    def check(self, entry: Archived) -> None:
        """Raises Damaged when the file is not byte for byte what was written."""
        if (found := sha256(self.path(entry))) != entry.sha256:
            raise self._damaged(entry, f"its SHA-256 is {found[:12]}..., {entry.sha256[:12]}... was written")

    @contextlib.contextmanager
    def _sound(self, entry: Archived) -> Iterator[None]:
        from onetape.archive.parquet import Unreadable

        try:
            yield
        except Unreadable as error:
            raise self._damaged(entry, str(error).splitlines()[0]) from error

    def _damaged(self, entry: Archived, problem: str) -> Damaged:
        return Damaged(
            f"The archive file {self.folder / entry.file} ({entry.part}) is damaged: {problem}. "
            "Put it back from a backup of the archive's folder."
        )

    def over(self, entry: Archived) -> None:
        """Its rows are to be deleted for good: `sweep` may remove the file, an hour after the entry is gone."""
        with contextlib.suppress(FileNotFoundError):  # somebody has removed the folder already
            _mark_of(self.folder / entry.file).touch()

    def sweep(self, named: Iterable[str]) -> int:
        """Removes what is left of drafts, older versions of files that are named, and files that are `over`, once
        nobody can be reading them, and gives how many there were. Any other file is left alone: it may belong to
        another database, or to this one before it was set up anew."""
        wanted = {self.folder / name for name in named}
        newest = {_part_of(path): path for path in wanted}
        removed = unknown = 0
        for path in self.folder.glob("**/*.parquet*"):
            if path in wanted or path.suffix == _OVER:
                continue
            with contextlib.suppress(FileNotFoundError):  # another process sweeps as well
                mark = _mark_of(path)
                if path.suffix == ".parquet" and path.stat().st_size:
                    since = mark if mark.exists() else newest.get(_part_of(path))
                else:
                    since = path
                if since is None:
                    unknown += 1
                elif time.time() - since.stat().st_mtime > GRACE:
                    path.unlink()
                    mark.unlink(missing_ok=True)
                    removed += 1
        if unknown:
            says = f"{unknown:,} files in {self.folder} belong to no entry of this database. They are left alone."
            log.warning("archive_not_known", files=unknown, says=says)
        return removed


def _mark_of(path: Path) -> Path:
    """Beside a file whose rows were deleted for good."""
    return path.with_name(path.name + _OVER)


def _part_of(path: Path) -> tuple[Path, str]:
    """What all versions of one part's file have in common."""
    return path.parent, path.name.partition(".")[0]


def _reserved(path: Path) -> bool:
    """Makes an empty file of that name, unless there is one: two processes never write to the same name."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _safe(name: str) -> str:
    """A name for a folder on every system: what is not a letter, a digit, `.`, `_` or `-` becomes `%3A`."""
    text = quote(name, safe="").replace("~", "%7E")
    if not text:
        raise BadInput("the name of a series", name, "empty, so it cannot name a folder")
    return "%2E" + text[1:] if text.startswith(".") else text
