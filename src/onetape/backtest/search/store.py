"""Searches that were begun and what they found, in memory and as files. What became of each trial is in the ledger."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from onetape.domain.errors import BadInput, NotFound
from onetape.domain.searches import Search, search_of


def unknown(search_id: str) -> NotFound:
    return NotFound("--resume", search_id, "not a search that was begun here", "The id stands in its first line.")


class MemorySearchStore:
    """Fulfils ports.SearchStore."""

    def __init__(self) -> None:
        self._begun: dict[str, Search] = {}
        self._found: dict[str, dict[str, Any]] = {}

    async def begin(self, search: Search) -> None:
        self._begun.setdefault(search.id, search)

    async def get(self, search_id: str) -> Search:
        if search_id not in self._begun:
            raise unknown(search_id)
        return self._begun[search_id]

    async def finish(self, search_id: str, found: dict[str, Any]) -> None:
        self._found[search_id] = found

    async def found(self, search_id: str) -> dict[str, Any] | None:
        return self._found.get((await self.get(search_id)).id)


class FileSearchStore:
    """Fulfils ports.SearchStore over a folder: two files of JSON for each search."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def begin(self, search: Search) -> None:
        path = self._path(search.id, "json")
        if not path.exists():
            self._write(path, search)

    async def get(self, search_id: str) -> Search:
        if (search := await self.known(search_id)) is None:
            raise unknown(search_id)
        return search

    async def known(self, search_id: str) -> Search | None:
        """None where it was not begun in this folder."""
        document = self._read(self._path(search_id, "json"))
        return None if document is None else search_of(document)

    async def finish(self, search_id: str, found: dict[str, Any]) -> None:
        self._write(self._path(search_id, "result.json"), found)

    async def found(self, search_id: str) -> dict[str, Any] | None:
        await self.get(search_id)
        return self._read(self._path(search_id, "result.json"))

    def _path(self, search_id: str, kind: str) -> Path:
        if not search_id.isalnum():
            raise unknown(search_id)
        return self._folder / f"{search_id}.{kind}"

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise BadInput(str(path), path.name, f"not a stored search ({error})") from None
        return found

    def _write(self, path: Path, value: Any) -> None:
        """Whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(msgspec.json.encode(value))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
