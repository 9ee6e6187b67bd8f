"""Bots as JSON files, `config/bots/NAME.json`: what people decide, written by hand or by a page. Touches only files.

    {"name": "trend", "exchange": "okx", "symbol": "BTC-USDT", "timeframe": "1h", "strategy": "ema_cross",
     "parameters": {"fast": 12, "slow": 26}, "capital": 10000, "limits": {"stop": 0.02}}

Unknown keys are refused with their path. A file appears whole or not at all.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final

import msgspec

from onetape.domain.bots import BotSpec, LimitsSpec
from onetape.domain.errors import BadInput

_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+?)`(?: - at `(.+?)`)?$")
_PLACE: Final = re.compile(r"(.*?) - at `(.+?)`$")
FIELDS: Final = BotSpec.__struct_fields__
LIMITS: Final = LimitsSpec.__struct_fields__


def parse(text: bytes | str, source: str = "the bot") -> BotSpec:
    """A checked spec. Raises BadInput with the JSON path of what is wrong."""
    try:
        return msgspec.json.decode(text, type=BotSpec).check()
    except msgspec.ValidationError as error:
        raise _explained(str(error), text, source) from None
    except msgspec.DecodeError as error:
        raise BadInput(source, "", f"not JSON ({error})", "A bot is one JSON object.") from None


def _explained(message: str, text: bytes | str, source: str) -> BadInput:
    if found := _UNKNOWN.search(message):
        place = (found[2] or "$") + "." + found[1]
        known = f"Known keys: {', '.join(LIMITS if place.startswith('$.limits') else FIELDS)}."
        return BadInput(place, found[1], f"a key that a bot does not have, in {source}", known)
    if found := _PLACE.search(message):
        wrong = found[1].replace("`", "").replace("Expected", "expected")
        return BadInput(found[2], _stands_at(found[2], text), f"{wrong}, in {source}")
    return BadInput("$", source, message.replace("`", "").replace("Object missing", "it misses the"))


def _stands_at(place: str, text: bytes | str) -> object:
    """The value at a path like `$.limits.stop` of JSON that can be read."""
    value = msgspec.json.decode(text)
    for step in place.split(".")[1:]:
        value = value.get(step, value) if isinstance(value, dict) else value
    return value


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
