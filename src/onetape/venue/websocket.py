"""One WebSocket connection: subscribe, unsubscribe, login, ping, idle close, in the exchange's words and codes."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from onetape.venue import channels, login, wire
from onetape.venue.channels import Channel, Refused
from onetape.venue.feed import Feed
from onetape.venue.floor import Floor
from onetape.venue.limits import Allowance, SlidingLog
from onetape.venue.tamper import About, Tampering

MESSAGE_BYTES: Final = 64 * 1024
_REQUESTS: Final = Allowance(480, 3_600)
_WAITING: Final = 100_000  # messages a slow reader may leave unread
_ORDER_OPS: Final = frozenset(
    ("order", "batch-orders", "cancel-order", "batch-cancel-orders", "amend-order", "batch-amend-orders", "mass-cancel")
)

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Desk:
    """What all connections share. `keys` None: every login is accepted."""

    floor: Floor
    feed: Feed
    keys: Mapping[str, login.Key] | None = None
    idle_s: float = 30.0
    limited: bool = True
    listening: Counter[str] = dataclasses.field(default_factory=Counter)  # connections per channel


class Connection:
    """Fulfils feed.Subscriber. `serve` reads until the other side leaves; a second task writes."""

    def __init__(self, desk: Desk, socket: web.WebSocketResponse, request: web.Request, number: int) -> None:
        self._desk, self._floor, self._feed = desk, desk.floor, desk.feed
        self._socket, self._transport = socket, request.transport
        self.url = request.path.rsplit("/", 1)[1]
        self.silenced = False
        self._tampering = Tampering(self.url, self._floor.faults)
        self.id = f"{number:08x}"
        self._channels: set[Channel] = set()
        self._logged_in = False
        self._requests = SlidingLog()
        self._waiting: deque[str] = deque()
        self._ready = asyncio.Event()
        self._heard_s = time.monotonic()
        self._ops: dict[str, Callable[[Json], None]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "login": self._login,
        }

    @property
    def _silent(self) -> bool:
        return self.silenced or self._floor.faults.silent

    def put(self, text: str, about: About | None = None) -> bool:
        if self._silent:
            return False
        sent = self._tampering.pass_on(text, about) if about and self._floor.faults.active else [text]
        self._waiting += sent
        self._ready.set()
        return any(each.endswith(text[1:]) for each in sent)

    def release(self, number: int) -> None:
        """Send what a fault held back."""
        self._waiting += self._tampering.release(number)
        self._ready.set()

    async def serve(self) -> None:
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._watch())]
        try:
            async for message in self._socket:
                self._heard_s = time.monotonic()
                if message.type == WSMsgType.TEXT and not self._silent:
                    self._read(message.data)
        finally:
            for channel in tuple(self._channels):
                self._leave(channel)
            for task in tasks:
                task.cancel()

    async def close(self, code: int, reason: str = "") -> None:
        await self._socket.close(code=code, message=reason.encode())

    def drop(self) -> None:
        """Cut the line without a word."""
        if self._transport:
            self._transport.abort()

    def notice(self) -> None:
        text = "The connection will soon be closed for a service upgrade. Please reconnect."
        self._event({"event": "notice", "code": "64008", "msg": text})

    # writing

    async def _write(self) -> None:
        try:
            while True:
                await self._ready.wait()
                self._ready.clear()
                while self._waiting:
                    if len(self._waiting) > _WAITING:
                        await self.close(4005, "buffer full")
                        return
                    if self._floor.faults.active:
                        await asyncio.sleep(self._floor.faults.wait_s(self.url))
                    await self._socket.send_str(self._waiting.popleft())
                    self._heard_s = time.monotonic()
        except ConnectionError:
            return

    async def _watch(self) -> None:
        """Closes a connection on which nothing moved for 30 seconds."""
        while True:
            rest = self._heard_s + self._desk.idle_s - time.monotonic()
            if rest > 0:
                await asyncio.sleep(rest)
            elif self._silent:
                await asyncio.sleep(self._desk.idle_s)
            else:
                await self.close(4004, "no data in 30s")
                return

    def _event(self, document: Json, request: Json | None = None) -> None:
        first = {"id": request["id"]} if request and isinstance(request.get("id"), str) else {}
        self.put(wire.encode({**first, **document, "connId": self.id}))

    def _refuse(self, code: str, text: str, request: Json | None = None) -> None:
        self._event({"event": "error", "code": code, "msg": text}, request)

    # reading

    def _read(self, text: str) -> None:
        if text == "ping":
            self.put("pong")
            return None
        try:
            request = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return self._refuse("60012", f"Invalid request: {text[:200]}")
        if not isinstance(request, dict) or not isinstance(request.get("op"), str):
            return self._refuse("60012", f"Invalid request: {text[:200]}")
        op = request["op"]
        if op in _ORDER_OPS:
            return self._order(request)
        react = self._ops.get(op)
        if react is None:
            return self._refuse("60019", f"Invalid op {op}", request)
        if self._desk.limited and not self._requests.admit("requests", _REQUESTS):
            return self._refuse("60014", "Requests too frequent.", request)
        args = request.get("args")
        if not isinstance(args, list) or not args:
            return self._refuse("60013", "Invalid args", request)
        return react(request)

    def _subscribe(self, request: Json) -> None:
        for arg in request["args"]:
            channel = channels.read(self._floor, self.url, arg, self._logged_in)
            if isinstance(channel, Refused):
                self._refuse(*channel, request)
                continue
            self._event({"event": "subscribe", "arg": arg}, request)
            if channel in self._channels:
                continue
            self._channels.add(channel)
            self._desk.listening[channel.name] += 1
            self._feed.add(channel, self)
            self._private(channel)

    def _unsubscribe(self, request: Json) -> None:
        for arg in request["args"]:
            channel = channels.read(self._floor, self.url, arg, self._logged_in)
            if isinstance(channel, Refused):
                self._refuse(*channel, request)
                continue
            self._leave(channel)
            self._event({"event": "unsubscribe", "arg": arg}, request)

    def _leave(self, channel: Channel) -> None:
        if channel in self._channels:
            self._channels.discard(channel)
            self._feed.remove(channel, self)
            self._desk.listening[channel.name] -= 1

    def _private(self, channel: Channel) -> None:
        """Private channels say how many connections listen; the account channel shows an empty account."""
        if self.url != channels.PRIVATE or channel.name == channels.STATUS:
            return
        count = str(self._desk.listening[channel.name])
        self._event({"event": "channel-conn-count", "channel": channel.name, "connCount": count})
        if channel.name == "account":
            arg = {"channel": "account", "uid": "1"}
            paging = {"eventType": "snapshot", "curPage": 1, "lastPage": True}
            account = {"uTime": wire.millis(self._floor.now()), "totalEq": "0", "details": []}
            self.put(wire.encode({"arg": arg, **paging, "data": [account]}))

    def _login(self, request: Json) -> None:
        if self._logged_in:
            return self._refuse("60031", "The account has already logged in.", request)
        wrong = login.check(request["args"][0], self._desk.keys, self._floor.clock)
        if wrong:
            return self._refuse(*wrong, request)
        self._logged_in = True
        return self._event({"event": "login", "code": "0", "msg": ""}, request)

    def _order(self, request: Json) -> None:
        if self.url != channels.PRIVATE:
            return self._refuse("60019", f"Invalid op {request['op']}", request)
        if not self._logged_in:
            return self._refuse("60011", "Please log in.", request)
        text = "The simulated venue has market data only: it takes no orders."
        reply = {"id": request.get("id", ""), "op": request["op"], "code": "54072", "msg": text, "data": []}
        moment = str(self._floor.now())
        self.put(wire.encode(reply | {"inTime": moment, "outTime": moment}))
        return None
