"""Which files a strategy is made of, and a hash that changes when its code may have changed."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

from onetape.strategies.contract import AnyStrategy


def file_of(kind: type[AnyStrategy]) -> Path | None:
    """None for a class typed in at a prompt."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return Path(file) if file else None


def source_hash(kind: type[AnyStrategy]) -> str:
    """SHA-256 (hex) over the file of the class and all that it imports from beside it, its tag and the version of
    onetape (which stands for what came with it)."""
    file = file_of(kind)
    version = importlib.metadata.version("onetape")
    parts = [kind.name().encode(), version.encode()]
    for part in files_of(file) if file is not None else ():
        parts += [part.name.encode(), hashlib.sha256(part.read_bytes()).digest()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def files_of(file: Path) -> list[Path]:
    """The file and the files in its folder that it imports, directly or through others, sorted; installed packages are
    not looked for. A file that cannot be read as Python is there, but nothing that it would import."""
    first = file.resolve()
    found, queue = set[Path](), [first]
    while queue:
        part = queue.pop()
        if part not in found and part.is_file() and part.is_relative_to(first.parent):
            found.add(part)
            queue += _imports(part, first.parent)
    return sorted(found)


def _imports(file: Path, folder: Path) -> Iterator[Path]:
    """The files below the folder that a file may import: each module named, and the packages around it."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _modules(folder, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            start = file.parents[min(node.level, len(file.parents)) - 1] if node.level else folder
            within = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _modules(start, [*within, alias.name])


def _modules(start: Path, names: list[str]) -> Iterator[Path]:
    """`a.b.c` is a/__init__.py, a/b/__init__.py, and a/b/c.py or a/b/c/__init__.py, or b is a file that defines c."""
    place = start
    if names[:1] == ["onetape"]:
        return
    for name in names:
        place = place / name
        yield place.with_suffix(".py")
        yield place / "__init__.py"
