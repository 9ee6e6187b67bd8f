"""Which connection carries which subscription. Pure.

The streams that matter are carried twice, on two lanes of connections, so that the loss of one connection is no hole.
A connection is given no more than it can carry inside OKX's limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from onetape.domain.market import Channel
from onetape.exchanges.okx import names
from onetape.exchanges.okx.wire import Arg

# What states itself anew within seconds, or is no market data, needs no second connection.
SINGLE: Final = frozenset((Channel.MARK, Channel.INDEX, Channel.FUNDING, Channel.INSTRUMENTS, Channel.STATUS))

CHANNELS: Final = 100  # on one connection
DEEP: Final = 25  # of them `books`; OKX advises fewer than 30


class Slot(NamedTuple):
    """One connection: `public/a1` is the first of lane a on the public address."""

    path: str
    lane: str
    number: int

    def __str__(self) -> str:
        return f"{self.path}/{self.lane}{self.number}"


class Spread:
    """`lanes` is 1 or 2."""

    def __init__(self, lanes: int) -> None:
        self._lanes = "ab"[:lanes]
        self._slots: dict[Slot, dict[Arg, None]] = {}

    def place(self, arg: Arg, channel: Channel) -> list[Slot]:
        """Where a new subscription goes: one slot for each lane that carries it."""
        lanes = self._lanes[:1] if channel in SINGLE else self._lanes
        return [self._room(names.path(arg.channel), lane, arg) for lane in lanes]

    def remove(self, args: Iterable[Arg]) -> list[Slot]:
        """The slots that are empty now, and gone."""
        for slot_args in self._slots.values():
            for arg in args:
                slot_args.pop(arg, None)
        empty = [slot for slot, slot_args in self._slots.items() if not slot_args]
        for slot in empty:
            del self._slots[slot]
        return empty

    def replace(self, slot: Slot) -> tuple[Slot, tuple[Arg, ...]]:
        """Another connection takes everything over from this one."""
        args = self._slots.pop(slot)
        after = Slot(slot.path, slot.lane, self._next_number(slot.path, slot.lane, slot.number))
        self._slots[after] = args
        return after, tuple(args)

    def _room(self, path: str, lane: str, arg: Arg) -> Slot:
        for slot, args in self._slots.items():
            if slot[:2] == (path, lane) and self._fits(args, arg):
                args[arg] = None
                return slot
        slot = Slot(path, lane, self._next_number(path, lane, 0))
        self._slots[slot] = {arg: None}
        return slot

    def _fits(self, args: dict[Arg, None], arg: Arg) -> bool:
        deep = sum(known.channel == "books" for known in args)
        return len(args) < CHANNELS and (arg.channel != "books" or deep < DEEP)

    def _next_number(self, path: str, lane: str, after: int) -> int:
        return max((slot.number for slot in self._slots if slot[:2] == (path, lane)), default=after) + 1
