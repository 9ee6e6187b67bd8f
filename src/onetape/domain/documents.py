"""JSON documents that people write: read strictly, and what is wrong with one said with its path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from onetape.domain.errors import BadInput

T = TypeVar("T")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.+?)`(?: - at `(.+?)`)?$")
_PLACE: Final = re.compile(r"(.*?) - at `(.+?)`$")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")

Keys = Callable[[str], tuple[str, ...]]  # the keys that the object at a path may have


def decode(text: bytes | str, kind: type[T], what: str, source: str, keys: Keys) -> T:
    """A document of `kind`. `what` names it in sentences (`a bot`), `source` is the file. Raises BadInput."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise _explained(str(error), text, what, source, keys) from None
    except msgspec.DecodeError as error:
        raise BadInput(source, "", f"not JSON ({error})", f"{what[0].upper()}{what[1:]} is one JSON object.") from None


def _explained(message: str, text: bytes | str, what: str, source: str, keys: Keys) -> BadInput:
    if found := _UNKNOWN.search(message):
        place = (found[2] or "$") + "." + found[1]
        known = f"Known keys: {', '.join(keys(place))}."
        return BadInput(place, found[1], f"a key that {what} does not have, in {source}", known)
    if found := _PLACE.search(message):
        wrong = found[1].replace("`", "").replace("Expected", "expected")
        return BadInput(found[2], _stands_at(found[2], text), f"{wrong}, in {source}")
    return BadInput("$", source, message.replace("`", "").replace("Object missing", "it misses the"))


def _stands_at(place: str, text: bytes | str) -> object:
    """The value at a path like `$.limits.stop` or `$.markets[0].symbols` of JSON that can be read."""
    value: Any = msgspec.json.decode(text)
    for name, number in _STEP.findall(place):
        if isinstance(value, dict):
            value = value.get(name, value)
        elif isinstance(value, list) and number.isdigit() and int(number) < len(value):
            value = value[int(number)]
    return value
