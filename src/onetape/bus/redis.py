"""Hints over Redis or Valkey pub/sub. At most once: what a lost connection swallows is not sent again.

Publishing only puts the message into a bounded queue; one task sends what waits, many in one round trip. Of topics
where the newest wins (domain.topics.NEWEST_WINS) only the newest message waits. A listener has a connection of its own;
when it breaks, it is made again for ever, and the listener is told by a Resync.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, Final

import msgspec
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from onetape.bus.codec import decode, encode
from onetape.clock import backoff_delays
from onetape.domain.addresses import without_password
from onetape.domain.errors import BadInput, Transient
from onetape.domain.topics import NEWEST_WINS, kind_of
from onetape.observe import log
from onetape.ports import Message, Resync

LONGEST_QUEUE: Final = 20_000
BATCH: Final = 500
QUIET: Final = 10.0  # seconds without a message after which the server is asked whether it is there
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
CLOSE_LIMIT: Final = 1.0
_LOST: Final = (OSError, TimeoutError, RedisError)


def _waits() -> Iterator[float]:
    return backoff_delays(FIRST_WAIT, LONGEST_WAIT, at_once=False)


def _client(url: str, timeout: float | None) -> Any:
    try:
        # No retries inside the library: it would reconnect in silence, and nobody would say Resync.
        return redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0), protocol=2
        )
    except ValueError as problem:
        raise BadInput(
            "ONETAPE_REDIS_URL",
            without_password(url),
            f"not usable ({problem})",
            "Write redis://host:6379/0 or unix:///path/to/socket.",
        ) from problem


async def check(url: str) -> None:
    """Asks the server whether it is there. Raises Transient when it does not answer, BadInput for a wrong address."""
    client = _client(url, 5.0)
    try:
        await client.ping()
    except _LOST as problem:
        remedy = "Is it running, and is ONETAPE_REDIS_URL right?"
        raise Transient(f"Valkey did not answer: {problem}. The server is {without_password(url)}. {remedy}") from None
    finally:
        await client.aclose()


class RedisBus:
    """Fulfils ports.Bus."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._publisher = _client(url, 5.0)
        self._waiting: dict[str | int, tuple[str, bytes]] = {}
        self._count = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._listeners: set[Any] = set()
        self._closed = False
        self.dropped = 0  # messages that nobody got: queue full or connection lost

    def publish(self, topic: str, body: msgspec.Struct) -> None:
        """Never waits. Raises TypeError only for a struct that the codec does not know."""
        if self._closed:
            return
        data = encode(body)
        self._count += 1
        self._waiting[topic if kind_of(topic) in NEWEST_WINS else self._count] = (topic, data)
        if len(self._waiting) > LONGEST_QUEUE:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1
        self._idle.clear()
        self._wake.set()
        if self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._send_for_ever(), name="bus-sender")

    async def _send_for_ever(self) -> None:
        waits, lost = _waits(), False
        while True:
            if not self._waiting:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
            batch = [self._waiting.pop(key) for key in list(islice(self._waiting, BATCH))]
            try:
                async with self._publisher.pipeline(transaction=False) as pipe:
                    for topic, data in batch:
                        pipe.publish(topic, data)
                    await pipe.execute()
            except _LOST as problem:
                self.dropped += len(batch)  # some may have arrived: sending again could deliver them twice
                if not lost:
                    log.warning("bus_lost", problem=str(problem))
                lost = True
                await asyncio.sleep(next(waits))
            else:
                if lost:
                    waits, lost = _waits(), False

    async def subscribe(self, *patterns: str) -> AsyncIterator[Message | Resync]:
        waits = _waits()
        while not self._closed:
            client = _client(self._url, None)
            listener = client.pubsub()
            self._listeners.add(listener)
            try:
                await listener.psubscribe(*patterns)
                for _ in patterns:
                    await listener.get_message(timeout=5.0)  # the server confirms each: from here on nothing is missed
                waits = _waits()
                yield Resync()
                async for message in self._listen(listener, patterns):
                    yield message
            except _LOST as problem:
                if not self._closed:
                    log.warning("bus_away", problem=str(problem), patterns=list(patterns))
            finally:
                self._listeners.discard(listener)
                with suppress(*_LOST):
                    await listener.aclose()
                    await client.aclose()
            if not self._closed:
                await asyncio.sleep(next(waits))

    async def _listen(self, listener: Any, patterns: tuple[str, ...]) -> AsyncIterator[Message]:
        asked = False
        while not self._closed:
            got = await listener.get_message(ignore_subscribe_messages=True, timeout=QUIET)
            if got is None:
                if asked:
                    raise RedisConnectionError(f"no answer for {QUIET:g} s")
                await listener.ping()
                asked = True
                continue
            asked = False
            if got["type"] != "pmessage":
                continue
            topic = got["channel"].decode()
            # The server delivers once per pattern that matches; only the first one counts.
            if len(patterns) > 1 and got["pattern"].decode() != next(p for p in patterns if fnmatchcase(topic, p)):
                continue
            if (body := decode(got["data"])) is not None:
                yield Message(topic, body)

    async def settled(self) -> None:
        while self._waiting and not self._closed:
            await self._idle.wait()

    async def close(self) -> None:
        """Sends what waits (for a second at most) and ends every subscription."""
        sender, self._sender = self._sender, None
        if sender:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_LIMIT):
                    await self._idle.wait()
            sender.cancel()
            with suppress(asyncio.CancelledError):
                await sender
        self._closed = True
        for listener in list(self._listeners):
            if listener.connection:
                await listener.connection.disconnect(nowait=True)
        await self._publisher.aclose()
