"""What one stored message shows of a book that is rebuilt from such messages. Every venue's proof speaks in these."""

from __future__ import annotations

from typing import NamedTuple

from onetape.domain.units import Micros


class Told(NamedTuple):
    """What one message showed. `wrong` is a sentence, "" = nothing; `broken`: updates are missing before this one."""

    ts: Micros
    compared: int = 0
    skipped: int = 0
    wrong: str = ""
    broken: bool = False


def difference(side: str, place: str, own: list[tuple[float, float]], stated: list[tuple[float, float]]) -> str:
    """ "" or a sentence about the first level (price, size) that is not the stated one."""
    for i, level in enumerate(stated):
        mine = own[i] if i < len(own) else None
        if mine != level:
            shown = f"{mine[1]:.10g} at {mine[0]:.10g}" if mine else "nothing"
            return f"{side} {i + 1} of {place} {level[1]:.10g} at {level[0]:.10g}, rebuilt is {shown}"
    return ""
