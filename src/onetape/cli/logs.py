"""`onetape logs`: what the services wrote, in the order of time, as lines for people or as the JSON lines they are."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from onetape.cli.output import DONE, Parser
from onetape.domain.errors import NotFound

POLL: Final = 0.3  # seconds between two looks at growing files
_HIDDEN: Final = ("event", "level", "timestamp", "service", "exception")


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape logs", description="What the services say.")
    top.add_argument("-f", "--follow", action="store_true", help="go on with what comes, until Ctrl-C")
    top.add_argument("--service", metavar="NAME", help="collector, trader, web, venue or supervisor; default all")
    top.add_argument("-n", "--lines", type=int, default=200, metavar="N", help="the last N lines; default 200")
    top.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="of the platform; default as `onetape up` or the demo"
    )
    top.add_argument("--json", action="store_true", help="the JSON lines as they are")
    return top


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    chosen = parser().parse_args(list(args))
    from onetape.app.where import chosen as chosen_settings

    folder = chosen_settings(chosen.data_dir).log_dir
    tails = {path.stem: Tail(path) for path in sorted(folder.glob("*.log"))}
    if chosen.service and chosen.service not in tails:
        known = ", ".join(tails) or "none yet"
        raise NotFound("--service", chosen.service, f"nothing was logged by it in {folder}", f"There are: {known}.")
    if not tails:
        raise NotFound(
            "--data-dir", str(folder.parent), "no logs here yet", "`onetape demo` or `onetape up` makes some."
        )
    wanted = [tails[chosen.service]] if chosen.service else list(tails.values())
    lines = sorted((line for tail in wanted for line in tail.new()), key=_when)
    for line in lines[-max(0, chosen.lines) :]:
        _print(line, chosen.json)
    while chosen.follow:
        time.sleep(POLL)
        for line in sorted((line for tail in wanted for line in tail.new()), key=_when):
            _print(line, chosen.json)
    return DONE


class Tail:
    """The complete lines of a growing file that were not seen yet; it survives that the file is moved aside."""

    def __init__(self, path: Path) -> None:
        self._path, self._place, self._inode = path, 0, 0

    def new(self) -> Iterator[dict[str, Any]]:
        import msgspec

        try:
            with self._path.open("rb") as file:
                inode = self._path.stat().st_ino
                if inode != self._inode:
                    self._inode, self._place = inode, 0
                file.seek(self._place)
                data = file.read()
        except FileNotFoundError:
            return
        whole, _, _ = data.rpartition(b"\n")
        self._place += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            try:
                yield {**msgspec.json.decode(line, type=dict[str, Any]), "": line.decode(errors="replace")}
            except msgspec.DecodeError:
                continue


def _when(line: dict[str, Any]) -> str:
    return str(line.get("timestamp", ""))


def _print(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(line[""], flush=True)
        return
    details = " ".join(f"{key}={value}" for key, value in line.items() if key not in _HIDDEN and key)
    level = line.get("level", "")
    mark = "" if level in ("info", "debug") else f"{level.upper()} "
    moment = _when(line)[:23].replace("T", " ")
    print(f"{moment} {line.get('service', ''):<10} {mark}{line.get('event', '')} {details}".rstrip(), flush=True)
    if "exception" in line:
        print(line["exception"], file=sys.stdout, flush=True)
