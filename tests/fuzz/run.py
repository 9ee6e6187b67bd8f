"""Coverage-guided fuzzing of everything that reads what others wrote (`make fuzz`): minutes, and off the daily tests.

    python tests/fuzz/run.py [--seconds 30] [TARGET ...]

Each target runs in a process of its own, so that one that crashes does not hide the others; an input that does is
written down and ends the run with 3. It then belongs, cut to its essence, into tests/properties. Needs the package
atheris, which is no dependency of onetape; without it the property tests mutate the same messages.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
DATA = HERE.parent / "data"
CAPTURES = REPOSITORY.parent / "shared" / "data" / "capture"
Seeds = Callable[[], Iterator[bytes]]
Make = Callable[[Path], Callable[[bytes], None]]  # a folder to work in; what takes one input


def okx_messages() -> Iterator[bytes]:
    for path in sorted((DATA / "okx").glob("push_*.json")) + sorted((DATA / "okx").glob("event_*.json")):
        yield path.read_bytes().strip()
    for path in sorted(CAPTURES.glob("okx_*.gz")):
        with gzip.open(path, "rt") as lines:
            yield from (
                line.partition(": ")[2].strip().encode()[:4_000] for line, _ in zip(lines, range(40), strict=False)
            )


def okx(_: Path) -> Callable[[bytes], None]:
    """The session on two connections: nothing but "not understood" may come of it, and no impossible event leaves."""
    sys.path.insert(0, str(REPOSITORY))
    from tests.properties import test_hostile_messages as hostile

    desk, count = hostile.Desk(), 0

    def take(data: bytes) -> None:
        nonlocal desk, count
        count += 1
        if count % 500 == 0:
            desk = hostile.Desk()
        hostile.check(desk.hear(data, "one" if count % 2 else "two"))

    return take


def okx_answers() -> Iterator[bytes]:
    yield from (path.read_bytes().strip() for path in sorted((DATA / "okx").glob("rest_*.json")))


def rest(_: Path) -> Callable[[bytes], None]:
    """Answers to requests: read, or refused in words."""
    from onetape.domain.errors import Refused
    from onetape.exchanges.okx import wire
    from onetape.exchanges.okx.rest import OkxRest, _Again, read

    client = OkxRest("http://127.0.0.1:1", "okx")

    def take(data: bytes) -> None:
        for shape in (wire.trades, wire.rest_books):
            try:
                read(shape, client._judge("/api/v5/market/history-trades", {}, 200, data))
            except (Refused, _Again):
                continue

    return take


def candle_texts() -> Iterator[bytes]:
    yield b"timestamp,open,high,low,close,volume\n1546300800,1,2,0.5,1.5,10\n1546300860,1.5,3,1,2,11\n"
    yield b"1546300800000,1,2,0.5,1.5,10,1546300859999,15,3,5,7,0\n1546300860000,1,3,1,2,11,1546300919999,20,3,5,7,0\n"
    yield b"open_time,open,high,low,close,vol,vol_ccy,vol_quote,confirm\n1546300800000,1,2,0.5,1.5,10,10,15,1\n"
    yield b"unix,date,symbol,open,high,low,close,Volume BTC\n1546300800,2019-01-01 00:00:00,BTC/USD,1,2,0.5,1.5,10\n"


def _zipped(text: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("BTCUSDT-1m-2019-01.csv", text)
    return packed.getvalue()


def zips() -> Iterator[bytes]:
    yield from map(_zipped, candle_texts())


def _candles(name: str) -> Make:
    def make(folder: Path) -> Callable[[bytes], None]:
        """Candle files: possible candles, or refused in words."""
        import numpy as np

        from onetape import archive
        from onetape.domain.errors import BadInput

        file = folder / name

        def take(data: bytes) -> None:
            file.write_bytes(data)
            try:
                frame = archive.read(file, symbol="BTC-USDT", exchange="okx", timeframe="1m").frame
            except BadInput:
                return
            prices = np.stack([frame.open, frame.high, frame.low, frame.close])
            assert np.isfinite(prices).all()
            assert (prices > 0).all()
            assert (np.isfinite(frame.volume) & (frame.volume >= 0)).all()
            assert (np.diff(frame.ts) > 0).all()

        return take

    return make


def spool_parts() -> Iterator[bytes]:
    from onetape.domain.market import Gap, RawFrame
    from onetape.storage.spooled import MAGIC, packed

    gap = Gap("okx", "BTC-USDT", "trades", 5, 9, "the line was cut")
    yield MAGIC + packed([RawFrame("okx", "BTC-USDT", "trades", i, i, i, b'{"n":1}') for i in range(3)] + [gap])


def spool(folder: Path) -> Callable[[bytes], None]:
    """A part of the spool: what is whole is read, the rest is said to be lost."""
    from onetape.storage import spooled

    file = folder / "0000000001.spool"

    def take(data: bytes) -> None:
        file.write_bytes(data)
        content = spooled.read(file)
        spooled.lost(content._replace(size=len(data)), {}, 10)
        spooled.cut(file)

    return take


def recordings() -> Iterator[bytes]:
    yield (
        b'1652459225.50: {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"3",'
        b'"px":"30236","sz":"0.0002","side":"buy","ts":"1652459224818"}]}\n'
    )
    with gzip.open(DATA / "venues" / "binance_usdm_2024-08-08.txt.gz") as lines:
        yield b"".join(line for line, _ in zip(lines, range(4), strict=False))


def recording(folder: Path) -> Callable[[bytes], None]:
    """Recorded messages: read, or refused in words."""
    from onetape.domain.errors import BadInput
    from onetape.venue.recording import read_file

    file = folder / "recording"

    def take(data: bytes) -> None:
        file.write_bytes(data)
        try:
            read_file(file)
        except BadInput:
            return

    return take


def parquet_files() -> Iterator[bytes]:
    import polars as pl

    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "a.parquet"
        columns = {"recv_ts": [1, 2], "seq": [1, 2], "timestamp": [1, 2], "data": ["{}", '{"a":1}']}
        pl.DataFrame(columns).write_parquet(file, compression="zstd")
        yield file.read_bytes()


def parquet(folder: Path) -> Callable[[bytes], None]:
    """A file of the archive: read, or refused in words."""
    from onetape.archive.parquet import messages
    from onetape.domain.errors import BadInput, Transient

    file = folder / "a.parquet"

    def take(data: bytes) -> None:
        file.write_bytes(data)
        try:
            messages(file)
        except (BadInput, Transient):
            return

    return take


def ccxt_messages() -> Iterator[bytes]:
    for path in sorted((DATA / "venues").glob("*.jsonl")):
        for line, _ in zip(path.read_bytes().splitlines(), range(12), strict=False):
            yield json.dumps(json.loads(line)).encode()


def ccxt(_: Path) -> Callable[[bytes], None]:
    """Stored messages of venues that are read through ccxt: events, or nothing."""
    from onetape.domain.market import Channel, RawFrame
    from onetape.exchanges.ccxt.decoding import decoder

    readers = {name: decoder(name) for name in ("binance", "kraken", "coinbase", "bybit")}
    count = 0

    def take(data: bytes) -> None:
        nonlocal count
        count += 1
        for name, read in readers.items():
            for channel in (Channel.TRADES, Channel.BOOK):
                read(RawFrame(name, "BTC-USDT", str(channel), count, count, count, data))

    return take


TARGETS: dict[str, tuple[Seeds, Make]] = {
    "okx": (okx_messages, okx),
    "rest": (okx_answers, rest),
    "csv": (candle_texts, _candles("BTC-USDT_1m.csv")),
    "zip": (zips, _candles("BTCUSDT-1m-2019-01.zip")),
    "spool": (spool_parts, spool),
    "recording": (recordings, recording),
    "parquet": (parquet_files, parquet),
    "ccxt": (ccxt_messages, ccxt),
}


# On some damaged pages the library of columns ends the process, which nothing of ours can catch.
_APART = ("parquet",)


def one(name: str, seconds: int) -> None:
    """Never returns: the fuzzer ends the process."""
    import atheris

    import onetape.core.ladder  # noqa: F401 (a kernel: what is compiled cannot be watched)

    with (
        atheris.instrument_imports(include=["onetape"]),
        tempfile.TemporaryDirectory() as place,
    ):
        import structlog

        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
        seeds, make = TARGETS[name]
        corpus = Path(place) / "corpus"
        corpus.mkdir()
        for i, seed in enumerate(seeds()):
            (corpus / str(i)).write_bytes(seed)
        work = Path(place) / "work"
        work.mkdir()
        take = make(work)
        asyncio.set_event_loop(asyncio.new_event_loop())
        found = REPOSITORY / "build" / f"fuzz-{name}-"
        found.parent.mkdir(exist_ok=True)
        flags = [f"-max_total_time={seconds}", "-max_len=8192", "-rss_limit_mb=4096", "-timeout=20", "-verbosity=0"]
        atheris.Setup([sys.argv[0], str(corpus), *flags, "-print_final_stats=1", f"-artifact_prefix={found}"], take)
        atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=30, help="for each target; default 30")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if unknown := [name for name in chosen.targets if name not in TARGETS]:
        parser.error(f"no target {unknown[0]!r}; there are {', '.join(TARGETS)}")
    if chosen.here:
        one(chosen.targets[0], chosen.seconds)
    bad = 0
    for name in chosen.targets or [name for name in TARGETS if name not in _APART]:
        command = [sys.executable, __file__, "--here", "--seconds", str(chosen.seconds), name]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
        runs = [line.split()[-1] for line in ended.stderr.splitlines() if "number_of_executed_units" in line]
        bad += ended.returncode != 0
        print(
            f"{'ok ' if not ended.returncode else 'NOT'}  {name:<10} {int(runs[0]) if runs else 0:>12,} inputs",
            flush=True,
        )
        if ended.returncode:
            print("\n".join((ended.stdout + ended.stderr).splitlines()[-40:]))
    return 3 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
