"""Which strategies there are: the built-in ones, and those in a folder of the user's own, found by their tag."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

import msgspec

from onetape.domain.errors import BadInput, NotFound
from onetape.strategies import sources
from onetape.strategies.bollinger_breakout import BollingerBreakout
from onetape.strategies.contract import AnyStrategy
from onetape.strategies.dca import Dca
from onetape.strategies.donchian_breakout import DonchianBreakout
from onetape.strategies.ema_cross import EmaCross
from onetape.strategies.foreign import Foreign
from onetape.strategies.grid import Grid
from onetape.strategies.learned_direction import LearnedDirection
from onetape.strategies.macd_trend import MacdTrend
from onetape.strategies.market_maker import MarketMaker
from onetape.strategies.ridge_returns import RidgeReturns
from onetape.strategies.rotation import Rotation
from onetape.strategies.rsi_reversion import RsiReversion
from onetape.strategies.sma_cross import SmaCross
from onetape.strategies.trend_pullback import TrendPullback

BUILT_IN: Final[tuple[type[AnyStrategy], ...]] = (
    SmaCross,
    EmaCross,
    RsiReversion,
    BollingerBreakout,
    MacdTrend,
    DonchianBreakout,
    TrendPullback,
    Grid,
    Dca,
    MarketMaker,
    Rotation,
    RidgeReturns,
    LearnedDirection,
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A strategy class, the file it stands in, and whether it came with onetape."""

    kind: type[AnyStrategy]
    file: Path
    built_in: bool

    @property
    def tag(self) -> str:
        return self.kind.name()

    @property
    def says(self) -> str:
        """The docstring, without its indentation."""
        return " ".join((self.kind.__doc__ or "").split())


class Registry:
    """Strategies by tag. `errors` holds a sentence for each file of the user's that could not be loaded."""

    def __init__(self, entries: Mapping[str, Entry], errors: Sequence[BadInput] = ()) -> None:
        self.entries = dict(entries)
        self.errors = tuple(errors)

    @classmethod
    def load(cls, folder: Path | str | None = None) -> Registry:
        """Built-ins and every `*.py` of `folder` (names that begin with _ are left to be imported by the others).

        A file that cannot be loaded, or brings a tag that exists, is left out and named in `errors`. Raises BadInput
        when the folder itself is not there.
        """
        entries = {kind.name(): Entry(kind, Path(str(sources.file_of(kind))), built_in=True) for kind in BUILT_IN}
        errors: list[BadInput] = []
        for file in _files(folder):
            try:
                found = _load_file(file)
                for entry in found:
                    _refuse_duplicate(entries, entry)
            except BadInput as error:
                errors.append(error)
            else:
                entries |= {entry.tag: entry for entry in found}
        return cls(entries, errors)

    def list(self) -> list[str]:
        """All tags, built-ins first."""
        return sorted(self.entries, key=lambda tag: (not self.entries[tag].built_in, tag))

    def entry(self, tag: str) -> Entry:
        """Raises NotFound, with what there is and what could not be loaded."""
        if tag not in self.entries:
            remedy = f"There are: {', '.join(self.list())}."
            if self.errors:
                remedy += " Not loaded: " + " ".join(str(error) for error in self.errors)
            raise NotFound("strategy", tag, "not known", remedy)
        return self.entries[tag]

    def get(self, tag: str) -> type[AnyStrategy]:
        return self.entry(tag).kind

    def build(self, tag: str, parameters: Mapping[str, Any] | None = None, *, text: bool = False) -> AnyStrategy:
        """A strategy from JSON values; what is not given keeps its default. Raises BadInput with `$.parameters.fast`.

        With `text` numbers and truth values may also be written as strings, as they come from a command line.
        """
        kind, given = self.get(tag), dict(parameters or {})
        fields = kind.__struct_fields__
        for name, value in given.items():
            if name not in fields:
                raise BadInput(f"$.parameters.{name}", value, f"not a parameter of {tag}", _takes(fields))
        with Foreign(self.entry(tag).file) as visit:
            return msgspec.convert(given, kind, strict=not text)
        raise _bad_parameter(tag, given, visit)

    def build_from_text(self, tag: str, settings: Sequence[str]) -> AnyStrategy:
        """From the texts of repeated `--set fast=10` flags."""
        return self.build(tag, parse_settings(settings), text=True)

    def schema(self, tag: str) -> dict[str, Any]:
        """The JSON schema of the parameters: types, ranges, defaults and descriptions, in the order of the fields."""
        document = msgspec.json.schema(self.get(tag))
        definitions = dict(document.get("$defs", {}))
        name = str(document["$ref"]).rsplit("/", 1)[-1]
        schema: dict[str, Any] = definitions.pop(name)
        schema["properties"].pop("strategy", None)
        schema["required"] = [field for field in schema.get("required", ()) if field != "strategy"]
        schema["title"] = tag
        schema["description"] = self.entry(tag).says
        return schema | ({"$defs": definitions} if definitions else {})

    def proof_key(self, strategy: AnyStrategy) -> str:
        """What a result of the gate holds for: the code and all parameters."""
        parameters = msgspec.json.encode(strategy.parameters(), order="deterministic").decode()
        return f"{self.source_hash(strategy.name())}:{parameters}"

    def source_hash(self, tag: str) -> str:
        """SHA-256 (hex) over the strategy's files, its tag and onetape's version: changes when the code may have."""
        return sources.source_hash(self.get(tag))


def parse_settings(settings: Sequence[str], flag: str = "--set") -> dict[str, str]:
    """`["fast=10", "slow=30"]` as a mapping. Raises BadInput naming the flag."""
    found: dict[str, str] = {}
    for text in settings:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise BadInput(flag, text, "not of the form name=value", f"Write {flag} fast=10.")
        found[name.strip()] = value.strip()
    return found


def _takes(fields: Sequence[str]) -> str:
    return f"It takes {', '.join(fields)}." if fields else "It takes none."


def _bad_parameter(tag: str, given: Mapping[str, Any], visit: Foreign) -> BadInput:
    """A rule of the strategy's own as it is, msgspec's `Expected `int` >= 1 - at `$.fast`` in our words."""
    if isinstance(visit.error, BadInput):
        return visit.error
    if not isinstance(visit.error, msgspec.ValidationError):
        return BadInput("$.parameters", dict(given), f"{tag} fails on them: {visit.fault}", "Mend its check().")
    problem, _, place = str(visit.error).partition(" - at `$")
    path = place.rstrip("`")
    field = path.lstrip(".").split("[")[0].split(".")[0]
    problem = problem.replace("`", "")
    if problem.startswith("Expected"):
        problem = "e" + problem[1:]
    remedy = f"`onetape verify {tag}` shows its parameters with their defaults."
    return BadInput(f"$.parameters{path}", given.get(field, given), problem, remedy)


def _files(folder: Path | str | None) -> list[Path]:
    if folder is None:
        return []
    place = Path(folder).expanduser().resolve()
    if not place.is_dir():
        raise BadInput("--strategies", str(folder), "not a folder", "Name the folder that holds your strategy files.")
    if str(place) not in sys.path:
        sys.path.append(str(place))  # so that files may import their neighbours
    return sorted(file for file in place.glob("*.py") if not file.name.startswith("_"))


class _Fresh(importlib.machinery.SourceFileLoader):
    """Compiles a file each time: cached bytecode would hide a change of the same length made within the same second."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def _load_file(file: Path) -> list[Entry]:
    """The strategies that a file defines itself. Raises BadInput with file and line."""
    name = f"onetape_strategies_{hashlib.sha256(str(file).encode()).hexdigest()[:12]}_{file.stem}"
    loader = _Fresh(name, str(file))
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader, origin=str(file)))
    module.__file__ = str(file)
    sys.modules[name] = module  # annotations are looked up here
    _forget_neighbours(file)
    keeps, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nor may that of a neighbour
    with Foreign(file) as visit:
        loader.exec_module(module)
    sys.dont_write_bytecode = keeps
    if visit.fault:
        sys.modules.pop(name, None)
        raise BadInput(f"strategy file {file.name}", visit.fault, "the file could not be loaded", "Mend that line.")
    found = [Entry(kind, file, built_in=False) for kind in _kinds(module)]
    for entry in found:
        _usable(entry)
    return found


def _forget_neighbours(file: Path) -> None:
    """What a strategy imports from beside it is imported anew: its hash is that of the files as they are now."""
    beside = {str(part) for part in sources.files_of(file)} - {str(file)}
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) in beside:
            del sys.modules[name]


def _kinds(module: ModuleType) -> list[type[AnyStrategy]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, AnyStrategy) and value.__module__ == module.__name__
    ]


def _usable(entry: Entry) -> None:
    """A class whose annotations cannot be read fails when it is first used; better say so here."""
    with Foreign(entry.file) as visit:
        msgspec.json.schema(entry.kind)
    if visit.fault:
        raise BadInput(
            f"strategy file {entry.file.name}",
            visit.fault,
            f"the parameters of {entry.tag} cannot be read",
            "Use numbers, text, truth values or Literal.",
        )


def _refuse_duplicate(entries: Mapping[str, Entry], entry: Entry) -> None:
    other = entries.get(entry.tag)
    if other is not None:
        home = "onetape itself" if other.built_in else other.file.name
        raise BadInput(
            f"strategy file {entry.file.name}", entry.tag, f"a tag that exists in {home}", "Give it another tag."
        )
