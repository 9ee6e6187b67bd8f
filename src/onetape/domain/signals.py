"""What a strategy says: one row per candle, known when that candle closes."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats, Ints

NONE: Final[Floats] = np.empty(0)
NONE.flags.writeable = False


UNNAMED: Final[Ints] = np.empty(0, np.int64)
UNNAMED.flags.writeable = False


def _none() -> Floats:
    return NONE


def _unnamed() -> Ints:
    return UNNAMED


OPTIONAL: Final = ("stop", "take", "trail", "limit")
CONFIDENCE_DIGITS: Final = 4  # of a row that is acted on or stored, so that it compares equal however it was computed


def _floats(name: str, values: ArrayLike | None, n: int) -> Floats:
    if values is None:
        return NONE
    if np.ndim(values) == 0:
        return np.full(n, values, np.float64)
    array = np.ascontiguousarray(values, np.float64)
    if array.shape != (n,):
        raise BadInput(f"signals.{name}", array.shape, f"not one number per candle, which would be ({n},)")
    return array


def _named(tag: str | ArrayLike, target: Floats) -> dict[str, Any]:
    """One tag for all rows, or one name per row: then only rows that say something keep theirs."""
    if isinstance(tag, str):
        return {"tag": tag}
    names = np.asarray(tag)
    if names.shape != target.shape:
        raise BadInput("signals.tag", names.shape, f"not one name per candle, which would be {target.shape}")
    rows = np.flatnonzero(target == target)
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(str(name), len(numbers)) if name else -1 for name in names[rows].tolist()]
    label = np.full(len(target), -1, np.int64)
    label[rows] = codes
    return {"labels": tuple(numbers), "label": label}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Signals:
    """One row per candle; all columns float64.

    `target` is the wanted exposure in [-1, 1] (NaN = keep what there is), `confidence` lies in [0, 1]. `stop`, `take`
    and `trail` are rates from the fill price (0.02 = 2 %), `limit` a price for a resting entry; NaN or an empty column
    (length 0) = none. `tag` names the rule, for reports; where rules differ from row to row `label` is the index of a
    row's name in `labels` (int64, -1 = none). Build with `holding` or `from_entries`.
    """

    target: Floats
    confidence: Floats
    stop: Floats = dataclasses.field(default_factory=_none)
    take: Floats = dataclasses.field(default_factory=_none)
    trail: Floats = dataclasses.field(default_factory=_none)
    limit: Floats = dataclasses.field(default_factory=_none)
    tag: str = ""
    labels: tuple[str, ...] = ()
    label: Ints = dataclasses.field(default_factory=_unnamed)

    @classmethod
    def holding(
        cls,
        target: ArrayLike,
        confidence: ArrayLike = 1.0,
        *,
        stop: ArrayLike | None = None,
        take: ArrayLike | None = None,
        trail: ArrayLike | None = None,
        limit: ArrayLike | None = None,
        tag: str | ArrayLike = "",
    ) -> Signals:
        """From wanted exposures. `tag` is one name, or an array with one for each candle ("" = none). The ranges are
        checked where signals are used (strategies.contract.evaluate)."""
        wanted = np.ascontiguousarray(target, np.float64)
        n = len(wanted)
        return cls(
            target=wanted,
            confidence=_floats("confidence", confidence, n),
            stop=_floats("stop", stop, n),
            take=_floats("take", take, n),
            trail=_floats("trail", trail, n),
            limit=_floats("limit", limit, n),
            **_named(tag, wanted),
        )

    @classmethod
    def from_entries(
        cls,
        enter_long: ArrayLike,
        exit_long: ArrayLike,
        enter_short: ArrayLike | None = None,
        exit_short: ArrayLike | None = None,
        confidence: ArrayLike = 1.0,
        **columns: ArrayLike | None,
    ) -> Signals:
        """From truth values per candle: where nothing is said the position is kept; an entry beats an exit.

        An exit closes whichever side is held. The same candle entering long and short is refused.
        """
        long_in = np.ascontiguousarray(enter_long, np.bool_)
        n = len(long_in)
        none = np.zeros(n, np.bool_)
        long_out = np.ascontiguousarray(exit_long, np.bool_)
        short_in = none if enter_short is None else np.ascontiguousarray(enter_short, np.bool_)
        short_out = none if exit_short is None else np.ascontiguousarray(exit_short, np.bool_)
        if (both := np.flatnonzero(long_in & short_in)).size:
            raise BadInput(f"signals row {both[0]}", "enter_long and enter_short", "a candle cannot enter both sides")
        target = np.full(n, np.nan)
        target[long_out | short_out] = 0.0
        target[long_in] = 1.0
        target[short_in] = -1.0
        return cls.holding(target, confidence, **columns)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.target)

    def column(self, name: str) -> Floats:
        """A column at full length: an absent one as NaN."""
        values: Floats = getattr(self, name)
        return values if len(values) or not len(self) else np.full(len(self), np.nan)

    def row(self, i: int) -> SignalRow:
        return SignalRow(
            target=float(self.target[i]),
            confidence=round(float(self.confidence[i]), CONFIDENCE_DIGITS),
            **{name: float(column[i]) if len(column := getattr(self, name)) else np.nan for name in OPTIONAL},
            tag=self.tag_of(i),
        )

    def tag_of(self, i: int) -> str:
        """The name of the rule behind row i."""
        if not len(self.label):
            return self.tag
        code = int(self.label[i])
        return self.labels[code] if code >= 0 else self.tag


@dataclasses.dataclass(frozen=True, slots=True)
class SignalRow:
    """One row of Signals as plain numbers; NaN = none."""

    target: float
    confidence: float
    stop: float
    take: float
    trail: float
    limit: float
    tag: str = ""

    @property
    def says_something(self) -> bool:
        return self.target == self.target
