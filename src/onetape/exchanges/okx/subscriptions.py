"""Which subscriptions of one connection are asked for, acknowledged, refused. Pure: it says what to send and when.

The venue acknowledges each argument on its own, but an error names none: it is found by the request's id, so a retry
asks for one argument at a time.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from onetape.exchanges.connection import backoff_delays
from onetape.exchanges.okx.wire import Arg

_BATCH: Final = 20
_ACK_SECONDS: Final = 10.0
_encode = msgspec.json.Encoder().encode


class State(enum.Enum):
    PENDING = "pending"
    ACTIVE = "active"
    REFUSED = "refused"
    WAITING = "waiting"  # for its next try


class _Entry:
    __slots__ = ("delays", "due", "ids", "state")

    def __init__(self) -> None:
        self.state = State.WAITING
        self.due = 0.0
        self.ids: list[str] = []
        self.delays: Iterator[float] = backoff_delays(1.0, 60.0)


class Subscriptions:
    """The table of one connection. Times are monotonic seconds, given by the caller."""

    def __init__(self, args: Iterable[Arg]) -> None:
        self._entries = {arg: _Entry() for arg in args}
        self._numbers = itertools.count(1)
        self._requests: dict[str, tuple[Arg, ...]] = {}

    def __contains__(self, arg: Arg) -> bool:
        return arg in self._entries

    def state(self, arg: Arg) -> State:
        return self._entries[arg].state

    def add(self, args: Iterable[Arg]) -> None:
        """They are asked for at the next `due`, or when a socket opens."""
        for arg in args:
            self._entries.setdefault(arg, _Entry())

    def remove(self, args: Iterable[Arg]) -> list[bytes]:
        """They are left now."""
        gone = [arg for arg in args if self._entries.pop(arg, None) is not None]
        return [
            _encode({"id": self._id(()), "op": "unsubscribe", "args": gone[i : i + _BATCH]})
            for i in range(0, len(gone), _BATCH)
        ]

    def start(self, now: float) -> list[bytes]:
        """A new socket: everything is asked for again, in batches."""
        self._requests.clear()
        args = list(self._entries)
        return [self._ask(tuple(args[i : i + _BATCH]), now) for i in range(0, len(args), _BATCH)]

    def due(self, now: float) -> list[bytes]:
        """What was not acknowledged in time, or waited for its next try."""
        late = [(a, e) for a, e in self._entries.items() if now >= e.due and e.state in (State.PENDING, State.WAITING)]
        return [self._ask((arg,), now, next(e.delays) if e.state is State.PENDING else 0.0) for arg, e in late]

    def renew(self, arg: Arg, now: float) -> bytes:
        """Leave one channel now; it is asked for again after a delay that doubles until `settled`."""
        entry = self._entries[arg]
        entry.state, entry.due = State.WAITING, now + next(entry.delays)
        return _encode({"id": self._id(()), "op": "unsubscribe", "args": [arg]})

    def settled(self, arg: Arg) -> None:
        """The channel works again: the next trouble is tried at once."""
        self._entries[arg].delays = backoff_delays(1.0, 60.0)

    def acknowledged(self, arg: Arg) -> bool:
        """False for an argument nobody asked for."""
        entry = self._entries.get(arg)
        if entry is None:
            return False
        if entry.state is State.PENDING:
            entry.state = State.ACTIVE
        return True

    def refused(self, request: str, arg: Arg | None, now: float, final: bool = True) -> Arg | None:
        """The argument that is refused for good; None when it is tried again, one by one to find the bad one."""
        args = (arg,) if arg in self._entries else self._requests.pop(request, ())
        pending = [a for a in args if a in self._entries and self._entries[a].state is State.PENDING]
        if final and len(pending) == 1:
            self._entries[pending[0]].state = State.REFUSED
            return pending[0]
        for a in pending:
            entry = self._entries[a]
            entry.state, entry.due = State.WAITING, now if final else now + 1.0 + next(entry.delays)
        return None

    def _ask(self, args: tuple[Arg, ...], now: float, extra: float = 0.0) -> bytes:
        number = self._id(args)
        for arg in args:
            entry = self._entries[arg]
            entry.state, entry.due = State.PENDING, now + _ACK_SECONDS + extra
        return _encode({"id": number, "op": "subscribe", "args": args})

    def _id(self, args: tuple[Arg, ...]) -> str:
        number = str(next(self._numbers))
        self._requests[number] = args
        return number
