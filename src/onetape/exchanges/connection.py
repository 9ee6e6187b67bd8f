"""One WebSocket that stays open: it reconnects, keeps the venue awake and leaves a socket that fell silent.

Knows nothing of a venue's messages but its keep-alive words. What happens is put, in order, into an `Inbox`: `Opened`
when a socket is ready (subscribe now), `Frame` for every text message, `Closed` when the socket is gone.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec
from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from onetape.clock import backoff_delays
from onetape.domain.errors import Transient
from onetape.exchanges.limits import Budget
from onetape.observe import log

_CONNECT_SECONDS: Final = 15.0
_LONG_LIFE_SECONDS: Final = 3600.0
_MAX_PATIENCE: Final = 16  # times the configured silence
_AT_ONCE: Final = 256  # items
_SOUND: Final = 5.0  # times the first pause: a socket that lived no longer is one of a row of breaks
_TEXT: Final = WSMsgType.TEXT


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A text message. `recv_ts` is UTC micros, taken when the socket was read."""

    source: str
    data: bytes
    recv_ts: int


class Opened(NamedTuple):
    source: str


class Closed(NamedTuple):
    source: str
    cause: str


class Tick(NamedTuple):
    """Time has passed; nothing else happened."""


class Own(NamedTuple):
    """What the consumer sends to itself, in order with the rest."""

    what: Any


class Failed(NamedTuple):
    """A task behind the inbox died of a bug."""

    error: BaseException


Item = Frame | Opened | Closed | Tick | Own | Failed


class Inbox:
    """What connections received, in order, for one consumer. Above `limit` the sockets stop reading, so that no frame
    is ever dropped."""

    def __init__(self, limit: int = 50_000) -> None:
        self.limit = limit
        self._items: deque[Item] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        self._items.append(item)
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._waiter = None

    async def get(self) -> Item:
        await self._filled()
        return self._items.popleft()

    async def some(self) -> list[Item]:
        """Up to `_AT_ONCE` of what is there, waiting for the first."""
        await self._filled()
        pop = self._items.popleft
        return [pop() for _ in range(min(len(self._items), _AT_ONCE))]

    async def _filled(self) -> None:
        while not self._items:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter


class Habits(msgspec.Struct, frozen=True):
    """How a venue wants its socket treated. Seconds."""

    ping: bytes = b"ping"
    pong: bytes = b"pong"
    ping_after: float = 20.0  # send `ping` when nothing came for so long; the same time is given for the answer
    silence: float = 30.0  # renew a socket that answers pings and brings no data for so long
    backoff: float = 1.0  # after the second failed try, doubling up to backoff_limit
    backoff_limit: float = 30.0
    connects: int = 3  # new connections a second, of this process to one host


def unreachable(url: str, error: BaseException) -> Transient:
    """One sentence for a person: which host, and why."""
    host = urlsplit(url).hostname or url
    reasons = (
        (socket.gaierror, "its name cannot be resolved; this machine may be offline"),
        (TimeoutError, "it does not answer"),
        (ConnectionRefusedError, "it refuses the connection"),
        (ConnectionResetError, "it broke the connection off"),
    )
    reason = next((text for kind, text in reasons if isinstance(error, kind)), str(error) or type(error).__name__)
    return Transient(f"{host} cannot be reached: {reason}.")


_gates: dict[str, Budget] = {}  # by host: the venue counts them by address, so the process shares them


def _gate(url: str, connects: int) -> Budget:
    host = urlsplit(url).netloc
    gate = _gates.get(host)
    if gate is None or gate.limit != connects:
        gate = _gates[host] = Budget(connects, window=1.0)
    return gate


class _Socket(WSListener):
    """One socket's callbacks. A frame is valid only inside the callback: it is copied there."""

    def __init__(self, owner: Connection) -> None:
        self.owner = owner
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.cause = ""
        self.parts: list[bytes] = []

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is _TEXT and frame.fin and not self.parts:  # nearly always
            self.owner._received(self, frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            self.cause = f"closed by the venue ({frame.get_close_code()} {frame.get_close_reason() or ''})".rstrip()
            transport.disconnect()
        elif frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            data = frame.get_payload_as_bytes()
            if self.parts or not frame.fin:
                self.parts.append(data)
                if not frame.fin:
                    return
                data = b"".join(self.parts)
                self.parts.clear()
            self.owner._received(self, data)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002
        if not self.gone.done():
            self.gone.set_result(None)


class Connection:
    """See the module. `run` goes on until it is cancelled; `trouble` is "" or the sentence why there is no socket."""

    def __init__(self, url: str, inbox: Inbox, habits: Habits, now: Callable[[], int], name: str = "") -> None:
        self.url, self.inbox, self.habits, self.now = url, inbox, habits, now
        self.name = name or url  # the source of its items
        self.trouble = ""
        self._socket: _Socket | None = None
        self._transport: WSTransport | None = None
        self._retired = False
        self._opened = self._heard = self._data = 0.0
        self._pinged = self._paused = False
        self._patience = habits.silence
        self._read_ts = 0  # when the socket was read, while what it brought is handed over; else 0

    def send(self, message: bytes) -> bool:
        """False when there is no socket: what matters is sent again after `Opened`."""
        if self._transport is None or self._transport.is_disconnected:
            return False
        self._transport.send(WSMsgType.TEXT, message)
        return True

    @property
    def opened(self) -> bool:
        return self._transport is not None and not self._transport.is_disconnected

    def retire(self) -> None:
        """Another connection takes over: this one is not made again when it ends."""
        self._retired = True

    async def run(self) -> None:
        """Until it is cancelled, or retired and at its end."""
        delays = backoff_delays(self.habits.backoff, self.habits.backoff_limit)
        try:
            while not self._retired:
                await asyncio.sleep(next(delays))
                if not await self._connect():
                    continue
                begun, before = time.monotonic(), self._data
                cause = await self._live()
                self.inbox.put(Closed(self.name, cause))
                log.warning("connection_lost", url=self.url, name=self.name, cause=cause)
                lived = time.monotonic() - begun
                if self._data > before and lived > _SOUND * self.habits.backoff:  # it worked: the next try is at once
                    delays = backoff_delays(self.habits.backoff, self.habits.backoff_limit)
        finally:
            self._leave()

    async def _connect(self) -> bool:
        await _gate(self.url, self.habits.connects).take()

        class Socket(_Socket):
            def on_ws_connected(self, transport: WSTransport) -> None:
                self.owner._established(self, transport)

        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await ws_connect(lambda: Socket(self), self.url, websocket_handshake_timeout=_CONNECT_SECONDS)
        except (OSError, WSError) as error:
            told, self.trouble = self.trouble, str(unreachable(self.url, error))
            # Before the first success whoever started us says it to people; here it is for the file.
            say = log.debug if told == self.trouble else log.warning if self._opened else log.info
            say("venue_unreachable", problem=self.trouble)
            return False
        return True

    def _established(self, opened: _Socket, transport: WSTransport) -> None:
        """Before the first frame of the new socket."""
        self._socket, self._transport, self.trouble = opened, transport, ""
        self._opened = self._heard = self._data = time.monotonic()
        self._pinged = self._paused = False
        self.inbox.put(Opened(self.name))
        log.info("connection_opened", url=self.url, name=self.name)

    async def _live(self) -> str:
        """Until the socket is gone; the cause."""
        pause = min(1.0, self.habits.ping_after / 4, self.habits.silence / 4)
        while True:
            current = self._socket
            assert current is not None
            await asyncio.wait({current.gone}, timeout=0.05 if self._paused else pause)
            if current.gone.done():
                return current.cause or "the connection broke off"
            if self._paused:
                self._resume_when_drained()
            elif trouble := self._check(time.monotonic()):
                self._leave()
                return trouble

    def _check(self, now: float) -> str:
        """Keeps the venue awake; names what is wrong with the socket, if anything."""
        if now - self._heard > self.habits.ping_after:
            if self._pinged:
                return f"no answer to a ping for {self.habits.ping_after:g} s"
            self._pinged = True
            self._heard = now
            self.send(self.habits.ping)
        if now - self._data > self._patience:
            quiet, self._patience = self._patience, min(self._patience * 2, self.habits.silence * _MAX_PATIENCE)
            return f"no data for {quiet:g} s"
        if now - self._opened > _LONG_LIFE_SECONDS:
            self._patience = self.habits.silence
        return ""

    def _received(self, source: _Socket, data: bytes) -> None:
        if source is not self._socket:
            return  # a socket that was left
        if not self._read_ts:
            self._read_ts = self.now()  # one read may bring hundreds: they came at the same time
            asyncio.get_running_loop().call_soon(self._read_over)
            self._heard = time.monotonic()
            self._pinged = False
        if data == self.habits.pong:
            return
        self._data = self._heard
        self.inbox.put(Frame(self.name, data, self._read_ts))
        if len(self.inbox) > self.inbox.limit and not self._paused:
            self._paused = True
            self._reading("pause_reading")

    def _read_over(self) -> None:
        self._read_ts = 0

    def _resume_when_drained(self) -> None:
        if len(self.inbox) < self.inbox.limit // 2:
            self._paused = False
            self._heard = self._data = time.monotonic()
            self._reading("resume_reading")

    def _reading(self, what: str) -> None:
        transport: Any = None if self._transport is None else self._transport.underlying_transport
        if transport is not None:
            getattr(transport, what)()

    def _leave(self) -> None:
        if self._transport is not None and not self._transport.is_disconnected:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()
        self._transport = None
