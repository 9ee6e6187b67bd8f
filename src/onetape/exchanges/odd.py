"""Text of the venue that is no message: kept as it came like every other, as long as it does not come in floods.

`RATE` a second and `SIZE` bytes of each are kept (channel `unknown`, symbol `*`), and it is said once a second at most:
a venue that sends nonsense must not fill the disk, neither with its own words nor with our complaints.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from onetape.exchanges.connection import Frame
from onetape.observe import log

RATE: Final = 10
SIZE: Final = 65_536


class Odd:
    """`monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._second = float("-inf")
        self._kept = self._left = 0

    def came(self, frame: Frame, problem: str) -> bytes | None:
        """What is to be kept of it, if anything."""
        now = self._monotonic()
        if now - self._second >= 1.0:
            log.warning(
                "frame_not_understood", source=frame.source, problem=problem, begin=begin(frame), not_kept=self._left
            )
            self._second, self._kept, self._left = now, 0, 0
        if self._kept >= RATE:
            self._left += 1
            return None
        self._kept += 1
        return frame.data[:SIZE]


def begin(frame: Frame) -> str:
    """Enough of a strange frame to recognise it in the log."""
    return frame.data[:200].decode("utf8", "replace")
