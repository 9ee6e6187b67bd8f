"""`onetape data restore-archive`: files of the archive back into the database; or into a list, to see what there is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from onetape.cli.data.archiving import add_which, progress, progress_ends, which
from onetape.cli.data.series import short, table
from onetape.cli.output import DONE, print_json
from onetape.domain.errors import NotFound
from onetape.domain.units import parse_time, rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.domain.parts import Archived


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Brings archived rows back into the database, after a look whether each file is still what was written. "
        "Rows that are in the database stay as they are. They leave it again after 30 days."
    )
    parser.add_argument("--since", metavar="DATE", help="files that begin then or later (UTC)")
    parser.add_argument("--until", metavar="DATE", help="files that end by then (UTC)")
    parser.add_argument("--list", action="store_true", help="only show the files")
    add_which(parser)


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    since = parse_time(wish.since, "--since") if wish.since else None
    until = parse_time(wish.until, "--until") if wish.until else None
    entries = await platform.shelf.entries(which(wish, from_ts=since, before_ts=until))
    if not entries:
        raise NotFound("the archive", _asked(wish), "no file of it", "`onetape data restore-archive --list` shows all.")
    if wish.list:
        return _show(entries, wish)
    return await _restore(platform, entries, wish)


async def _restore(platform: Platform, entries: list[Archived], wish: argparse.Namespace) -> int:
    from onetape.archive.moving import restore

    rows = 0
    for entry in entries:
        rows += await restore(platform.shelf, platform.files, entry, progress)
    progress_ends()
    if wish.json:
        print_json({"files": len(entries), "rows": rows})
    else:
        print(f"{rows:,} rows of {len(entries):,} files are back in the database.")
    return DONE


def _show(entries: list[Archived], wish: argparse.Namespace) -> int:
    if wish.json:
        print_json({"files": [_document(entry) for entry in entries]})
        return DONE
    lines = [
        (
            *entry.part.series,
            short(entry.first_ts),
            short(entry.last_ts),
            f"{entry.rows:,}",
            f"{entry.bytes / 1e6:,.2f}",
        )
        for entry in entries
    ]
    print(table(("exchange", "symbol", "channel", "first", "last", "rows", "MB"), lines))
    return DONE


def _document(entry: Archived) -> dict[str, object]:
    return {
        "kind": entry.part.kind,
        "exchange": entry.part.exchange,
        "symbol": entry.part.symbol,
        "channel": entry.part.channel,
        "file": entry.file,
        "rows": entry.rows,
        "bytes": entry.bytes,
        "first": rfc3339(entry.first_ts),
        "last": rfc3339(entry.last_ts),
        "sha256": entry.sha256,
        "restored": rfc3339(entry.restored_ts) if entry.restored_ts else None,
    }


def _asked(wish: argparse.Namespace) -> str:
    wanted = (wish.kind, wish.exchange, wish.symbol, wish.channel, wish.since, wish.until)
    return " ".join(text for text in wanted if text) or "all"
