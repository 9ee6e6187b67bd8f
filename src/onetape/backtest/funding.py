"""Recorded funding rates become payments at fill candles, and what is missing among them becomes a number."""

from __future__ import annotations

import numpy as np

from onetape.core.bars import Funding, funding_of
from onetape.domain.frame import Ints
from onetape.domain.recorded import Recorded
from onetape.domain.units import Micros

PERPETUAL = "-SWAP"  # how the names of what pays funding end


def payments(recorded: Recorded, opens: Ints, after_ts: Micros | None = None) -> Funding:
    """Those due after `after_ts` (None: from the first open on) and no later than the last open, each at the first of
    the candles or trades that opens at its moment or later: what is held by then pays it."""
    if not len(recorded.funding_ts) or not len(opens):
        return funding_of()
    after_ts = int(opens[0]) - 1 if after_ts is None else after_ts
    first, last = np.searchsorted(recorded.funding_ts, (after_ts, opens[-1]), side="right")
    at = np.searchsorted(opens, recorded.funding_ts[first:last])
    return funding_of(at.astype(np.int64), recorded.funding_rate[first:last])


def counts(recorded: Recorded, start_ts: Micros, end_ts: Micros) -> tuple[int, int]:
    """How many payments are recorded in [start, end), and how many are missing, as far as their rhythm is known."""
    first, last = np.searchsorted(recorded.funding_ts, (start_ts, end_ts))
    found = recorded.funding_ts[first:last]
    every = recorded.funding_every
    if not every:
        return len(found), 0
    edges = np.concatenate(([_before(recorded, start_ts, every)], found, [_after(recorded, end_ts, every)]))
    missing = np.maximum(np.rint(np.diff(edges) / every).astype(np.int64) - 1, 0)
    return len(found), int(missing.sum())


def _before(recorded: Recorded, ts: Micros, every: Micros) -> Micros:
    """The last moment of payment before `ts`, by the rhythm of those that are known."""
    return ts - 1 - (ts - 1 - int(recorded.funding_ts[0])) % every


def _after(recorded: Recorded, ts: Micros, every: Micros) -> Micros:
    return ts + (int(recorded.funding_ts[0]) - ts) % every
