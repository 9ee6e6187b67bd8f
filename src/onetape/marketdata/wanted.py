"""`config/markets.json`: read, written with the defaults where there is none, and followed while it is edited."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import msgspec

from onetape.domain.errors import BadInput
from onetape.domain.markets import Markets, parse
from onetape.observe import log

FILE: Final = "markets.json"
_LOOK_SECONDS: Final = 1.0


def read(folder: Path, default: Markets) -> Markets:
    """What the file of the folder says. Without a file: `default`, which is written there, so that there is something
    to edit. Raises BadInput."""
    path = folder / FILE
    try:
        return parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        write(folder, default)
        return default
    except OSError as error:
        raise BadInput(str(path), "", f"not readable ({error.strerror})") from None


def write(folder: Path, markets: Markets) -> Path:
    """Atomic: a reader sees the old file or the new one. Raises BadInput."""
    path = folder / FILE
    draft = path.with_name(f".{FILE}.{secrets.token_hex(4)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(markets), indent=2) + b"\n")
        os.replace(draft, path)
    except OSError as error:
        raise BadInput(str(path), "", f"not writable ({error.strerror})", "Use another --data-dir.") from None
    return path


async def follow(folder: Path, now: Markets, look: float = _LOOK_SECONDS) -> AsyncIterator[Markets]:
    """What the file says whenever that changes from `now` on. A file that cannot be used is said once, and what held
    before goes on."""
    seen = _state(folder / FILE)
    while True:
        await asyncio.sleep(look)
        state = _state(folder / FILE)
        if state == seen or state is None:  # a lost file is no wish
            continue
        seen = state
        try:
            markets = parse((folder / FILE).read_bytes(), str(folder / FILE))
        except (BadInput, OSError) as error:
            log.error("markets_refused", says=f"{error} What was recorded before goes on.")
            continue
        if markets != now:
            now = markets
            yield now


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
