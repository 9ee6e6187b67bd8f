"""Which file a strategy stands in, and a hash that changes when its code may have changed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from pathlib import Path

from onetape.strategies.contract import AnyStrategy


def file_of(kind: type[AnyStrategy]) -> Path | None:
    """None for a class typed in at a prompt."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return Path(file) if file else None


def source_hash(kind: type[AnyStrategy]) -> str:
    """SHA-256 (hex) over the file of the class, its tag and the version of onetape."""
    file = file_of(kind)
    code = file.read_bytes() if file is not None and file.is_file() else b""
    version = importlib.metadata.version("onetape")
    return hashlib.sha256(b"\0".join((code, kind.name().encode(), version.encode()))).hexdigest()
