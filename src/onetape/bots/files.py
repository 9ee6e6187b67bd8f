"""Bots as JSON files, `config/bots/NAME.json`: what people decide, written by hand or by a page. Touches only files.

    {"name": "trend", "exchange": "okx", "symbol": "BTC-USDT", "timeframe": "1h", "strategy": "ema_cross",
     "parameters": {"fast": 12, "slow": 26}, "capital": 10000, "limits": {"stop": 0.02}}

Unknown keys are refused with their path. A file appears whole or not at all.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

import msgspec

from onetape.domain import documents
from onetape.domain.bots import BotSpec, LimitsSpec
from onetape.domain.errors import BadInput

FIELDS: Final = BotSpec.__struct_fields__
LIMITS: Final = LimitsSpec.__struct_fields__


def parse(text: bytes | str, source: str = "the bot") -> BotSpec:
    """A checked spec. Raises BadInput with the JSON path of what is wrong."""
    return documents.decode(text, BotSpec, "a bot", source, _keys).check()


def _keys(place: str) -> tuple[str, ...]:
    return LIMITS if place.startswith("$.limits") else FIELDS


def path_of(folder: Path, name: str) -> Path:
    return folder / "bots" / f"{name}.json"


def read_all(folder: Path) -> tuple[dict[str, BotSpec], list[BadInput]]:
    """The bots of `folder/bots/*.json` by name, and what is wrong with the files that cannot be used."""
    specs: dict[str, BotSpec] = {}
    errors: list[BadInput] = []
    for file in sorted((folder / "bots").glob("*.json")):
        try:
            spec = parse(file.read_bytes(), str(file))
            if spec.name != file.stem:
                raise BadInput("$.name", spec.name, f"not the name of its file, {file.name}", "Make them equal.")
            specs[spec.name] = spec
        except BadInput as error:
            errors.append(error)
        except OSError as error:
            errors.append(BadInput(str(file), "", f"not readable ({error.strerror})"))
    return specs, errors


def write(folder: Path, spec: BotSpec) -> Path:
    """Atomic: a reader sees the old file or the new one."""
    path = path_of(folder, spec.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(spec), indent=2) + b"\n")
    os.replace(draft, path)
    return path


def remove(folder: Path, name: str) -> None:
    path_of(folder, name).unlink(missing_ok=True)
