"""The ledger of trials in memory: the twin of the one in PostgreSQL, for tests; the one in a file is made of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from onetape.backtest.luck.independence import SAMPLE
from onetape.domain.errors import Conflict, NotFound
from onetape.domain.trials import DataKey, LedgerView, Opening, Seal, Settled, Trial, unpack_returns
from onetape.domain.units import Micros, rfc3339


class MemoryTrialLedger:
    """Fulfils ports.TrialLedger."""

    def __init__(self) -> None:
        self._trials: dict[str, Trial] = {}
        self._settled: dict[str, Settled] = {}
        self._seals: dict[tuple[str, str], Seal] = {}
        self._openings: dict[tuple[str, str, str, int], Opening] = {}

    async def reserve(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            self._trials.setdefault(trial.id, trial)

    async def settle(self, settled: Sequence[Settled]) -> None:
        for one in settled:
            if one.id in self._trials:
                self._settled.setdefault(one.id, one)

    async def view(self, data: DataKey) -> LedgerView:
        there = [trial for trial in self._trials.values() if trial.data.overlaps(data)]
        known: dict[tuple[str, str, int, int], Settled | None] = {}
        for trial in there:
            same = (trial.family, trial.fingerprint, trial.data.start_ts, trial.data.end_ts)
            known[same] = self._better(known.get(same), self._settled.get(trial.id))
        found = sorted((one for one in known.values() if one), key=lambda one: (one.ended_ts, one.id), reverse=True)
        kept = [(one.first_day, unpack_returns(one.returns)) for one in found if one.returns][:SAMPLE]
        sharpes = np.array([one.sharpe for one in found if one.sharpe is not None], np.float64)
        return LedgerView(len(there), len(known), sharpes, tuple(kept))

    async def of_search(self, search_id: str, since_ts: Micros = 0) -> list[tuple[str, Settled | None]]:
        mine = sorted(name for name in self._trials if name.startswith(f"{search_id}-"))
        found = [(name, self._settled.get(name)) for name in mine]
        return [(name, one) for name, one in found if not since_ts or (one is not None and one.ended_ts >= since_ts)]

    @staticmethod
    def _better(one: Settled | None, other: Settled | None) -> Settled | None:
        """Of two of the same trial: the one that has a result, the later one of two."""
        if one is None or other is None:
            return one or other
        return max(one, other, key=lambda settled: (settled.sharpe is not None, settled.ended_ts, settled.id))

    async def seal(self, seal: Seal) -> None:
        if (there := self._seals.setdefault((seal.exchange, seal.symbol), seal)) != seal:
            raise sealed_already(there)

    async def sealed(self, exchange: str, symbol: str) -> Seal | None:
        return self._seals.get((exchange, symbol))

    async def lift(self, exchange: str, symbol: str, ts: int, who: str) -> None:  # noqa: ARG002
        if self._seals.pop((exchange, symbol), None) is None:
            raise nothing_sealed(exchange, symbol)

    async def open(self, opening: Opening) -> Opening:
        key = (opening.exchange, opening.symbol, opening.family, opening.from_ts)
        return self._openings.setdefault(key, opening)

    async def opened(self, trial_id: str, outcome: dict[str, object]) -> None:
        for key, one in self._openings.items():
            if one.trial_id == trial_id and not one.outcome:
                self._openings[key] = msgspec.structs.replace(one, outcome=outcome)


def sealed_already(seal: Seal) -> Conflict:
    return Conflict(
        "--holdout", f"{seal.exchange} {seal.symbol}", f"sealed already, from {rfc3339(seal.from_ts)} on",
        "Leave --holdout away, or lift the seal with --holdout off: the part then counts as seen.",
    )  # fmt: skip


def nothing_sealed(exchange: str, symbol: str) -> NotFound:
    return NotFound("--holdout", f"{exchange} {symbol}", "not sealed", "Seal the last part with --holdout 0.2.")
