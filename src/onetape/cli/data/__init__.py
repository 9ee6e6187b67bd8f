"""`onetape data VERB`: candles in, what is stored, how good it is. One file per verb, found by the table below.

A verb's module has `arguments(parser)`, which adds its flags, and `async run(platform, wish) -> int`, which does it
on the opened platform and gives the exit code.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from onetape.cli.output import Parser, add_json
from onetape.cli.stopping import finish


class Verb(NamedTuple):
    name: str
    module: str
    says: str


VERBS: Final = (
    Verb("import", "importing", "put candle files into the database"),
    Verb("download", "downloading", "candles from a venue, as far as they are not stored yet"),
    Verb("list", "listing", "what is stored: series, first and last candle, rows, gaps"),
    Verb("check", "checking", "gaps, duplicates, impossible values, oddities, anchors; exit code 3 when wrong"),
    Verb("gaps", "missing", "every hole that was noted: its cause, and how and when it was closed"),
    Verb("audit", "auditing", "whether the venue's candles agree with the trades that were received"),
    Verb("fill", "filling", "make up flat candles for the holes of a series, marked synthetic"),
    Verb("compare", "comparing", "the same instrument on two exchanges: differences, what is missing, who moves first"),
    Verb("export", "exporting", "one series into a CSV or Parquet file"),
    Verb("bars", "making", "bars by number of trades, volume or value, made of the stored trades"),
    Verb("archive", "archiving", "old rows out of the database into files that every command still reads"),
    Verb("verify", "proving", "candles and books rebuilt from stored messages; exit code 3 when they differ"),
    Verb("restore-archive", "restoring", "archived rows back into the database"),
)


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape data", description="Candles: download and import them, list and check what is stored.")
    names = "|".join(verb.name for verb in VERBS)
    actions = top.add_subparsers(dest="action", required=True, metavar=names, parser_class=Parser)
    for verb in VERBS:
        action = actions.add_parser(verb.name, help=verb.says)
        _module(verb).arguments(action)
        action.add_argument("--data-dir", type=Path, metavar="DIR", help="where the embedded database lives")
        add_json(action)
    return top


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    wish = parser().parse_args(args)
    action = next(one for one in VERBS if one.name == wish.action)
    return finish(_opened(wish, _module(action)))


async def _opened(wish: argparse.Namespace, module: ModuleType) -> int:
    from onetape.app.wiring import open_platform
    from onetape.settings import Settings

    settings = Settings(data_dir=wish.data_dir) if wish.data_dir else Settings()
    async with open_platform(settings) as platform:
        code: int = await module.run(platform, wish)
    return code


def _module(verb: Verb) -> ModuleType:
    return importlib.import_module(f"onetape.cli.data.{verb.module}")
