"""`onetape replay`: recorded messages once more through decoding, building and publishing, at any speed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetape.cli.output import DONE, Parser, add_json, print_json
from onetape.cli.stopping import finish
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.units import Timeframe, parse_time, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.marketdata.missed import Mended
    from onetape.marketdata.replay import Played, Wish

_EPILOG: Final = """\
What is published bears the exchange name replay-okx: listen to that, and nobody takes the past for the present.

  onetape replay --symbol BTC-USDT --since 2026-03-01T14:00 --until 2026-03-01T15:00 --speed 60
  onetape replay --symbol BTC-USDT --since 2026-03-01 --until 2026-03-02 --speed max --channels trades --build 7m
"""


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape replay", description=__doc__, epilog=_EPILOG)
    add_span(top)
    top.add_argument("--speed", default="1", metavar="60", help="recorded seconds per second, or max (1)")
    top.add_argument("--channels", metavar="trades,book", help="only these; all that are stored otherwise")
    top.add_argument("--build", default="", metavar="7m,30s", help="candles to be made of the trades on the way")
    top.add_argument("--data-dir", type=Path, metavar="DIR", help="where the embedded database lives")
    add_json(top)
    return top


def add_span(top: argparse.ArgumentParser) -> None:
    """The flags that say what is read."""
    top.add_argument("--symbol", required=True, metavar="BTC-USDT")
    top.add_argument("--since", metavar="TIME", help="first moment (UTC); the beginning of what is stored otherwise")
    top.add_argument("--until", metavar="TIME", help="moment after the last (UTC); the end of what is stored otherwise")
    top.add_argument("--exchange", metavar="okx", help="where several have the symbol; okx otherwise")


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    return finish(_run(parser().parse_args(args)))


async def _run(wish: argparse.Namespace) -> int:
    from onetape.app.wiring import open_platform
    from onetape.marketdata.replay import replay
    from onetape.settings import Settings

    speed = _speed(wish.speed)
    settings = Settings(data_dir=wish.data_dir) if wish.data_dir else Settings()
    async with open_platform(settings) as platform:
        span = await chosen(platform, wish)
        built = tuple(Timeframe.parse(text, "--build") for text in _parts(wish.build))
        span = span._replace(speed=speed, build=built)
        tape = await mended(platform, span)
        played = await replay(tape, tape, platform.bus, span, lambda now: show_progress(now, span))
    show_progress(None, span)
    if wish.json:
        print_json(_document(played, span) | {"repaired": tape.repaired})
    else:
        print(_sentences(played, span))
        if tape.repaired:
            print(f"{tape.repaired:,} of the trades had been missed, and were fetched later.")
    return DONE


async def chosen(platform: Platform, wish: argparse.Namespace) -> Wish:
    """What the flags leave of what is stored. Raises NotFound, BadInput."""
    from onetape.archive.naming import normal_exchange, normal_symbol
    from onetape.marketdata.replay import Wish

    symbol = normal_symbol(wish.symbol)
    known = await platform.catalogue.raw(None, symbol)
    exchange = normal_exchange(wish.exchange) if wish.exchange else _exchange(symbol, {one.exchange for one in known})
    stored = {one.channel: one for one in known if one.exchange == exchange}
    channels = _parts(getattr(wish, "channels", "") or "") or [c for c in stored if not c.endswith("_rest")]
    missing = [channel for channel in channels if channel not in stored]
    if missing or not channels:
        others = f"Stored are {', '.join(stored)}." if stored else "`onetape data list` shows what is stored."
        asked = missing[0] if missing else f"{exchange}:{symbol}"
        raise NotFound("the messages", asked, f"none of them is stored of {exchange}:{symbol}", others)
    start = parse_time(wish.since, "--since") if wish.since else min(stored[c].first_ts for c in channels)
    end = parse_time(wish.until, "--until") if wish.until else max(stored[c].last_ts for c in channels) + 1
    if start >= end:
        raise BadInput("--since", rfc3339(start), f"not before {rfc3339(end)}", "Give a --since before --until.")
    return Wish(exchange, symbol, tuple(channels), start, end)


def _exchange(symbol: str, having: set[str]) -> str:
    """The one that has the symbol; OKX among several, and where none has it. Raises BadInput."""
    if "okx" in having or not having:
        return "okx"
    if len(having) > 1:
        names = " and ".join(sorted(having))
        raise BadInput("--exchange", "", f"needed: messages of {symbol} are stored of {names}", "Name one.")
    return having.pop()


async def mended(platform: Platform, span: Wish) -> Mended:
    """Messages and their decoder, with the trades that were missed and fetched later in their place."""
    from onetape.cli.pages import latest
    from onetape.exchanges.registry import begins_book, decoder
    from onetape.marketdata.lead import prime
    from onetape.marketdata.missed import Mended
    from onetape.marketdata.replay import trades_of
    from onetape.ports import OnlyGaps

    source = trades_of(span.channels)
    only = OnlyGaps(exchange=span.exchange, symbol=span.symbol, channel=source)
    gaps = (await latest(platform.queries, only))[0] if source else []
    instruments = [one for one in await platform.candles.instruments() if one.exchange == span.exchange]
    changes = await platform.instruments.changes(span.exchange, span.symbol)
    decode = decoder(span.exchange, instruments, changes)
    await prime(platform.raw, span, begins_book(span.exchange), decode)
    return Mended(platform.raw, decode, span, gaps)


def _parts(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _speed(text: str) -> float:
    from onetape.marketdata.replay import AS_FAST_AS_POSSIBLE

    if text in ("max", "0"):
        return AS_FAST_AS_POSSIBLE
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 < speed < 1e9:
        raise BadInput("--speed", text, "not a speed", "Write a number above 0 (60 = a minute a second), or max.")
    return speed


def show_progress(played: Played | None, wish: Wish) -> None:
    if not sys.stderr.isatty():
        return
    text = ""
    if played is not None:
        share = (played.last_ts - wish.start_ts) / (wish.end_ts - wish.start_ts)
        text = (
            f"{rfc3339(played.last_ts)[:19].replace('T', ' ')}  {100 * min(max(share, 0), 1):.0f} %  "
            f"{played.frames:,} messages, {played.times:,.0f} times as fast as it was"
        )
    print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


def _sentences(played: Played, wish: Wish) -> str:
    if not played.frames:
        return f"No message of {wish.exchange}:{wish.symbol} lies in that time."
    events = ", ".join(f"{n:,} {kind}" for kind, n in sorted(played.events.items()))
    return (
        f"{played.frames:,} messages of {wish.exchange}:{wish.symbol}, received {rfc3339(played.first_ts)} to "
        f"{rfc3339(played.last_ts)}, in {played.seconds:.1f} s: {played.times:,.0f} times as fast as it was.\n"
        f"They said: {events or 'nothing'}.\nDigest {played.digest}"
    )


def _document(played: Played, wish: Wish) -> dict[str, object]:
    return {
        "exchange": wish.exchange,
        "symbol": wish.symbol,
        "channels": wish.channels,
        "frames": played.frames,
        "events": played.events,
        "first": rfc3339(played.first_ts) if played.frames else None,
        "last": rfc3339(played.last_ts) if played.frames else None,
        "seconds": round(played.seconds, 3),
        "times_real_time": round(played.times, 1),
        "digest": played.digest,
    }
