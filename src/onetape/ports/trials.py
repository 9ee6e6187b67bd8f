"""The ledger of trials: how often which data were looked at, and what nobody may look at yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from onetape.domain.trials import DataKey, LedgerView, Opening, Seal, Settled, Trial
from onetape.domain.units import Micros


class TrialLedger(Protocol):
    """Append-only: a trial that was entered is never gone. Every write may be repeated and then changes nothing."""

    async def reserve(self, trials: Sequence[Trial]) -> None:
        """Enters trials before they run, all or none: from then on they count, whatever becomes of them."""
        ...

    async def settle(self, settled: Sequence[Settled]) -> None:
        """What became of reserved trials, all or none. The first word stands. An unknown id is left out."""
        ...

    async def view(self, data: DataKey) -> LedgerView:
        """All trials on data that overlap these."""
        ...

    async def of_search(self, search_id: str, since_ts: Micros = 0) -> list[tuple[str, Settled | None]]:
        """The trials of a search, whose ids are `search_id-NUMBER`, in the order of their ids; None = not settled. With
        `since_ts` those alone that were settled from then on."""
        ...

    async def seal(self, seal: Seal) -> None:
        """Raises Conflict when the market is sealed already."""
        ...

    async def sealed(self, exchange: str, symbol: str) -> Seal | None:
        """What holds now."""
        ...

    async def lift(self, exchange: str, symbol: str, ts: int, who: str) -> None:
        """The sealed part is like any other from now on. Raises NotFound when nothing is sealed."""
        ...

    async def open(self, opening: Opening) -> Opening:
        """Enters the one opening of a family on a sealed market, or gives the one that is there."""
        ...

    async def opened(self, trial_id: str, outcome: dict[str, object]) -> None:
        """What came out of an opening; the first word stands."""
        ...
