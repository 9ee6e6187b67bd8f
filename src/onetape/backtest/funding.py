"""Recorded funding rates become payments at fill candles, and what is missing among them becomes a number."""

from __future__ import annotations

import numpy as np

from onetape.backtest.recorded import Recorded
from onetape.core.bars import Funding, funding_of
from onetape.domain.frame import Ints
from onetape.domain.units import Micros

PERPETUAL = "-SWAP"  # how the names of what pays funding end


def payments(recorded: Recorded, opens: Ints, end_ts: Micros) -> Funding:
    """Those due from the first open until `end_ts`, each at the first of the candles or trades that opens at its moment
    or later: what is held by then pays it. One that falls behind the last open is never paid."""
    if not len(recorded.funding_ts) or not len(opens):
        return funding_of()
    first, last = np.searchsorted(recorded.funding_ts, (opens[0], end_ts))
    at = np.searchsorted(opens, recorded.funding_ts[first:last])
    there = at < len(opens)
    return funding_of(at[there].astype(np.int64), recorded.funding_rate[first:last][there])


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
