"""A stored run made again: from the same question, on the same stretch of the same series, and compared bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from onetape.backtest.candles import Chosen
from onetape.backtest.trades import fill_times, thinned
from onetape.domain.frame import CandleFrame
from onetape.domain.results import Result
from onetape.domain.units import Timeframe
from onetape.ports import CandleStore, Coverage, RunView, StoredRun

PARTS: Final = {
    "strategy": "the strategy's code",
    "core": "the code of the core",
    "engine": "the engine",
    "data": "the candles",
    "spec": "the question",
    "versions": "the libraries",
}


class Changed(msgspec.Struct, frozen=True):
    """One thing that a run depends on and that is no more what it was."""

    part: str
    what: str
    before: Any
    now: Any

    def __str__(self) -> str:
        if self.part == "versions":
            names = [name for name in self.now | self.before if self.now.get(name) != self.before.get(name)]
            told = (f"{name} {self.before.get(name, '-')} then, {self.now.get(name, '-')} now" for name in names)
            return f"{self.what} changed: {', '.join(told)}"
        return f"{self.what} changed: {short(self.before)} then, {short(self.now)} now"


class Rerun(msgspec.Struct, frozen=True, kw_only=True):
    """What came out. `same` when every fill, every equity and every figure has the same bits; `figures` are those that
    have not: name, then, now. `ran` is False when it was not run, because the strategy is another one. `notes` are
    sentences."""

    run_id: str
    same: bool
    ran: bool = True
    changed: list[Changed] = []
    figures: list[tuple[str, Any, Any]] = []
    notes: list[str] = []

    def sentence(self) -> str:
        if not self.ran:
            return "It was not run again: it is another strategy now, and has its own gate to pass."
        if self.same:
            return f"{self.run_id} made again: every fill, every equity and every figure has the same bits."
        return f"{self.run_id} made again: the result is not the same."


class AsThen:
    """Candles of the series that a run used; others that are stored by now are not seen."""

    def __init__(self, candles: CandleStore, timeframes: set[str]) -> None:
        self._candles, self._timeframes = candles, timeframes

    async def coverage(self, exchange: str | None = None, symbol: str | None = None) -> list[Coverage]:
        found = await self._candles.coverage(exchange, symbol)
        return [one for one in found if one.timeframe in self._timeframes]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._candles, name)


def as_then(candles: CandleStore, view: RunView) -> Any:
    """A CandleStore that has the run's series only."""
    return AsThen(candles, {view.spec.timeframe, str(view.manifest.get("fill_timeframe", view.spec.timeframe))})


def warmup_of(view: RunView, least: int) -> int:
    """The candles that were read before the period: several strategies that run together take the most of them."""
    span, spec = view.manifest.get("span"), view.spec
    if not span or spec.start_ts is None:
        return least
    longest = Timeframe.parse(spec.timeframe).longest
    return max(least, -(-(spec.start_ts - int(span["signals"][0])) // longest))


def cut_as_then(chosen: Chosen, view: RunView) -> Chosen:
    """The stretch that the run saw, of candles that may reach further."""
    span = view.manifest.get("span")
    if not span:
        return chosen
    frame, fills = (
        between(one, *map(int, span[name])) for one, name in zip(chosen[:2], ("signals", "fills"), strict=True)
    )
    return Chosen(
        frame, frame if chosen.frame is chosen.fills and span["signals"] == span["fills"] else fills, chosen.recorded
    )


def between(frame: CandleFrame, first_ts: int, last_ts: int) -> CandleFrame:
    """The candles that opened from `first_ts` to `last_ts`, both included."""
    return frame.between(first_ts, last_ts + 1)


def changes(before: dict[str, Any], now: dict[str, Any]) -> list[Changed]:
    """Which of the parts of two manifests differ."""
    return [
        Changed(part, what, before.get(part, ""), now.get(part, ""))
        for part, what in PARTS.items()
        if before.get(part, "") != now.get(part, "")
    ]


def compared(stored: StoredRun, now: Result, notes: Sequence[str] = ()) -> Rerun:
    """Fills, curve and figures of the run as it was stored against those of today. The block on luck is left out: it
    counts the trials made since."""
    view = stored.view
    ts, equity = thinned(now.tape.close_ts, now.tape.equity)
    before = {name: value for name, value in view.metrics.items() if name != "luck"}
    figures = [(name, was, now.metrics.get(name)) for name, was in before.items() if was != now.metrics.get(name)]
    curves = (
        (stored.ts, ts),
        (stored.equity, equity),
        (stored.fills, now.tape.fills),
        (stored.fill_ts, fill_times(now.tape)),
    )
    same = not figures and all(equal(was, found) for was, found in curves)
    changed = changes(view.manifest, now.manifest)
    return Rerun(run_id=view.run_id, same=same, changed=changed, figures=figures, notes=list(notes))


def equal(a: Any, b: Any) -> bool:
    """To the last bit, NaN included."""
    return a.shape == b.shape and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def short(value: Any) -> str:
    """A hash as people compare it."""
    text = "+".join(part[:12] for part in str(value).split("+"))
    return text or "unknown"
