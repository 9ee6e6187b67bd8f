"""Where the candles of a run come from: recorded, repaired, made up, or missing. Plain counts, and one line of text."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np

from onetape.domain.frame import CandleFrame
from onetape.domain.market import Origin

_WORDS: Final = {
    Origin.VENUE: "received live",
    Origin.BUILT: "built from shorter ones or trades",
    Origin.BACKFILLED: "backfilled",
    Origin.SYNTHETIC: "synthetic",
    Origin.IMPORTED: "imported",
    Origin.FOREIGN: "taken from another exchange",
}


_COUNTED: Final[WeakKeyDictionary[CandleFrame, dict[str, int]]] = WeakKeyDictionary()


def of_candles(frame: CandleFrame) -> dict[str, int]:
    """How many candles of each origin, how many holes, and how many candles lie in these; remembered as long as the
    frame lives, for frames never change."""
    known = _COUNTED.get(frame)
    if known is None:
        known = _COUNTED[frame] = _counted(frame)
    return dict(known)


def _counted(frame: CandleFrame) -> dict[str, int]:
    counts = np.bincount(frame.origin, minlength=len(Origin)) if len(frame) else np.zeros(len(Origin), np.int64)
    holes = frame.gaps()
    found = {origin.name.lower(): int(counts[origin]) for origin in Origin}
    return found | {"gaps": len(holes), "missing": sum(_steps(frame, start, end) for start, end in holes)}


def _steps(frame: CandleFrame, start: int, end: int) -> int:
    if frame.timeframe.regular:
        return (end - start) // frame.timeframe.micros
    count = 0
    while start < end:
        start, count = frame.timeframe.next(start), count + 1
    return count


def provenance(frame: CandleFrame, fills: CandleFrame) -> dict[str, Any]:
    """For the manifest: the candles of the signals and those that orders fill on."""
    return {"signals": of_candles(frame), "fills": of_candles(fills)}


def line(manifest: dict[str, Any]) -> str:
    """`candles: 1,200 backfilled, 240 received live; 2 gaps with 17 candles missing`."""
    found = manifest.get("candles", {}).get("fills")
    if not found:
        return ""
    counts = [(found[origin.name.lower()], _WORDS[origin]) for origin in Origin]
    there = ", ".join(f"{n:,} {word}" for n, word in sorted(counts, reverse=True) if n)
    gaps = f"{found['gaps']:,} gap{'s' if found['gaps'] != 1 else ''} with {found['missing']:,} candles missing"
    return f"candles: {there}; {gaps if found['gaps'] else 'none missing'}"


def doubts(manifest: dict[str, Any]) -> list[str]:
    """Sentences about candles that are not what was received while they were traded."""
    found = manifest.get("candles", {}).get("fills", {})
    told = []
    repaired = found.get("backfilled", 0)
    if repaired and found.get("venue", 0):
        told.append(
            f"{repaired:,} candles that orders fill on were missed by the recording and repaired: a bot that ran then "
            "saw them late, or not at all."
        )
    if synthetic := found.get("synthetic", 0):
        told.append(f"{synthetic:,} candles that orders fill on are synthetic: nobody traded at their prices.")
    if foreign := found.get("foreign", 0):
        told.append(f"{foreign:,} candles that orders fill on are those of another exchange.")
    if missing := found.get("missing", 0):
        told.append(
            f"{missing:,} candles that orders fill on are missing, in {found['gaps']:,} gaps: nothing could fill there."
        )
    return told
