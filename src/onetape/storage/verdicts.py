"""What was found of every candle of a series, packed: a byte for each, 1,024 in a block. Pure.

Who judges a candle again changes its byte, so what is counted follows from what the byte was before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from onetape.domain.units import Micros, Timeframe
from onetape.ports import Verdict

BLOCK: Final = 1_024
NONE: Final = 0
QUIET: Final = ("equal", "not judged")  # counted only
NAMES: Final = ("", *QUIET, "missing trades", "price", "volume", "rounding")  # by the byte; kept for ever
_CODES: Final = {name: code for code, name in enumerate(NAMES)}
_NOT_JUDGED: Final = _CODES["not judged"]
_UNSETTLED: Final = (NONE, _NOT_JUDGED, _CODES["missing trades"])

Key = tuple[str, str, str, int]  # exchange, symbol, timeframe, block


class Change(NamedTuple):
    """`blocks` as they are now, how many candles each verdict of a series gained or lost, and the verdicts that are
    new."""

    blocks: dict[Key, bytes]
    counts: Counter[tuple[str, str, str, str]]
    changed: list[Verdict]


def place(timeframe: Timeframe, open_ts: Micros) -> tuple[int, int]:
    """The block of a candle, and where in it."""
    return divmod(timeframe.candles(timeframe.floor(0), open_ts), BLOCK)


def keys_of(verdicts: Iterable[Verdict]) -> list[Key]:
    return sorted({_place(verdict)[0] for verdict in verdicts})


def judged(known: Mapping[Key, bytes], verdicts: Iterable[Verdict]) -> Change:
    """The newest word counts, but "not judged" replaces nothing."""
    blocks = {key: bytearray(block) for key, block in known.items()}
    counts: Counter[tuple[str, str, str, str]] = Counter()
    changed: dict[tuple[str, str, str, Micros], Verdict] = {}
    for verdict in verdicts:
        key, at = _place(verdict)
        block = blocks.setdefault(key, bytearray(BLOCK))
        before, code = block[at], _CODES[verdict.verdict]
        if before == code or (before != NONE and code == _NOT_JUDGED):
            continue
        block[at] = code
        counts[*key[:3], verdict.verdict] += 1
        if before != NONE:
            counts[*key[:3], NAMES[before]] -= 1
        changed[*key[:3], verdict.open_ts] = verdict
    return Change({key: bytes(block) for key, block in blocks.items()}, counts, list(changed.values()))


def unjudged(blocks: Mapping[int, bytes], first: int, timeframe: Timeframe, end_ts: Micros) -> list[Micros]:
    """See ports.AuditStore. `first` is the first block of the series; candles of the last two blocks are looked at."""
    if not timeframe.regular:
        return []
    last, beyond = place(timeframe, end_ts)
    codes = b"".join(blocks.get(block, bytes(BLOCK)) for block in (last - 1, last))[: BLOCK + beyond]
    start = (last - 1) * BLOCK
    begun = first < last - 1
    found: list[Micros] = []
    for at, code in enumerate(codes):
        begun = begun or code != NONE
        if begun and code in _UNSETTLED:
            found.append(timeframe.floor(0) + (start + at) * timeframe.micros)
    return found


def _place(verdict: Verdict) -> tuple[Key, int]:
    block, at = place(Timeframe.parse(verdict.timeframe), verdict.open_ts)
    return (verdict.exchange, verdict.symbol, verdict.timeframe, block), at
