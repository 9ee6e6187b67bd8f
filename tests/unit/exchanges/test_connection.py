"""One WebSocket against a little server whose behaviour each test chooses."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from onetape.clock import backoff_delays
from onetape.exchanges import limits
from onetape.exchanges.connection import (
    Closed,
    Connection,
    Frame,
    Habits,
    Inbox,
    Item,
    Opened,
    unreachable,
)
from onetape.exchanges.limits import Budget

QUICK = Habits(ping_after=0.2, silence=10.0, backoff=0.02, backoff_limit=0.05)
Handler = Callable[[web.WebSocketResponse, int], Awaitable[None]]


@asynccontextmanager
async def served(handler: Handler, habits: Habits = QUICK) -> AsyncIterator[tuple[Connection, Inbox]]:
    visits = 0

    async def serve(request: web.Request) -> web.WebSocketResponse:
        nonlocal visits
        visits += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await handler(socket, visits)
        return socket

    app = web.Application()
    app.router.add_get("/", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    inbox = Inbox()
    connection = Connection(f"ws://127.0.0.1:{runner.addresses[0][1]}/", inbox, habits, lambda: 42)
    task = asyncio.create_task(connection.run())
    try:
        yield connection, inbox
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()


async def until(inbox: Inbox, kind: type) -> Item:
    async with asyncio.timeout(30):
        while not isinstance(item := await inbox.get(), kind):
            pass
    return item


async def test_opens_sends_and_receives_with_the_time_of_the_read() -> None:
    async def echo(socket: web.WebSocketResponse, visit: int) -> None:
        async for message in socket:
            await socket.send_str(message.data.upper())

    async with served(echo, Habits()) as (connection, inbox):
        assert isinstance(await until(inbox, Opened), Opened)
        assert connection.send(b"hello")
        assert await until(inbox, Frame) == Frame(connection.url, b"HELLO", 42)


async def test_comes_back_after_the_venue_closed() -> None:
    async def close_first(socket: web.WebSocketResponse, visit: int) -> None:
        await socket.send_str(f"visit {visit}")
        if visit > 1:
            await socket.receive()
        await socket.close(code=4004, message=b"no data")

    async with served(close_first) as (_connection, inbox):
        closed = await until(inbox, Closed)
        assert "4004" in closed.cause  # type: ignore[union-attr]
        await until(inbox, Opened)
        frame = await until(inbox, Frame)
        assert frame.data == b"visit 2"  # type: ignore[union-attr]


async def test_pings_a_quiet_venue_and_keeps_pongs_to_itself() -> None:
    pings = asyncio.Event()

    async def pong(socket: web.WebSocketResponse, visit: int) -> None:
        async for message in socket:
            assert message.data == "ping"
            await socket.send_str("pong")
            pings.set()

    async with served(pong) as (_connection, inbox):
        await until(inbox, Opened)
        async with asyncio.timeout(30):
            await pings.wait()
        await asyncio.sleep(0.5)
        assert not len(inbox)  # neither a pong nor a loss


async def test_leaves_a_socket_that_does_not_answer_pings() -> None:
    async def deaf(socket: web.WebSocketResponse, visit: int) -> None:
        await asyncio.sleep(60)

    async with served(deaf) as (_connection, inbox):
        closed = await until(inbox, Closed)
        assert "no answer to a ping" in closed.cause  # type: ignore[union-attr]


async def test_renews_a_socket_that_answers_but_brings_nothing_and_grows_patient() -> None:
    async def pong(socket: web.WebSocketResponse, visit: int) -> None:
        async for _ in socket:
            await socket.send_str("pong")

    async with served(pong, Habits(ping_after=0.2, silence=0.4, backoff=0.01)) as (_connection, inbox):
        first = await until(inbox, Closed)
        second = await until(inbox, Closed)
        assert first.cause == "no data for 0.4 s"  # type: ignore[union-attr]
        assert second.cause == "no data for 0.8 s"  # type: ignore[union-attr]


async def test_retired_connection_is_not_made_again() -> None:
    async def stay(socket: web.WebSocketResponse, visit: int) -> None:
        await socket.send_str("hello")
        await socket.receive()

    async with served(stay) as (connection, inbox):
        await until(inbox, Frame)
        connection.retire()
        assert connection.opened
        connection.send(b"go")
        assert isinstance(await until(inbox, Closed), Closed)
        await asyncio.sleep(0.2)
        assert not len(inbox)


async def test_new_connections_keep_to_the_pace_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three a second: one at once, then one every half second."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(limits.asyncio, "sleep", sleep)
    gate = Budget(3, window=1.0, now=lambda: 100.0 + sum(waits))
    for _ in range(3):
        await gate.take()
    assert waits == [0.5, 0.5]


async def test_full_inbox_stops_reading_and_loses_nothing() -> None:
    async def flood(socket: web.WebSocketResponse, visit: int) -> None:
        for i in range(2_000):
            await socket.send_str(f"{i} {'x' * 500}")
        await socket.receive()

    async with served(flood, Habits(ping_after=0.4)) as (_connection, inbox):
        inbox.limit = 100
        await until(inbox, Opened)
        await asyncio.sleep(0.3)
        assert len(inbox) < 2_000
        got = [int((await until(inbox, Frame)).data.split()[0]) for _ in range(2_000)]  # type: ignore[union-attr]
        assert got == list(range(2_000))


async def test_a_venue_that_answers_and_cuts_off_again_and_again_is_not_stormed() -> None:
    visits: list[float] = []

    async def brief(socket: web.WebSocketResponse, visit: int) -> None:
        visits.append(asyncio.get_running_loop().time())
        await socket.send_str("hello")
        await asyncio.sleep(0.01)

    async with served(brief, Habits(backoff=0.1, backoff_limit=0.4, connects=1_000)), asyncio.timeout(30):
        while len(visits) < 6:
            await asyncio.sleep(0.01)
    pauses = [after - before for before, after in itertools.pairwise(visits)]
    assert pauses[-1] > 0.3


async def test_unreachable_venue_is_one_sentence_and_tried_again(unused_tcp_port: int) -> None:
    connection = Connection(f"ws://127.0.0.1:{unused_tcp_port}/", Inbox(), QUICK, lambda: 0)
    task = asyncio.create_task(connection.run())
    async with asyncio.timeout(30):
        while not connection.trouble:
            await asyncio.sleep(0.01)
    assert connection.trouble == "127.0.0.1 cannot be reached: it refuses the connection."
    assert not task.done()
    assert not connection.send(b"x")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_reason_of_an_unreachable_host_is_in_plain_words() -> None:
    assert (
        str(unreachable("wss://ws.okx.com:443/ws", TimeoutError()))
        == "ws.okx.com cannot be reached: it does not answer."
    )


def test_backoff_starts_at_once_and_is_bounded_with_jitter() -> None:
    delays = backoff_delays(1.0, 4.0)
    first = [next(delays) for _ in range(8)]
    assert first[0] == 0.0
    for delay, low in zip(first[1:], [1, 2, 4, 4, 4, 4, 4], strict=True):
        assert low <= delay <= low * 1.5


def test_name_that_cannot_be_resolved_is_told_without_numbers() -> None:
    error = socket.gaierror(-2, "Name or service not known")
    assert "its name cannot be resolved" in str(unreachable("wss://ws.okx.com:443/ws", error))
    assert "-2" not in str(unreachable("wss://ws.okx.com:443/ws", error))


async def test_inbox_gives_what_is_there_at_once_in_order() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.some())
    await asyncio.sleep(0)
    for number in range(3):
        inbox.put(Frame("a", b"%d" % number, number))
    assert [item.recv_ts for item in await waiting if isinstance(item, Frame)] == [0, 1, 2]
    assert not len(inbox)
