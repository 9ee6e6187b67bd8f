"""Candle files: recognising layouts, reading, cleaning, importing. The only room that speaks polars; no database here.

`read` turns a file into a checked `Reading` and touches nothing else; `import_file` puts one into a `CandleStore`.
"""

from onetape.archive.sample import sample_path

__all__ = ["sample_path"]
