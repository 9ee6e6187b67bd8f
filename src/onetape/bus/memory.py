"""A bus inside one process: for tests and for one-process runs. Behaves like the one over Redis, encoding included."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from onetape.bus.codec import decode, encode
from onetape.ports import Message, Resync

LONGEST_QUEUE: Final = 10_000


class _Listener:
    def __init__(self, patterns: tuple[str, ...]) -> None:
        self.patterns = patterns
        self.waiting: deque[Message | Resync | None] = deque([Resync()])
        self.arrived = asyncio.Event()
        self.arrived.set()

    def put(self, message: Message | Resync | None) -> None:
        """A listener that is too slow loses everything that waits, and is told so."""
        if len(self.waiting) >= LONGEST_QUEUE:
            self.waiting.clear()
            self.waiting.append(Resync())
        self.waiting.append(message)
        self.arrived.set()

    @property
    def content(self) -> bool:
        """It has dealt with the last message and waits for the next."""
        return not self.waiting and not self.arrived.is_set()


class MemoryBus:
    """Fulfils ports.Bus."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()

    def content(self, topic: str) -> int | None:
        """How many listen to a topic; None while one of them has not dealt with everything that was published."""
        found = [one for one in self._listeners if any(fnmatchcase(topic, pattern) for pattern in one.patterns)]
        return len(found) if all(one.content for one in found) else None

    def publish(self, topic: str, body: msgspec.Struct) -> None:
        data = encode(body)
        for listener in self._listeners:
            if any(fnmatchcase(topic, pattern) for pattern in listener.patterns):
                listener.put(Message(topic, decode(data)))

    async def subscribe(self, *patterns: str) -> AsyncIterator[Message | Resync]:
        listener = _Listener(patterns)
        self._listeners.add(listener)
        try:
            while True:
                await listener.arrived.wait()
                while listener.waiting:
                    message = listener.waiting.popleft()
                    if message is None:
                        return
                    yield message
                listener.arrived.clear()
        finally:
            self._listeners.discard(listener)

    async def settled(self) -> None:
        """Whoever listens has it already; they get their turn to read it."""
        await asyncio.sleep(0)

    async def close(self) -> None:
        for listener in self._listeners:
            listener.put(None)
