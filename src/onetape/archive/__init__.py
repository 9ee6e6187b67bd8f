"""Candle files: recognising layouts, reading, cleaning, importing. The only room that speaks polars; no database here.

`read` turns a file into a checked `Reading` and touches nothing else; `import_file` puts one into a `CandleStore`.
"""

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
