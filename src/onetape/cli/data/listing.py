"""`onetape data list`: what is stored, how much room it takes, and when the disk will be full."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from onetape.cli.data.series import near, short, table
from onetape.cli.output import DONE, print_json
from onetape.domain.errors import NotFound
from onetape.domain.units import rfc3339

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.ports import Coverage, Disk, RawCoverage, TableSize


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--exchange", metavar="okx", help="only what is stored of this one")


async def run(platform: Platform, wish: argparse.Namespace) -> int:
    series, raw = await _stored(platform, wish.exchange)
    sizes, disk = await platform.catalogue.sizes(), await platform.catalogue.disk()
    if wish.json:
        print_json(
            {
                "series": [_coverage(one) for one in series],
                "raw": [_raw(one) for one in raw],
                "sizes": [_size(one) for one in sizes],
                "disk": _disk(disk),
            }
        )
    elif not series and not raw:
        print("Nothing is stored yet. Import a file (onetape data import FILE) or start the demo (onetape demo).")
    else:
        print("\n\n".join(_texts(series, raw, sizes, disk)))
    return DONE


async def _stored(platform: Platform, exchange: str | None) -> tuple[list[Coverage], list[RawCoverage]]:
    """Raises NotFound, with the nearest name, when nothing is stored of the exchange."""
    from onetape.archive.naming import normal_exchange

    series, raw = await platform.candles.coverage(), await platform.catalogue.raw()
    if not exchange:
        return series, raw
    wanted = normal_exchange(exchange)
    known = sorted({one.exchange for one in series} | {one.exchange for one in raw})
    if wanted not in known:
        raise NotFound("--exchange", exchange, "an exchange of which nothing is stored", near(wanted, known))
    return [one for one in series if one.exchange == wanted], [one for one in raw if one.exchange == wanted]


def _texts(series: list[Coverage], raw: list[RawCoverage], sizes: list[TableSize], disk: Disk) -> list[str]:
    texts = []
    if series:
        lines = [(one.exchange, one.symbol, one.timeframe, *_cells(one)) for one in series]
        texts.append(table(("exchange", "symbol", "timeframe", "first", "last", "rows", "gaps"), lines))
    if raw:
        lines = [(one.exchange, one.symbol, one.channel, *_cells(one)) for one in raw]
        texts.append(table(("exchange", "symbol", "messages", "first", "last", "rows", "gaps"), lines))
    if large := _by_table(sizes):
        texts.append(table(("table", "partitions", "size"), large))
    return [*texts, _forecast(disk)]


def _cells(one: Coverage | RawCoverage) -> tuple[str, str, str, str]:
    return short(one.first_ts), short(one.last_ts), f"{one.rows:,}", f"{one.gaps:,}"


def _by_table(sizes: list[TableSize]) -> list[tuple[str, str, str]]:
    """The largest first; what takes less than a megabyte is not shown."""
    total: dict[str, list[int]] = {}
    for one in sizes:
        name = f"archive of {one.partition}" if one.table == "archive" else one.table
        total.setdefault(name, []).append(one.bytes)
    ordered = sorted(total.items(), key=lambda item: -sum(item[1]))
    return [
        (name, f"{len(parts):,}", _bytes(sum(parts))) for name, parts in ordered if sum(parts) >= 1e6
    ]  # fmt: skip


def _forecast(disk: Disk) -> str:
    text = (
        f"{_bytes(disk.database)} in the database, {_bytes(disk.archive)} in the archive; "
        f"{_bytes(disk.free)} of {_bytes(disk.total)} free on the disk."
    )
    if disk.per_day is None:
        return f"{text}\nHow fast it grows is known after an hour of recording."
    if disk.full_ts is None:
        return f"{text}\nAs of the last days it will not be full in ten years."
    return f"{text}\nIt grew by {_bytes(disk.per_day)} a day lately: at that rate it is full on {short(disk.full_ts)}."


def _bytes(n: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if abs(n) >= size:
            return f"{n / size:,.1f} {unit}"
    return f"{n / 1e3:,.0f} kB"


def _coverage(one: Coverage) -> dict[str, object]:
    return {"exchange": one.exchange, "symbol": one.symbol, "timeframe": one.timeframe, **_span(one)}


def _raw(one: RawCoverage) -> dict[str, object]:
    return {"exchange": one.exchange, "symbol": one.symbol, "channel": one.channel, **_span(one)}


def _span(one: Coverage | RawCoverage) -> dict[str, object]:
    return {"first": rfc3339(one.first_ts), "last": rfc3339(one.last_ts), "rows": one.rows, "gaps": one.gaps}


def _size(one: TableSize) -> dict[str, object]:
    start, end = (rfc3339(ts) if one.end_ts else None for ts in (one.start_ts, one.end_ts))
    return {"table": one.table, "partition": one.partition, "bytes": one.bytes, "start": start, "end": end}


def _disk(disk: Disk) -> dict[str, object]:
    return {
        "total": disk.total,
        "free": disk.free,
        "database": disk.database,
        "archive": disk.archive,
        "bytes_per_day": disk.per_day,
        "full": rfc3339(disk.full_ts) if disk.full_ts else None,
    }
