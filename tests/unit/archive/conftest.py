"""Candle files written by hand."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(name, *lines)`: a file of these lines; packed when the name ends in .gz."""

    def put(name: str, *lines: str, end: str = "\n") -> Path:
        path = tmp_path / name
        text = (end.join(lines) + end).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return path

    return put
