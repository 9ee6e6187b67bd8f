"""What the verbs of `onetape data` share: the flags that choose series, and how times and tables are written."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from onetape.domain.errors import BadInput, NotFound
from onetape.domain.units import Timeframe, rfc3339

if TYPE_CHECKING:
    from onetape.ports import CandleStore, Coverage


def add_series(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--symbol", metavar="BTC-USDT")
    parser.add_argument("--exchange", metavar="okx")
    parser.add_argument("--timeframe", metavar="1m")


async def chosen(store: CandleStore, wish: argparse.Namespace) -> list[Coverage]:
    """The series that the flags leave; raises NotFound when they leave none."""
    from onetape.archive.naming import normal_exchange, normal_symbol

    wanted = {
        "exchange": normal_exchange(wish.exchange) if wish.exchange else "",
        "symbol": normal_symbol(wish.symbol) if wish.symbol else "",
        "timeframe": str(Timeframe.parse(wish.timeframe, "--timeframe")) if wish.timeframe else "",
    }
    series = await store.coverage()
    left = [one for one in series if all(value in ("", getattr(one, key)) for key, value in wanted.items())]
    if not left and any(wanted.values()):
        asked = " ".join(value for value in wanted.values() if value)
        for key, value in wanted.items():
            if value and value not in (known := sorted({getattr(one, key) for one in series})):
                raise NotFound("the series", asked, "not stored", near(value, known))
        raise NotFound("the series", asked, "not stored", "`onetape data list` shows what is.")
    return left


def near(name: str, known: Sequence[str]) -> str:
    """What to do about a name that is not among the known ones."""
    found = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {found[0]}? " if found else ""
    return f"{hint}`onetape data list` shows what is stored."


def short(ts: int) -> str:
    return rfc3339(ts)[:16].replace("T", " ")


def span(first_ts: int, last_ts: int) -> str:
    return f"{short(first_ts)} to {short(last_ts)} UTC"


def listed(text: str, flag: str) -> list[str]:
    """`A,B` as its parts. Raises BadInput where one is empty."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise BadInput(flag, text, "a list with an empty part", "Write one name, or several with commas: A,B.")
    return list(dict.fromkeys(parts))


def table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], numbers: int = 2) -> str:
    """Columns as wide as they must be; the last `numbers` of them are counts and stand to the right."""
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    first = len(header) - numbers
    lines = [
        "  ".join(
            cell.rjust(w) if i >= first else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in [header, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)
