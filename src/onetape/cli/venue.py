"""`onetape venue`: the simulated exchange in the foreground, until Ctrl-C."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetape.cli.output import DONE, Parser, Usage, add_json, print_json
from onetape.domain.errors import BadInput

if TYPE_CHECKING:
    from onetape.domain.frame import CandleFrame
    from onetape.venue.recording import Push
    from onetape.venue.server import Venue

SYMBOL: Final = "BTC-USDT"
_SAYS: Final = """\
A simulated exchange on a local port: it plays recorded 1-minute candles as prints, book, tickers and
candles, and speaks the OKX v5 wire (REST under /api/v5, WebSockets under /ws/v5/public|business|private).
Without --from it plays the built-in sample of BTC/USD prices. It takes no orders."""


def main(verb: str, args: Sequence[str]) -> int:
    parser = Parser(prog=f"onetape {verb}", description=_SAYS)
    parser.add_argument("--port", type=int, default=8099, help="default 8099; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="default 127.0.0.1: this machine only")
    parser.add_argument("--speed", type=float, default=1.0, help="venue seconds per second; default 1, real time")
    parser.add_argument("--symbol", help=f"the instrument's name; default {SYMBOL}, or what the file says")
    parser.add_argument("--from", dest="file", metavar="FILE", help="a candle file in any layout `data import` reads")
    says = "play recorded messages instead: OKX v5, Binance USD-M, or a file or folder of onetape's own archive"
    parser.add_argument("--recording", metavar="PATH", help=says)
    parser.add_argument("--start", metavar="TIME", help="where the replay begins; default after a third of the data")
    parser.add_argument("--seed", type=int, default=0, help="another number, another path inside each candle")
    parser.add_argument("--futures", metavar="YYMMDD", nargs="+", default=(), help="linear futures beside the pair")
    parser.add_argument("--faults", metavar="FILE", help="what goes wrong and when: docs/simulated-venue.md")
    parser.add_argument("--ledger", metavar="FILE", help="write down at the end what was traded, one print a line")
    parser.add_argument("--no-limits", action="store_true", help="answer any number of requests")
    add_json(parser)
    chosen = parser.parse_args(list(args))
    if not 0 <= chosen.port <= 65_535:
        raise Usage(f"--port {chosen.port} is not a port. Use 0 to 65535.")
    if not chosen.speed > 0:
        raise Usage(f"--speed {chosen.speed:g} is not a speed. 1 is real time, 60 plays a minute every second.")

    from onetape import observe
    from onetape.domain.units import parse_time
    from onetape.venue.faults import read_script
    from onetape.venue.server import Venue

    venue = Venue(
        [] if chosen.recording else [_candles(chosen.file, chosen.symbol)],
        recording=_recording(Path(chosen.recording)) if chosen.recording else (),
        host=chosen.host,
        port=chosen.port,
        speed=chosen.speed,
        start_ts=parse_time(chosen.start, "--start") if chosen.start else None,
        seed=chosen.seed,
        limits=not chosen.no_limits,
        faults=read_script(Path(chosen.faults)) if chosen.faults else (),
        futures=chosen.futures,
    )
    observe.configure("warning", "venue")
    asyncio.run(_serve(venue, chosen.json, Path(chosen.ledger) if chosen.ledger else None))
    return DONE


def _recording(path: Path) -> list[Push]:
    from onetape.venue.recording import Heard, pushes, read_file

    if not path.is_dir() and path.suffix != ".parquet":
        return read_file(path)
    from onetape.archive.parquet import messages

    found = pushes(Heard(recv_ts, text) for recv_ts, text in messages(path))
    if not found:
        raise BadInput(
            "--recording", str(path), "without a message of a market", "Give a folder below archive/raw/okx."
        )
    return found


def _candles(file: str | None, symbol: str | None) -> CandleFrame:
    from onetape import archive

    if file is None:
        return dataclasses.replace(archive.sample_frame(), symbol=symbol or SYMBOL)
    frame = archive.read(file, symbol=symbol, exchange="okx").frame
    return dataclasses.replace(frame, symbol=symbol or frame.symbol)


async def _serve(venue: Venue, as_json: bool, ledger: Path | None) -> None:
    from onetape.domain.units import rfc3339

    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked_to_stop.set)
    await venue.start()
    try:
        if as_json:
            facts = {"now": rfc3339(venue.now()), "end": rfc3339(venue.end_ts), "speed": venue.speed}
            print_json({"rest": venue.rest_url, "ws": venue.ws_url, "symbols": venue.symbols, **facts})
        else:
            symbols = ", ".join(venue.symbols)
            print(
                f"{symbols} at speed {venue.speed:g}: REST {venue.rest_url}/api/v5, WebSocket {venue.ws_url}",
                flush=True,
            )
        await asked_to_stop.wait()
    finally:
        await venue.stop()
        if ledger:
            venue.write_ledger(ledger)
