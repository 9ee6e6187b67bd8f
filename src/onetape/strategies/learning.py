"""Strategies that learn: a model is fitted on the past, used for a while, and fitted again.

The engine cuts the time, not the author: `fit` is given candles that lie wholly before the ones its model is used on,
less the embargo, and `signals` is judged only on candles after them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.signals import OPTIONAL, Signals
from onetape.domain.units import rfc3339
from onetape.strategies.contract import AnyStrategy, Kind, Market, checked
from onetape.strategies.foreign import Foreign
from onetape.strategies.sources import file_of


class Refit(NamedTuple):
    """When a model is fitted, in candles: again every `every`, at times that do not depend on where the data begin,
    from the first of them on that has `first` candles to learn from.

    `window` is the most that a fit sees (0 = all there is). `embargo` candles before the model's first use are kept
    from it: as many as its labels look ahead.
    """

    first: int
    every: int
    window: int = 0
    embargo: int = 0


class Learning(AnyStrategy, frozen=True):
    """Answers signals by a model. Derive from it with `frozen=True, tag="its_name"`."""

    kind: ClassVar[Kind] = Kind.LEARNING

    def history(self) -> int:
        """What the signals need, and behind it a fit that is as old as it may get."""
        refit = scheduled(self)
        return self.warmup() + refit.every + refit.embargo + max(refit.first, refit.window)

    def answer(self, market: Market) -> Signals:
        return learn(self, market).signals

    def schedule(self) -> Refit:
        """When the model is fitted."""
        raise BadInput(f"schedule of {self.name()}", None, "not written", "Answer Refit(first=..., every=...).")

    def fit(self, past: Market) -> Any:
        """A model of the candles that are given. The same candles must give the same model: fix every seed."""
        raise BadInput(f"fit of {self.name()}", len(past), "not written", "Answer the model.")

    def signals(self, market: Market, model: Any) -> Signals:
        """One row per candle of the market, each made of the model, that candle and older ones only."""
        raise BadInput(f"signals of {self.name()}", (len(market), model), "not written", "Answer Signals.holding(...).")


class Fit(NamedTuple):
    """One fit, in rows of the market: it saw [start, stop), and its model was used on [use, end)."""

    start: int
    stop: int
    use: int
    end: int


class Learned(NamedTuple):
    """The signals of a learning strategy, and the fits that they are made by."""

    signals: Signals
    fits: tuple[Fit, ...]


def scheduled(strategy: Learning) -> Refit:
    """The schedule, proved to be one. Raises BadInput."""
    refit = strategy.schedule()
    place = f"schedule of {strategy.name()}"
    if not isinstance(refit, Refit):
        raise BadInput(place, refit, "not a Refit", "Answer Refit(first=..., every=...).")
    for name, value in refit._asdict().items():
        least = 1 if name in ("first", "every") else 0
        if not isinstance(value, int) or value < least:
            raise BadInput(f"{place}: {name}", value, f"not a whole number of candles from {least} on")
    if 0 < refit.window < refit.first:
        raise BadInput(f"{place}: first", refit.first, f"more than the window, which is {refit.window}")
    return refit


def fits_of(frame: CandleFrame, refit: Refit) -> tuple[Fit, ...]:
    """The fits over a frame, oldest first. Their uses lie side by side up to the last candle."""
    turn = frame.ts // (refit.every * frame.timeframe.micros)
    turns = np.flatnonzero(np.diff(turn)) + 1
    turns = turns[turns - refit.embargo >= refit.first]
    ends = np.append(turns[1:], len(frame))
    stops = turns - refit.embargo
    starts = np.maximum(stops - refit.window, 0) if refit.window else np.zeros_like(stops)
    rows = np.column_stack((starts, stops, turns, ends[: len(turns)])).tolist()
    return tuple(Fit(*row) for row in rows)


def learn(strategy: Learning, market: Market) -> Learned:
    """Fits and asks, stretch by stretch: a model is made of candles before its stretch, and answers for the stretch
    from the candles of it and the warm-up before it. Rows before the first fit say nothing. Raises BadInput naming the
    strategy and the candles on which it fails."""
    frame, fits = market.frame, fits_of(market.frame, scheduled(strategy))
    parts = []
    for fit in fits:
        model = fitted(strategy, frame.rows(fit.start, fit.stop))
        begin = max(fit.use - strategy.warmup() + 1, 0)
        parts.append(told(strategy, frame.rows(begin, fit.end), model, fit.use - begin))
    return Learned(joined(parts, fits[0].use if fits else len(frame)), fits)


def fitted(strategy: Learning, past: CandleFrame) -> Any:
    """A model of these candles and no others."""
    with Foreign(file_of(type(strategy))) as visit:
        return strategy.fit(Market(past))
    raise _failure(strategy, "fit", past, visit)


def told(strategy: Learning, candles: CandleFrame, model: Any, first: int) -> Signals:
    """What the strategy says by a model, from row `first` of the candles on."""
    market = Market(candles)
    with Foreign(file_of(type(strategy))) as visit:
        signals = checked(strategy, strategy.signals(market, model), market)
        columns = {name: getattr(signals, name)[first:] for name in ("target", "confidence", *OPTIONAL, "label")}
        return dataclasses.replace(signals, **columns)
    raise _failure(strategy, "signals", candles, visit)


def _failure(strategy: Learning, verb: str, candles: CandleFrame, visit: Foreign) -> BadInput:
    if isinstance(visit.error, BadInput):
        return visit.error
    span = f"{len(candles)} candles from {rfc3339(int(candles.ts[0]))} to {rfc3339(int(candles.close_ts[-1]))}"
    return BadInput(f"{verb} of {strategy.name()} on {span}", visit.fault, "it fails", "Mend that line.")


def joined(parts: Sequence[Signals], silent: int) -> Signals:
    """Signals one after the other, behind `silent` rows that say nothing. A column that any of them has is there."""
    columns: dict[str, Any] = {}
    for name in ("target", "confidence", *OPTIONAL):
        missing = 0.0 if name == "confidence" else np.nan
        if name in OPTIONAL and not any(len(getattr(part, name)) for part in parts):
            continue
        found = [np.full(silent, missing)]
        for part in parts:
            column = getattr(part, name)
            found.append(column if len(column) else np.full(len(part), missing))
        columns[name] = np.concatenate(found)
    return Signals(**columns, **names_of(parts, silent))


def names_of(parts: Sequence[Signals], silent: int) -> dict[str, Any]:
    """The names of the rules behind the rows, those of all parts in one list."""
    if not any(len(part.label) for part in parts):
        return {"tag": parts[-1].tag if parts else ""}
    labels: dict[str, int] = {}
    codes = [np.full(silent, -1, np.int64)]
    for part in parts:
        number = np.array([*(labels.setdefault(name, len(labels)) for name in part.labels), -1])
        own = labels.setdefault(part.tag, len(labels)) if part.tag else -1
        codes.append(number[part.label] if len(part.label) else np.full(len(part), own, np.int64))
    return {"labels": tuple(labels), "label": np.concatenate(codes)}
