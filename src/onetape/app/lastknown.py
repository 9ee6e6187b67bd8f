"""What the bots wanted when the database was last asked, in a file: a collector that starts while PostgreSQL is away
records their markets too."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

import msgspec

from onetape.domain.bots import BotStatus, BotView
from onetape.observe import log

_decoder = msgspec.json.Decoder(list[BotView])


def recall(path: Path) -> list[BotView]:
    """Those of the file; none where there is no file, or none that can be read."""
    try:
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        log.warning("bots_not_recalled", path=str(path), problem=str(error))
        return []


def remember(path: Path, bots: Iterable[BotView]) -> None:
    """Those that want a market now. A disk that takes it not is told: the database has them anyway."""
    wanting = [view for view in bots if view.wanted in (BotStatus.RUNNING, BotStatus.PAUSED)]
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(msgspec.json.encode(wanting))
        os.replace(draft, path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        log.warning("bots_not_remembered", path=str(path), problem=str(error))
