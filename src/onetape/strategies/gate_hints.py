"""What a failure of the gate looks like, in a trader's words: told from which futures change it, and how far back.

Only asked once a strategy has failed; a hint is a guess from outside, the evidence beside it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from onetape.strategies.gate_columns import Unfit

NEXT: Final = "uses the next candle"
CENTRED: Final = "window is centred"
OPEN_BAR: Final = "open higher bar"
SCALED: Final = "whole-sample scaling"
FITTED: Final = "model fitted on all data"
CUMULATIVE: Final = "cumulative: depends on the start"
SHORT: Final = "warm-up is too short"

NEIGHBOURS: Final = 48  # cuts side by side that are looked at
LOUD: Final = ("not known yet", "three times as high", "a third as high")
SHUFFLED: Final = "in reverse order"  # keeps mean, deviation, highest and lowest of what comes

Changed = Callable[[int, str], int]  # the first row before a cut that another future changes; the cut itself if none


def look_ahead(changed: Changed, candles: int, cut: int) -> str:
    """Which mistake makes rows before a cut depend on what comes after it."""
    changed = _bearable(changed)
    far = [(at, future) for at in (candles // 3, candles // 2) for future in LOUD[1:] if changed(at, future) < at // 3]
    if len({at for at, _ in far}) == 2:
        at = candles // 2
        return SCALED if changed(at, SHUFFLED) == at else FITTED
    cuts = range(min(cut, max(candles - NEIGHBOURS, 1)), candles)[:NEIGHBOURS]
    first = {at: min(changed(at, future) for future in LOUD) for at in cuts}
    behind = {at: row for at, row in first.items() if row < at}
    if not behind:
        return ""
    reach = max(at - row for at, row in behind.items())
    if reach == 1:
        return NEXT
    rows = len(np.unique(list(behind.values())))  # a bar's rows know it whole, so neighbours share their first row
    return OPEN_BAR if 2 * rows <= len(behind) + 1 else CENTRED


def _bearable(changed: Changed) -> Changed:
    """A future on which the strategy fails shows nothing."""

    def tried(cut: int, future: str) -> int:
        try:
            return changed(cut, future)
        except Unfit:
            return cut

    return tried
