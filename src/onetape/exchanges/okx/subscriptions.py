"""Which subscriptions of one connection are asked for, acknowledged, refused. Pure: it says what to send and when.

The venue acknowledges each argument on its own, but an error names none: it is found by the request's id, so after an
error the arguments are asked for one at a time. A connection may send 480 requests an hour, retries included.
"""

from __future__ import annotations

import enum
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from onetape.clock import backoff_delays
from onetape.exchanges.okx.wire import Arg

REQUESTS: Final = 460  # an hour; below the venue's 480, because its hour is not ours
_HOUR: Final = 3_600.0
_BATCH: Final = 20
_ACK_SECONDS: Final = 10.0
_SOUND_SECONDS: Final = 60.0  # a channel that lived so long was no part of a series of breaks
_encode = msgspec.json.Encoder().encode


class State(enum.Enum):
    PENDING = "pending"
    ACTIVE = "active"
    REFUSED = "refused"
    WAITING = "waiting"  # for its next try


class _Entry:
    __slots__ = ("alone", "delays", "due", "renewed", "state")

    def __init__(self) -> None:
        self.state = State.WAITING
        self.due = 0.0
        self.alone = False  # it may be the bad one of a batch that was refused
        self.renewed = float("-inf")
        self.delays: Iterator[float] = backoff_delays(1.0, 60.0)


class Subscriptions:
    """The table of one connection. Times are monotonic seconds, given by the caller."""

    def __init__(self, args: Iterable[Arg] = ()) -> None:
        self._entries = {arg: _Entry() for arg in args}
        self._numbers = itertools.count(1)
        self._requests: dict[str, tuple[Arg, ...]] = {}
        self._sent: deque[float] = deque()

    def __contains__(self, arg: Arg) -> bool:
        return arg in self._entries

    def __iter__(self) -> Iterator[Arg]:
        return iter(self._entries)

    def state(self, arg: Arg) -> State:
        return self._entries[arg].state

    @property
    def settled(self) -> bool:
        """Whether every argument is acknowledged or refused."""
        return all(entry.state in (State.ACTIVE, State.REFUSED) for entry in self._entries.values())

    def add(self, args: Iterable[Arg]) -> None:
        """They are asked for at the next `due`, or when a socket opens."""
        for arg in args:
            self._entries.setdefault(arg, _Entry())

    def remove(self, args: Iterable[Arg], now: float) -> list[bytes]:
        """They are left now."""
        gone = [arg for arg in args if self._entries.pop(arg, None) is not None]
        return [self._request("unsubscribe", gone[i : i + _BATCH], now) for i in range(0, len(gone), _BATCH)]

    def start(self, now: float) -> list[bytes]:
        """A new socket: everything is asked for again, in batches, and its hour begins."""
        self._requests.clear()
        self._sent.clear()
        for entry in self._entries.values():
            entry.state, entry.due, entry.alone = State.WAITING, now, False
        return self.due(now)

    def due(self, now: float) -> list[bytes]:
        """What was not acknowledged in time, or waited for its next try; nothing while the hour's requests are used."""
        late = [(a, e) for a, e in self._entries.items() if now >= e.due and e.state in (State.PENDING, State.WAITING)]
        together = [arg for arg, entry in late if not entry.alone]
        batches = [together[i : i + _BATCH] for i in range(0, len(together), _BATCH)]
        batches += [[arg] for arg, entry in late if entry.alone]
        return [self._ask(tuple(batch), now) for batch in batches if self.left(now) > 0]

    def left(self, now: float) -> int:
        """How many requests this connection may still send."""
        while self._sent and self._sent[0] <= now - _HOUR:
            self._sent.popleft()
        return REQUESTS - len(self._sent)

    def starved(self, now: float) -> bool:
        """Whether something is to be asked for and the hour's requests are used."""
        waits = any(e.state in (State.PENDING, State.WAITING) and now >= e.due for e in self._entries.values())
        return waits and self.left(now) <= 0

    def retry(self, arg: Arg, now: float) -> None:
        """What was refused may be granted by now."""
        entry = self._entries.get(arg)
        if entry is not None and entry.state is State.REFUSED:
            entry.state, entry.due, entry.alone = State.WAITING, now, True

    def renew(self, arg: Arg, now: float) -> list[bytes]:
        """Leave one channel now; it is asked for again after a delay that doubles while it goes on breaking.

        Nothing when the hour's requests are used: another connection has to take over.
        """
        if self.left(now) < 2:
            return []
        entry = self._entries[arg]
        if now - entry.renewed > _SOUND_SECONDS:
            entry.delays = backoff_delays(1.0, 60.0)
        entry.renewed = now
        entry.state, entry.due = State.WAITING, now + next(entry.delays)
        return [self._request("unsubscribe", [arg], now)]

    def acknowledged(self, arg: Arg) -> bool:
        """False for an argument nobody asked for."""
        entry = self._entries.get(arg)
        if entry is None or entry.state is not State.PENDING:
            return False
        entry.state, entry.alone = State.ACTIVE, False
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
            entry.state, entry.alone = State.WAITING, final
            entry.due = now if final else now + 1.0 + next(entry.delays)
        return None

    def _ask(self, args: tuple[Arg, ...], now: float) -> bytes:
        for arg in args:
            entry = self._entries[arg]
            extra = next(entry.delays) if entry.state is State.PENDING else 0.0
            entry.state, entry.due = State.PENDING, now + _ACK_SECONDS + extra
        return self._request("subscribe", args, now)

    def _request(self, op: str, args: Iterable[Arg], now: float) -> bytes:
        number = str(next(self._numbers))
        args = tuple(args)
        if op == "subscribe":
            self._requests[number] = args
            if len(self._requests) > REQUESTS:
                del self._requests[next(iter(self._requests))]
        self._sent.append(now)
        return _encode({"id": number, "op": op, "args": args})
