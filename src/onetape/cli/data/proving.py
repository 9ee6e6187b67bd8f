"""`onetape data verify`: candles and books rebuilt from the stored messages, compared with those that are stored."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from onetape.cli.output import DONE, NOT_HELD, print_json
from onetape.cli.replay import add_span, chosen, show_progress
from onetape.domain.market import Channel
from onetape.domain.units import Timeframe, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.marketdata.proof import Proven
    from onetape.marketdata.replay import Wish
    from onetape.ports import GapView


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reads the messages of a span as they came, from the database or the archive, builds candles and books from "
        "them once more, and compares bit for bit. Exit code 3 when something differs (the first difference is named) "
        "and when nothing could be compared."
    )
    add_span(parser)


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    from onetape.exchanges.registry import begins_book, book_proof, decoder
    from onetape.marketdata.lead import prime
    from onetape.marketdata.proof import Tape, prove

    span = await chosen(platform, wish)
    stored = await platform.catalogue.raw(span.exchange, span.symbol)
    span = span._replace(build=await _built(platform, span))
    instruments = [one for one in await platform.candles.instruments() if one.exchange == span.exchange]
    book = book_proof(span.exchange, span.symbol, instruments)
    tape = Tape(
        raw=platform.raw,
        candles=platform.candles,
        decode=decoder(span.exchange, instruments, await platform.instruments.changes(span.exchange, span.symbol)),
        book=None if isinstance(book, str) else book,
        gaps=await _gaps(platform, span),
        kept={one.channel: (one.first_ts, one.last_ts) for one in stored},
    )
    readers = (tape.decode,) if tape.book is None else (tape.decode, tape.book.take)
    await prime(platform.raw, span, begins_book(span.exchange), *readers)
    found = await prove(tape, span, lambda played: show_progress(played, span))
    show_progress(None, span)
    unproved = book if isinstance(book, str) and Channel.BOOK in span.channels else ""
    if wish.json:
        shown = {"exchange": span.exchange, "symbol": span.symbol, **_document(found, span)}
        print_json({**shown, "books_not_proved": unproved or None})
    else:
        print("\n".join(filter(None, (_sentences(found, span), unproved))))
    return DONE if found.proved else NOT_HELD


async def _built(platform: Platform, span: Wish) -> tuple[Timeframe, ...]:
    """The stored lengths of which no message is stored: they can only have been built from trades."""
    series = await platform.candles.coverage(span.exchange, span.symbol)
    return tuple(
        Timeframe.parse(one.timeframe) for one in series if f"candles:{one.timeframe}" not in span.channels
    )  # fmt: skip


async def _gaps(platform: Platform, span: Wish) -> list[GapView]:
    from onetape.cli.pages import latest
    from onetape.ports import OnlyGaps

    found, _ = await latest(platform.queries, OnlyGaps(exchange=span.exchange, symbol=span.symbol))
    return [gap for gap in found if gap.end_ts >= span.start_ts and gap.start_ts < span.end_ts]


def _sentences(found: Proven, span: Wish) -> str:
    where = f"{span.exchange}:{span.symbol}, {rfc3339(span.start_ts)} to {rfc3339(span.end_ts)}"
    if not found.frames:
        return f"{where}: no message lies in that time, so nothing could be proved."
    counts = (
        f"{found.frames:,} messages make {found.candles:,} candles of the venue, {found.built:,} built ones and "
        f"{found.books:,} states of the book that could be compared; {found.not_judged:,} could not."
    )
    if found.backfilled:
        counts += f" {found.backfilled:,} candles came later (backfilled or imported): no message speaks of them."
    if not found.proved and not found.differences:
        return f"{where}: nothing in these messages could be compared, so nothing is proved.\n{counts}"
    if not found.differences:
        return f"{where}: all that is stored is what the messages make.\n{counts}"
    more = f" That is the first of {found.differences:,}." if found.differences > 1 else ""
    return f"{where}: stored and rebuilt differ.\n{found.first}{more}\n{counts}"


def _document(found: Proven, span: Wish) -> dict[str, object]:
    return {
        "since": rfc3339(span.start_ts),
        "until": rfc3339(span.end_ts),
        "messages": found.frames,
        "candles": found.candles,
        "built": found.built,
        "books": found.books,
        "not_judged": found.not_judged,
        "backfilled": found.backfilled,
        "proved": found.proved,
        "differences": found.differences,
        "first_difference": found.first or None,
    }
