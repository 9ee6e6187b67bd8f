"""Opening a candle file: what it is by its first bytes (not by its name), unpacked, as text or as a columnar table.

Everything that is not text or a table of columns is refused here with a sentence: a folder, an empty or cut-off file,
a web page, JSON, binary data.
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from onetape.domain.errors import BadInput, NotFound

MOST: Final = 4_000_000_000  # bytes of an unpacked file
_ZSTD_FRAME: Final = 0xFD2FB528
_ZSTD_SKIPPED: Final = 0x184D2A50  # and the fifteen after it
_ZSTD_BLOCK: Final = 128 * 1024  # bytes: no block unpacks to more
_ZSTD_RAW: Final = 0
_ZSTD_REPEATED: Final = 1
_DAMAGED_ZIP: Final = (NotImplementedError, RuntimeError, ValueError, LookupError, lzma.LZMAError)
_CUT_OFF: Final = "Download the file again: it is cut off or damaged."


class Opened(NamedTuple):
    """One candle file, unpacked. `names` are the file's and the packed file's, `folders` those above it, nearest first.

    Exactly one of `text` (UTF-8 bytes) and `table` is there.
    """

    path: Path
    names: tuple[str, ...]
    folders: tuple[str, ...]
    text: bytes | None
    table: pl.DataFrame | None


def open_file(path: Path) -> Opened:
    """Raises NotFound and BadInput; a symbolic link is followed, a packed file is unpacked in memory."""
    data = _bytes_of(path)
    names = [path.name]
    for _ in range(3):  # a gz in a zip is as deep as anybody packs
        unpack = next((how for magic, how in _PACKED.items() if data.startswith(magic)), None)
        if unpack is None:
            break
        data, inner = unpack(path, data)
        if inner:
            names.append(inner)
    folders = tuple(folder.name for folder in path.resolve().parents)[:4]
    load = next((how for magic, how in _TABLES.items() if data.startswith(magic)), None)
    if load is not None:
        return Opened(path, tuple(names), folders, None, _loaded(path, load, data))
    return Opened(path, tuple(names), folders, _checked_text(path, data), None)


def _bytes_of(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFound("FILE", str(path), "there is no such file", "Check the path.") from None
    except IsADirectoryError:
        raise BadInput("FILE", str(path), "a folder", "Name the files in it, for example FOLDER/*.csv.") from None
    except OSError as error:
        raise BadInput("FILE", str(path), f"cannot be read: {error.strerror}") from None
    if not data:
        raise BadInput("FILE", str(path), "empty: it has 0 bytes", "Download the file again.")
    return data


def _not_too_long(path: Path, data: bytes) -> bytes:
    """A few kilobytes can unpack to more than any memory holds."""
    if len(data) > MOST:
        raise BadInput("FILE", str(path), f"more than {MOST / 1e9:g} GB when unpacked", "Split it into several files.")
    return data


def _gunzipped(path: Path, data: bytes) -> tuple[bytes, str]:
    try:
        with gzip.open(io.BytesIO(data)) as packed:
            return _not_too_long(path, packed.read(MOST + 1)), ""
    except (EOFError, OSError, zlib.error) as error:
        raise BadInput("FILE", str(path), f"not whole gzip data ({error})".replace("\n", " "), _CUT_OFF) from None


def _unzipped(path: Path, data: bytes) -> tuple[bytes, str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX")]
            if any(m.filename == "[Content_Types].xml" for m in members):
                raise BadInput("FILE", str(path), "a spreadsheet or office document", "Save it as CSV first.")
            if len(members) != 1:
                problem = f"a zip of {len(members)} files where one candle file was expected"
                raise BadInput("FILE", str(path), problem, "Unpack it and name the files to import.")
            with archive.open(members[0]) as packed:
                return _not_too_long(path, packed.read(MOST + 1)), members[0].filename.rsplit("/", 1)[-1]
    except (zipfile.BadZipFile, EOFError, OSError, zlib.error, *_DAMAGED_ZIP) as error:
        raise BadInput("FILE", str(path), f"not a zip that can be read ({error})", _CUT_OFF) from None


def _unzstd(path: Path, data: bytes) -> tuple[bytes, str]:
    """polars unpacks zstd while it reads a CSV; a separator that no text has makes one column of whole lines."""
    try:
        most = zstd_bound(data)
    except ValueError as error:
        raise BadInput("FILE", str(path), f"not zstd data that can be read ({error})", _CUT_OFF) from None
    if most > MOST:
        problem = f"zstd data that may be more than {MOST / 1e9:g} GB when unpacked"
        raise BadInput("FILE", str(path), problem, "Pack it as gzip or split it into several files.")
    try:
        lines = pl.read_csv(data, has_header=False, separator="\x01", quote_char=None, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput("FILE", str(path), f"not zstd data that can be read ({error})", _CUT_OFF) from None
    return "\n".join(line or "" for line in lines.to_series().to_list()).encode(), ""


def zstd_bound(data: bytes) -> int:
    """The most bytes that zstd data can unpack to, by the heads of its blocks (RFC 8878), before anything is unpacked:
    polars knows no limit. Small blocks count as whole ones. Raises ValueError where a frame is of no known kind."""

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little")

    most = at = 0
    while at < len(data):
        magic, flags = number(at, 4), number(at + 4, 1)
        if magic & ~0xF == _ZSTD_SKIPPED:
            at += 8 + number(at + 4, 4)
            continue
        if magic != _ZSTD_FRAME:
            raise ValueError(f"byte {at} begins no zstd frame")
        whole = flags >> 5 & 1  # one segment: the size of the window is not told, that of the content is
        at += 5 + (1 - whole) + (0, 1, 2, 4)[flags & 3] + (whole, 2, 4, 8)[flags >> 6]
        last = 0
        while not last and at < len(data):
            head = number(at, 3)
            last, kind, size = head & 1, head >> 1 & 3, head >> 3
            most += size if kind in (_ZSTD_RAW, _ZSTD_REPEATED) else _ZSTD_BLOCK
            at += 3 + (1 if kind == _ZSTD_REPEATED else size)
        at += 4 * (flags >> 2 & 1)  # the checksum
    return most


_PACKED: Final[dict[bytes, Callable[[Path, bytes], tuple[bytes, str]]]] = {
    b"\x1f\x8b": _gunzipped,
    b"PK\x03\x04": _unzipped,
    b"PK\x05\x06": _unzipped,
    b"\x28\xb5\x2f\xfd": _unzstd,
}

_TABLES: Final[dict[bytes, Callable[[io.BytesIO], pl.DataFrame]]] = {
    b"ARROW1": pl.read_ipc,
    b"PAR1": pl.read_parquet,
}


def _loaded(path: Path, load: Callable[[io.BytesIO], pl.DataFrame], data: bytes) -> pl.DataFrame:
    if not data.endswith((data[:4], data[:6])):  # both formats end as they begin: PAR1, ARROW1
        raise BadInput("FILE", str(path), "a columnar file without its end", _CUT_OFF)
    try:
        return load(io.BytesIO(data))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else "damaged"
        raise BadInput("FILE", str(path), f"a columnar file that cannot be read ({first})", _CUT_OFF) from None


_NOT_CANDLES: Final = (
    (re.compile(rb"\s*<[!?a-z]", re.IGNORECASE), "a web page", "Download the data itself."),
    (re.compile(rb"\s*[{\[]"), "JSON", "Convert it to CSV with a header timestamp,open,high,low,close,volume."),
    (re.compile(rb"FEA1"), "a Feather file of the first version", "Save it again as Feather version 2 or CSV."),
    (re.compile(rb"version https://git-lfs"), "a Git LFS pointer, not the data", "Fetch the file with git lfs pull."),
)


def _checked_text(path: Path, data: bytes) -> bytes:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", errors="replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise BadInput("FILE", str(path), "empty: nothing but blank lines", "Download the file again.")
    for pattern, what, remedy in _NOT_CANDLES:
        if pattern.match(data):
            raise BadInput("FILE", str(path), what, remedy)
    if b"\0" in data or not _is_utf8(data):
        raise BadInput("FILE", str(path), "not text but binary data", "Expected CSV, Feather or Parquet candles.")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
