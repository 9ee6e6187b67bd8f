"""Messages of an exchange on one core: read, folded into candles, put into a book, taken from a socket. And what peers
do with the same messages in the same run, when ONETAPE_BENCH_CRYPTOFEED_PYTHON and ONETAPE_BENCH_CCXT_PYTHON name
their interpreters."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from bench import okx_messages
from bench.timing import Row
from onetape.domain.market import Channel, Want
from onetape.exchanges.connection import Connection, Frame, Habits, Inbox, Opened
from onetape.exchanges.okx import names, pushes
from onetape.exchanges.okx.book import LocalBook, prepare
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.session import Around, Link, Session
from onetape.marketdata.aggregator import CandleBuilder

TIMES = 5
URL = "ws://venue/public"
PEERS = {"cryptofeed": "ONETAPE_BENCH_CRYPTOFEED_PYTHON", "ccxt.pro": "ONETAPE_BENCH_CCXT_PYTHON"}


def rows() -> Iterator[Row]:
    prepare()
    trades, books = okx_messages.trades(), okx_messages.books()
    changes = sum(m.count(b'","0","') for m in books[1:]) / (len(books) - 1)
    yield rate("trades read into structs", trades, lambda: read(trades), 1_000_000)
    yield rate("  kept as they came, and as events", trades, lambda: keep(trades, Channel.TRADES))
    yield rate("  all the way into 1m candles", trades, lambda: build(trades), 300_000)
    yield rate(f"book updates applied, {changes:.1f} changes each", books, lambda: apply(books), 150_000)
    yield rate("  kept as they came, told ten times a second", books, lambda: keep(books, Channel.BOOK))
    yield asyncio_row(len(trades))
    yield from peers(trades, books)


def rate(what: str, messages: list[bytes], run: Callable[[], object], target: float | None = None) -> Row:
    """Messages a second of processor time, of this process alone: other work on the machine does not count."""
    found = []
    run()
    for _ in range(TIMES):
        gc.collect()
        begun = time.process_time()
        run()
        found.append(len(messages) / (time.process_time() - begun))
    return row(what, found, target)


def row(what: str, found: list[float], target: float | None = None, note: str = "") -> Row:
    return Row(
        job="feed", what=what, value=statistics.median(found), unit="a second", low=min(found), high=max(found),
        target=target, more=True, note=note,
    )  # fmt: skip


def read(messages: Iterable[bytes]) -> None:
    decode = pushes.decode
    for message in messages:
        decode(message)


def apply(messages: Iterable[bytes]) -> None:
    book, decode = LocalBook(), pushes.decode
    for message in messages:
        push: Any = decode(message)[1]
        for data in push.data:
            book.apply(push.action, data)
    assert book.valid


def session(channel: Channel) -> Session:
    want = Want(okx_messages.SYMBOL, channel)
    series = {arg: Stream("okx", want.symbol, channel, want.name) for arg in names.args(want)}
    made = Session(Around(time.monotonic, lambda _: None, lambda _: None))
    made.open(URL, Link(lambda _: True, lambda _: None))
    made.add(series)
    made.carry(URL, series)
    tuple(made.on(Opened(URL), 0))
    return made


def keep(messages: list[bytes], channel: Channel) -> None:
    on, kept = session(channel).on, 0
    for ts, message in enumerate(messages):
        for received in on(Frame(URL, message, 100 * ts), 100 * ts):
            kept += received.raw is not None
    assert kept == len(messages)


def build(messages: list[bytes]) -> None:
    on, add = session(Channel.TRADES).on, CandleBuilder("okx", okx_messages.SYMBOL, "1m").add
    closed = 0
    for ts, message in enumerate(messages):
        for received in on(Frame(URL, message, 100 * ts), 100 * ts):
            for event in received.events:
                closed += add(event) is not None  # type: ignore[arg-type]
    assert closed


def asyncio_row(count: int) -> Row:
    import uvloop

    found = [uvloop.run(socket_rate(count)) for _ in range(TIMES)]
    note = "wall time, the sender on the other core"
    return row("taken from a loopback socket and read", found, 500_000, note)


async def socket_rate(count: int) -> float:
    """Trades a second from a bare sender in a process of its own through our connection into structs."""
    sender = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.flood", str(count), stdout=asyncio.subprocess.PIPE
    )
    assert sender.stdout is not None
    port = int(await sender.stdout.readline())
    inbox, done, begun = Inbox(), 0, 0.0
    connection = Connection(f"ws://127.0.0.1:{port}/", inbox, Habits(), lambda: time.time_ns() // 1_000)
    task = asyncio.create_task(connection.run())
    decode = pushes.decode
    while done < count:
        for item in await inbox.some():
            if isinstance(item, Frame):
                begun = begun or time.perf_counter()
                decode(item.data)
                done += 1
    taken = time.perf_counter() - begun
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    sender.terminate()
    await sender.wait()
    return done / taken


def peers(trades: list[bytes], books: list[bytes]) -> Iterator[Row]:
    script = Path(__file__).with_name("peer_feeds.py")
    for peer, variable in PEERS.items():
        if not (python := os.environ.get(variable)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, messages in (("trades", trades), ("books", books)):
                Path(folder, name).write_bytes(b"\n".join(messages))
            words = [python, str(script), peer, folder]
            done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=True)
        for line in done.stdout.splitlines():
            if line.startswith("{"):
                found = json.loads(line)
                yield row(f"  peer: {found['tool']}, {found['kind']}", found["rates"], note=found["note"])
