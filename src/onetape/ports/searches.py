"""Searches for parameters: what was asked and what was found. What became of each trial is in the ledger of trials."""

from __future__ import annotations

from typing import Any, Protocol

from onetape.domain.searches import Search


class SearchStore(Protocol):
    async def begin(self, search: Search) -> None:
        """Writes it down before its first trial; again changes nothing."""
        ...

    async def get(self, search_id: str) -> Search:
        """Raises NotFound."""
        ...

    async def finish(self, search_id: str, found: dict[str, Any]) -> None:
        """What was found, as JSON; the last word stands."""
        ...

    async def found(self, search_id: str) -> dict[str, Any] | None:
        """None while it is not finished. Raises NotFound."""
        ...
