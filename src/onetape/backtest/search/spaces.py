"""Which values a search tries: `5:50:5` of a number, `0.1:0.5` of a continuous one, `cross,none` of a choice."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from onetape.domain.errors import BadInput, NotFound
from onetape.strategies.contract import AnyStrategy

STEPS: Final = 12  # of a space that nobody described
MOST: Final = 100_000  # values of one parameter
WIDE: Final = 4.0  # such a space reaches from a fourth of the default to four times it


class Space(msgspec.Struct, frozen=True, kw_only=True):
    """`values` in their order; empty of a continuous number, which then lies in [low, high]."""

    name: str
    text: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    numeric: bool = True

    @property
    def continuous(self) -> bool:
        return not self.values

    def place(self, value: Any) -> float:
        """Where a value lies in what is searched: 0 to 1. Choices have places without a distance."""
        if not self.numeric:
            return float(self.values.index(value))
        return (float(value) - self.low) / (self.high - self.low) if self.high > self.low else 0.0

    def draw(self, random: np.random.Generator) -> Any:
        if self.continuous:
            return float(random.uniform(self.low, self.high))
        return self.values[int(random.integers(len(self.values)))]


def spaces_of(kind: type[AnyStrategy], texts: Mapping[str, str], fixed: Mapping[str, Any]) -> tuple[Space, ...]:
    """The spaces of a search, in the order of the strategy's fields. Raises BadInput naming the space."""
    fields = kind.__struct_fields__
    for name in texts:
        if name not in fields:
            raise NotFound("--space", name, f"not a parameter of {kind.name()}", f"It takes {', '.join(fields)}.")
        if name in fixed:
            raise BadInput("--space", name, "also given a value", "Leave one of them away.")
    kinds = typing.get_type_hints(kind, include_extras=True)
    chosen = [name for name in fields if (name in texts if texts else name not in fixed)]
    found = [_space(kind, name, kinds[name], texts.get(name, "")) for name in chosen]
    spaces = tuple(space for space in found if space is not None)
    if not spaces:
        raise BadInput("--space", "", f"{kind.name()} has no number to search", "Name what to try: name=a,b,c.")
    return spaces


def _space(kind: type[AnyStrategy], name: str, annotation: Any, text: str) -> Space | None:
    base = _base(annotation)
    if ":" in text or (not text and base in (int, float)):
        if base not in (int, float):
            raise BadInput("--space", f"{name}={text}", "a range, but the parameter is no number", "Write name=a,b.")
        space = _range(name, text, base) if text else _around(kind, name, annotation, base)
    elif text:
        space = _choice(name, text, base)
    else:
        return None  # choices are searched when they are named
    for value in space.values or (space.low, space.high):
        _fits(name, text, value, annotation)
    return space


def _base(annotation: Any) -> Any:
    inner = annotation
    while typing.get_origin(inner) is typing.Annotated:
        inner = typing.get_args(inner)[0]
    return inner


def _fits(name: str, text: str, value: Any, annotation: Any) -> None:
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        shown = f"{name}={text}" if text else name
        raise BadInput("--space", shown, f"{value} is not a value of {name}: {str(error).lower()}") from None


def _range(name: str, text: str, base: type) -> Space:
    shown = f"{name}={text}"
    remedy = "Write low:high or low:high:step, as in fast=5:50:5."
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        raise BadInput("--space", shown, "not numbers with colons between them", remedy) from None
    if len(numbers) not in (2, 3) or not all(map(math.isfinite, numbers)):
        raise BadInput("--space", shown, "not a range", remedy)
    low, high = numbers[:2]
    step = numbers[2] if len(numbers) == 3 else float(base is int)
    if low > high or step < 0.0 or (len(numbers) == 3 and step == 0.0):
        raise BadInput("--space", shown, "not rising", remedy)
    if base is int and any(number != int(number) for number in numbers):
        raise BadInput("--space", shown, f"not whole numbers, and {name} is one", remedy)
    if step == 0.0:
        return Space(name=name, text=text, low=low, high=high)
    count = math.floor((high - low) / step + 1e-9) + 1
    if count > MOST:
        raise BadInput("--space", shown, f"{count:,} values, more than {MOST:,}", "Take a wider step.")
    return _stepped(name, text, [_exact(low, step, i, base) for i in range(count)])


def _exact(low: float, step: float, i: int, base: type) -> Any:
    """Decimal steps as they are written: 0.1 + 2 * 0.1 is 0.3."""
    return int(low) + i * int(step) if base is int else round(low + i * step, 12)


def _stepped(name: str, text: str, values: Sequence[Any]) -> Space:
    return Space(name=name, text=text, values=tuple(values), low=float(values[0]), high=float(values[-1]))


def _around(kind: type[AnyStrategy], name: str, annotation: Any, base: type) -> Space:
    """From a fourth of the default to four times it, inside what the strategy allows, in steps of equal length."""
    default = next(field.default for field in msgspec.structs.fields(kind) if field.name == name)
    if default is msgspec.NODEFAULT or not isinstance(default, int | float) or not default:
        raise BadInput("--space", name, "without a default to search around", f"Write {name}=low:high.")
    low, high = _bounds(annotation)
    ends = sorted((default / WIDE, default * WIDE))
    low, high = max(low, ends[0]), min(high, ends[1])
    if base is float:
        low, high = float(f"{low:.3g}"), float(f"{high:.3g}")
        step = (high - low) / (STEPS - 1)
        text = f"{low:g}:{high:g} in {STEPS} steps"
        return _stepped(name, text, [float(f"{low + i * step:.6g}") for i in range(STEPS)])
    first, last = math.ceil(low), math.floor(high)
    step = max(1, round((last - first) / (STEPS - 1)))
    return _stepped(name, f"{first}:{last}:{step}", list(range(first, last + 1, step)))


def _bounds(annotation: Any) -> tuple[float, float]:
    low, high = -math.inf, math.inf
    for part in getattr(annotation, "__metadata__", ()):
        if isinstance(part, msgspec.Meta):
            low = max([low] + [float(x) for x in (part.ge, part.gt) if x is not None])
            high = min([high] + [float(x) for x in (part.le, part.lt) if x is not None])
    return low, high


def _choice(name: str, text: str, base: Any) -> Space:
    parts = [part.strip() for part in text.split(",")]
    if len(set(parts)) < len(parts) or "" in parts:
        raise BadInput("--space", f"{name}={text}", "a value stands there twice, or is empty")
    try:
        values = [msgspec.convert(part, base, strict=False) for part in parts]
    except msgspec.ValidationError as error:
        raise BadInput("--space", f"{name}={text}", f"not values of {name}: {str(error).lower()}") from None
    if base in (int, float):
        return _stepped(name, text, sorted(values))
    return Space(name=name, text=text, values=tuple(values), numeric=False)


def written(space: Space) -> str:
    """A space as a person would write it, to be changed by one: 5:50:5, 0.01:0.16:0.0136, none,cross."""
    if space.continuous:
        return f"{space.low:g}:{space.high:g}"
    if not space.numeric or len(space.values) < 2:
        return ",".join(map(str, space.values))
    return f"{space.values[0]:g}:{space.values[-1]:g}:{space.values[1] - space.values[0]:.3g}"


def parse_spaces(given: Sequence[str]) -> dict[str, str]:
    """The texts of repeated `--space fast=5:50:5` flags. Raises BadInput."""
    found: dict[str, str] = {}
    for text in given:
        name, sign, rest = text.partition("=")
        name = name.strip()
        if not name or (sign and not rest.strip()):
            raise BadInput("--space", text, "not of the form name=low:high:step", "Write --space fast=5:50:5.")
        if name in found:
            raise BadInput("--space", text, f"{name} is described twice")
        found[name] = rest.strip()
    return found
