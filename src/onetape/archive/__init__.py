"""Candle files: recognising layouts, reading, cleaning, importing; and the archive of what has left the database.

The only room that speaks polars; no database here. `read` turns a file into a checked `Reading` and touches nothing
else; `import_file` puts one into a `CandleStore`. The names load on first use: polars takes a third of a second, and
most processes never read a file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from onetape.archive.importing import import_file, put
    from onetape.archive.layouts import LAYOUTS, Layout
    from onetape.archive.reading import Hints, Reading, read, sample_frame
    from onetape.archive.sample import sample_path
    from onetape.domain.imported import Imported, Rejected

__all__ = [
    "LAYOUTS",
    "Hints",
    "Imported",
    "Layout",
    "Reading",
    "Rejected",
    "import_file",
    "put",
    "read",
    "sample_frame",
    "sample_path",
]

_HOMES: Final = {
    "LAYOUTS": "archive.layouts",
    "Hints": "archive.reading",
    "Imported": "domain.imported",
    "Layout": "archive.layouts",
    "Reading": "archive.reading",
    "Rejected": "domain.imported",
    "import_file": "archive.importing",
    "put": "archive.importing",
    "read": "archive.reading",
    "sample_frame": "archive.reading",
    "sample_path": "archive.sample",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'onetape.archive' has no attribute {name!r}")
    return getattr(importlib.import_module(f"onetape.{_HOMES[name]}"), name)
