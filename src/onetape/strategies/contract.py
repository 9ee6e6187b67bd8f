"""What a strategy is: a frozen struct whose fields are its parameters, and a pure function from candles to signals.

One declaration gives the check of the JSON, the form, the search space and the JSON schema:

    class EmaCross(Strategy, frozen=True, tag="ema_cross"):
        fast: Period = 12
        slow: Period = 26
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, ClassVar

import msgspec

from onetape.core.signals import RANGES, first_outside
from onetape.domain.errors import BadInput
from onetape.domain.signals import Signals
from onetape.strategies.market import Higher, Market

__all__ = [
    "AnyStrategy", "Factor", "Higher", "Kind", "Level", "Market", "Multiple", "Period", "Rate", "Signals", "Strategy",
    "about",
]  # fmt: skip

Period = Annotated[int, msgspec.Meta(ge=1, le=5000, description="candles")]
Multiple = Annotated[int, msgspec.Meta(ge=2, le=1440, description="candles that make one longer candle")]
Rate = Annotated[float, msgspec.Meta(ge=0.0, le=1.0, description="a rate: 0.02 is 2 %")]
Level = Annotated[float, msgspec.Meta(ge=0.0, le=100.0, description="0 to 100")]
Factor = Annotated[float, msgspec.Meta(gt=0.0, le=100.0, description="a factor")]


def about(text: str) -> msgspec.Meta:
    """A description for the form: `fast: Annotated[Period, about("candles of the fast mean")] = 10`."""
    return msgspec.Meta(description=text)


class Kind(enum.StrEnum):
    """What a strategy answers, and so how it is run."""

    SIGNALS = "signals"  # wanted exposures, one row a candle
    LEARNING = "learning"  # the same, from a model that is fitted on the past again and again
    QUOTING = "quoting"  # the orders that rest
    PORTFOLIO = "portfolio"  # target weights of several instruments


class AnyStrategy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="strategy"):
    """What strategies of all kinds share: fields are parameters with defaults and ranges.

    As JSON: {"strategy": "ema_cross", "fast": 12, "slow": 26}.
    """

    kind: ClassVar[Kind]

    def warmup(self) -> int:
        """How many candles the answer at the last one needs at most. `onetape verify` proves that they are enough."""
        raise BadInput(f"warmup of {self.name()}", None, "not written", "Answer a number of candles.")

    def history(self) -> int:
        """How many candles have to lie behind the first answer: the warm-up, and what a kind needs beside it."""
        return self.warmup()

    def answer(self, market: Market) -> Signals:  # noqa: ARG002
        """The signals, of whichever kind that has some. Raises BadInput where a kind has none."""
        raise BadInput("strategy", self.name(), f"one that answers {self.kind}", "Here signals are needed.")

    def check(self) -> None:
        """Override it for rules between parameters; call `self.require` in it."""

    def require(self, holds: bool, field: str, problem: str, remedy: str = "") -> None:
        """Raises BadInput naming the parameter, its value and the problem unless `holds`."""
        if not holds:
            raise BadInput(f"$.parameters.{field}", getattr(self, field), problem, remedy)

    def __post_init__(self) -> None:
        self.check()

    @classmethod
    def name(cls) -> str:
        """The tag."""
        return str(cls.__struct_config__.tag)

    def parameters(self) -> dict[str, Any]:
        """The parameters as plain JSON values, in the order of the fields."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        plain.pop("strategy", None)
        return plain


class Strategy(AnyStrategy, frozen=True):
    """Answers signals. Derive from it with `frozen=True, tag="its_name"`."""

    kind: ClassVar[Kind] = Kind.SIGNALS

    def signals(self, market: Market) -> Signals:
        """One row per candle of the market, each made of that candle and older ones only."""
        raise BadInput(f"signals of {self.name()}", len(market), "not written", "Answer Signals.holding(...).")

    def answer(self, market: Market) -> Signals:
        return self.signals(market)


def signalling(strategy: AnyStrategy) -> Strategy:
    """The strategy, when it answers signals by itself. Raises BadInput where only such ones can run."""
    if not isinstance(strategy, Strategy):
        remedy = "It can be backtested; bots run strategies that answer signals."
        raise BadInput("$.strategy", strategy.name(), f"a {strategy.kind} strategy, which no bot can run", remedy)
    return strategy


def evaluate(strategy: AnyStrategy, market: Market) -> Signals:
    """The signals of a strategy that has some, whatever its kind, proved to be signals. Raises BadInput naming
    strategy, column and row."""
    return checked(strategy, strategy.answer(market), market)


def checked(strategy: AnyStrategy, signals: Signals, market: Market) -> Signals:
    """The signals themselves, when they are signals for this market. Raises BadInput as `evaluate` does."""
    if not isinstance(signals, Signals):
        raise BadInput(strategy.name(), type(signals).__name__, "not what signals() must return", "Return Signals.")
    if len(signals) != len(market):
        raise BadInput(f"{strategy.name()}: signals", len(signals), f"not one row for each of {len(market)} candles")
    for name, low, high in RANGES:
        column = getattr(signals, name)
        row = first_outside(column, low, high, name != "confidence")
        if row >= 0:
            raise BadInput(
                f"{strategy.name()}: signals.{name}[{row}]", float(column[row]), f"outside [{low:g}, {high:g}]",
                "A strategy may only return numbers in that range.",
            )  # fmt: skip
    return signals
