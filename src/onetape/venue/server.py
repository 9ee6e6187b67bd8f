"""The simulated exchange as one server: REST under /api/v5, WebSockets under /ws/v5/{public,business,private}."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from onetape.domain.errors import Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.units import Micros, rfc3339
from onetape.observe import log
from onetape.venue import channels, ledger, rest
from onetape.venue.faults import Fault, Faults, Injected, Kind, in_order
from onetape.venue.feed import Feed
from onetape.venue.floor import open_floor, open_recording
from onetape.venue.journal import Journal
from onetape.venue.limits import Allowance, SlidingLog
from onetape.venue.login import Key
from onetape.venue.recording import Push
from onetape.venue.script import Line, Script
from onetape.venue.traded import Notice
from onetape.venue.websocket import MESSAGE_BYTES, Connection, Desk

_GRACE_S: Final = 1.0  # from the first subscription to the beginning, for who wants to hear all of it
_RECORDED_PAUSE_S: Final = 0.01  # between two looks at a recording
_CONNECTS: Final = Allowance(3, 1)


class Venue:
    """Plays candles as a live exchange: a spot pair per frame (its symbol is the instId) and a linear swap beside it.

    `speed` is venue seconds per real second; `start_ts` is where the replay begins (candles before it are history;
    without it, a third of the data). Candles longer than a minute are cut into minutes that add up to them. The same
    candles, seed and speed give the same market. `limits` switches rate limits; `keys` (API key to Key) makes logins
    be verified, without it any is accepted. `faults` are played from the first subscription on. `recording` is played
    in place of candles from the first subscription on: message for message, and what it lacks is made of its prints.
    `waits`: candles too begin with the first subscription. `journal` takes down every message that is said.
    `futures` are days (`261225`) on which a linear future beside each pair expires.
    Raises BadInput.
    """

    def __init__(
        self,
        frames: Sequence[CandleFrame] = (),
        *,
        recording: Sequence[Push] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        speed: float = 1.0,
        start_ts: Micros | None = None,
        instruments: Sequence[Instrument] | None = None,
        seed: int = 0,
        limits: bool = True,
        keys: Mapping[str, Key] | None = None,
        idle_s: float = 30.0,
        faults: Sequence[Fault] = (),
        waits: bool = False,
        journal: Journal | None = None,
        futures: Sequence[str] = (),
    ) -> None:
        if recording:
            self._floor = open_recording(recording, speed)
        else:
            self._floor = open_floor(
                frames, speed=speed, start_ts=start_ts, instruments=instruments, seed=seed, futures=futures
            )
        self._waits = waits or bool(recording)
        self._feed = Feed(self._floor, journal)
        if recording:
            self._feed.pause_s = _RECORDED_PAUSE_S
        self._host, self.port = host, port
        self._limits = limits
        self._desk = Desk(self._floor, self._feed, keys, idle_s, limits)
        self._connects = SlidingLog()
        self._numbers = itertools.count(0xA4D3AE55)
        self._connections: dict[Connection, None] = {}  # in the order in which they came
        self._script, self._faults = Script(self), in_order(faults)
        self._runner: web.AppRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.finished = asyncio.Event()  # set when the last candle has closed

    @property
    def rest_url(self) -> str:
        return f"http://{self._host}:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://{self._host}:{self.port}/ws/v5"

    def now(self) -> Micros:
        """Venue time. It stands still at the end of the data."""
        return self._floor.clock.now()

    @property
    def speed(self) -> float:
        return self._floor.clock.speed

    @property
    def symbols(self) -> list[str]:
        return list(self._floor.tapes)

    @property
    def end_ts(self) -> Micros:
        return self._floor.clock.end_ts

    async def start(self) -> None:
        """Raises Refused when the port is taken. `port` is the real one afterwards."""
        app = web.Application()
        for url in channels.URLS:
            app.router.add_get(f"/ws/v5/{url}", self._connect)
        rest.install(app, self._floor, self._limits)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            reason = os.strerror(error.errno) if error.errno else str(error)
            text = f"port {self.port} on {self._host} cannot be opened ({reason}). Choose another one with --port."
            raise Refused(text) from error
        self.port = self._runner.addresses[0][1]
        if not self._waits:
            self._floor.clock.begin()
        self._tasks = [asyncio.create_task(self._feed.run()), asyncio.create_task(self._finish())]
        self._tasks.append(asyncio.create_task(self._play()))
        log.info("venue_opened", rest=self.rest_url, ws=self.ws_url, now=rfc3339(self.now()))

    async def stop(self) -> None:
        """Closes every connection. A fault of the feed that nobody has seen yet is raised here."""
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for connection in tuple(self._connections):
            await connection.close(1001, "going away")
        if self._runner:
            await self._runner.cleanup()
            self._runner = None
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _play(self) -> None:
        await self._feed.subscribed.wait()
        if self._waits:
            await asyncio.sleep(_GRACE_S)
            self._floor.clock.begin()
        await self._script.play(self._faults)

    async def _finish(self) -> None:
        clock = self._floor.clock
        while clock.now() < clock.end_ts:  # noqa: ASYNC110 (nothing else knows when the time has come)
            await asyncio.sleep(min(3600.0, clock.seconds_until(clock.end_ts) + 0.001))
        await self._feed.pulse()
        self.finished.set()
        log.info("venue_data_ended", end=rfc3339(clock.end_ts))

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if self._limits and not self._connects.admit(str(request.remote), _CONNECTS):
            return web.Response(status=429, text="Too many connections.")
        socket = web.WebSocketResponse(max_msg_size=MESSAGE_BYTES, compress=False, timeout=1.0)
        await socket.prepare(request)
        connection = Connection(self._desk, socket, request, next(self._numbers))
        self._connections[connection] = None
        try:
            await connection.serve()
        finally:
            self._connections.pop(connection, None)
        return socket

    # what tests make go wrong

    def drop_connections(self) -> None:
        """Cut every WebSocket without a close frame."""
        for connection in tuple(self._connections):
            connection.drop()

    def drop_oldest_connection(self) -> None:
        """Cut the WebSocket that was opened first."""
        min(self._connections, key=lambda connection: connection.id).drop()

    def go_silent(self, silent: bool = True) -> None:
        """Keep the sockets open, but send nothing and answer nothing on them, not even a ping."""
        self._floor.faults.silent = silent

    def skip_book_update(self, symbol: str) -> None:
        """Lose the next update of `books`: the chain of sequence numbers breaks."""
        self._script.begin(Fault(kind=Kind.SKIP, channel="books", symbol=symbol))

    def refuse(self, calls: int, *, status: int = 503, code: str = "50001") -> None:
        """Answer the next REST calls with an error (429 and 50011 for "too many requests")."""
        faults = self._floor.faults
        faults.refusals, faults.refusal_status, faults.refusal_code = calls, status, code

    def delay(self, seconds: float) -> None:
        """Wait before every REST answer; 0 ends it."""
        self._floor.faults.delay_s = seconds

    def restart(self, symbol: str = "") -> None:
        """Begin the sequence numbers of an instrument (or all) again: the next update has seqId below its prevSeqId."""
        for each in [symbol] if symbol else self.symbols:
            self._floor.restarted[each] = self._floor.now()

    async def inject(self, fault: Fault) -> None:
        """Any fault of a script, now. Returns when it has ended."""
        await self._script.inject(fault)

    @property
    def injected(self) -> list[Injected]:
        """What was put in so far."""
        return list(self._script.injected)

    @property
    def faults(self) -> Faults:
        """What goes wrong at this moment."""
        return self._floor.faults

    def lines(self) -> list[Line]:
        """The WebSockets, in the order in which they were opened."""
        return list(self._connections)

    # what really happened

    def prints(self, symbol: str, after_ts: Micros, until_ts: Micros) -> list[dict[str, Any]]:
        """Prints in (after_ts, until_ts], oldest first, as they would be sent if nothing went wrong."""
        return ledger.prints(self._floor.tapes[symbol], after_ts, until_ts)

    def bars(self, symbol: str, name: str, start_ts: Micros, end_ts: Micros) -> list[list[str]]:
        """Bars (`1m`) that open and close in [start_ts, end_ts], oldest first."""
        return ledger.bars(self._floor.tapes[symbol], name, start_ts, end_ts)

    def listened_since(self, symbol: str) -> Micros | None:
        """The venue time since when somebody listened to an instrument's prints."""
        return self._feed.listened.get(symbol)

    def write_ledger(self, path: Path) -> int:
        """Every print since somebody listened, one a line. Returns how many."""
        return ledger.write(path, self._floor.tapes, self._feed.listened, self._floor.now())

    # what a venue tells about itself

    def announce(self, title: str, state: str, start_ts: Micros, end_ts: Micros, service: str = "0") -> None:
        """Maintenance, on the `status` channel and GET /system/status."""
        floor = self._floor
        floor.notices = [said for said in floor.notices if (said.title, said.start_ts) != (title, start_ts)]
        floor.notices.append(Notice(title, state, start_ts, end_ts, service, floor.now()))
        self._feed.announce(channels.STATUS)

    def members_only(self, channel: str) -> None:
        """From now on a public channel is shown only to those who log in."""
        self._floor.members_only.add(channel)

    def change_state(self, symbol: str, state: str) -> None:
        """Suspend an instrument (`suspend`), or let it live again (`live`): told on the `instruments` channel."""
        tape = self._floor.tapes[symbol]
        self._floor.states[symbol] = state
        self._feed.announce(channels.INSTRUMENTS, tape.listing.kind)

    def notice(self) -> None:
        """Announce a service upgrade on every WebSocket."""
        for connection in tuple(self._connections):
            connection.notice()
