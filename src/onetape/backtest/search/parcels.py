"""How code of a user's own travels to another machine: its file as text, loaded there as it was loaded here."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from typing import Final

from onetape.backtest.search.objectives import Objective, objective_of
from onetape.strategies.contract import AnyStrategy
from onetape.strategies.registry import Registry

_FOLDER: Final = "onetape-parcel-"


def pack_kind(kind: type[AnyStrategy]) -> tuple[str, str, str]:
    """Tag, file name and text; the last two are empty of a strategy of onetape's own."""
    if kind.__module__.startswith("onetape."):
        return kind.name(), "", ""
    file = Path(inspect.getfile(kind))
    return kind.name(), file.name, file.read_text(encoding="utf-8")


def unpack_kind(tag: str, name: str, text: str) -> type[AnyStrategy]:
    return Registry.load(_laid_down(name, text).parent if name else None).get(tag)


def pack_objective(one: Objective) -> tuple[str, str, str]:
    if one.function is None:
        return f"{one.name}:{'max' if one.sign > 0.0 else 'min'}", "", ""
    place, _, function = one.name.rpartition(":")
    file = Path(place).expanduser()
    return function, file.name, file.read_text(encoding="utf-8")


def unpack_objective(name: str, file: str, text: str) -> Objective:
    return objective_of(f"{_laid_down(file, text)}:{name}" if file else name)


def _laid_down(name: str, text: str) -> Path:
    path = Path(tempfile.mkdtemp(prefix=_FOLDER)) / name
    path.write_text(text, encoding="utf-8")
    return path
