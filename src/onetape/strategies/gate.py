"""The gate: what every strategy must pass before it may trade. Runs the strategy, touches nothing else.

*Causal*: whatever the market does after a candle, the rows up to it stay as they are. Futures are made up against the
strategy (`gate_futures`), and all rows before the cut are compared. *Finite memory*: with `warmup()` candles the answer
is that of the whole, wherever the data begin, so a bot that keeps only such a window decides as the backtest did. Both
are judged on columns (`gate_columns`), for all kinds alike. A failure names the candle, the column and both values.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from onetape.domain.frame import CandleFrame, Ints
from onetape.domain.units import Micros, rfc3339
from onetape.strategies import gate_hints as hints
from onetape.strategies.contract import AnyStrategy, Kind
from onetape.strategies.foreign import Foreign
from onetape.strategies.gate_columns import Answer, Columns, Frames, Unfit, answer_of, asked, engine_of, made_up, only
from onetape.strategies.gate_columns import pure_quotes as same_quotes
from onetape.strategies.gate_futures import FUTURES, UNKNOWN, with_future
from onetape.strategies.learning import Learning, scheduled
from onetape.strategies.quoting import Quoting
from onetape.strategies.sources import file_of, source_hash

CUTS: Final = 12  # each costs a run over all candles for each future
WINDOWS: Final = 300  # windows tried
STARTS: Final = (1, 2, 7, 61, 1447, 10_099)  # candles left out at the beginning: inside an hour, a day, a week
TOLERANCE: Final = 1e-9  # relative, for all columns but target, which must be exact
CONFIDENCE_TOLERANCE: Final = 1e-6  # absolute: four digits of it are kept


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One test. `evidence` is a sentence; where a row differs, which one, and both values (NaN: nothing said). `hint`
    names the usual mistake that fails like this ("" = none known)."""

    ok: bool
    evidence: str
    ts: Micros | None = None  # open time of the candle
    time: str | None = None  # the same, RFC 3339
    row: int | None = None
    column: str | None = None
    expected: float | None = None
    got: float | None = None
    hint: str = ""


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate found, for these parameters and this code, on these candles."""

    strategy: str
    parameters: dict[str, Any]
    source_hash: str
    symbol: str  # several are joined by commas
    timeframe: str
    candles: int
    warmup: int
    causal: Verdict
    finite_memory: Verdict
    kind: str = Kind.SIGNALS
    seconds: float = 0.0  # that it took

    @property
    def ok(self) -> bool:
        return self.causal.ok and self.finite_memory.ok

    @property
    def failed(self) -> Verdict | None:
        """The first test that does not hold."""
        return next((verdict for verdict in (self.causal, self.finite_memory) if not verdict.ok), None)


@dataclasses.dataclass(frozen=True)
class Difference:
    row: int
    column: str
    whole: float
    part: float


@dataclasses.dataclass(frozen=True)
class Trial:
    """A strategy, what it says of all candles, and how it is asked about others."""

    strategy: AnyStrategy
    answer: Answer
    frames: Frames
    warmup: int  # candles after which rows must not depend on where the data begin
    whole: Columns

    @classmethod
    def of(cls, strategy: AnyStrategy, answer: Answer, frames: Frames, warmup: int) -> Trial:
        """Raises Unfit when it cannot be run, or says another thing the second time."""
        whole = asked(strategy, answer, frames, "all candles")
        made = cls(strategy, answer, frames, warmup, whole)
        again = first_difference(whole, made.ask(frames, "all candles again"), len(made), exact=True)
        if again:
            raise Unfit(
                f"{again.column} of candle {made.time(again.row)}",
                again.part,
                f"another value than in the run before ({again.whole!r}) over the same candles",
                "The answer may depend on nothing but parameters and candles.",
            )
        return made

    def __len__(self) -> int:
        return len(only(self.frames))

    def time(self, row: int) -> str:
        return rfc3339(int(only(self.frames).ts[row]))

    def ask(self, frames: Frames, what: str) -> Columns:
        return asked(self.strategy, self.answer, frames, what)

    def rows(self, start: int, stop: int) -> Frames:
        return {name: frame.rows(start, stop) for name, frame in self.frames.items()}

    def after(self, cut: int, future: str, symbol: str = "") -> Difference | None:
        """The first row before the cut that another future changes."""
        part = self.ask(with_future(self.frames, cut, future, symbol), f"the first {cut} candles and a future {future}")
        return first_difference(self.whole, part, cut)

    def window(self, row: int, size: int) -> Difference | None:
        """The row, when it is another one with `size` candles up to it."""
        part = self.ask(self.rows(row - size + 1, row + 1), f"the {size} candles up to {self.time(row)}")
        return first_difference(self.whole, part, 1, at=row, within=size - 1)

    def begun_at(self, start: int, least: int) -> Difference | None:
        """The first row, `least` rows or more after a later start, that this start changes."""
        part = self.ask(self.rows(start, len(self)), f"the candles from {self.time(start)} on")
        return first_difference(self.whole, part, len(self) - start - least, at=start + least, within=least)


def check(strategy: AnyStrategy, candles: CandleFrame | Mapping[str, CandleFrame]) -> GateReport:
    """Runs both tests on the candles; a portfolio takes several frames of the same candles by symbol (of one frame
    others are made up). Never raises for a fault of the strategy: it becomes the evidence."""
    begun = time.perf_counter()
    frames = _frames(strategy, candles)
    warmup = 0
    try:
        warmup = _warmup(strategy)
        trial = Trial.of(strategy, answer_of(strategy, frames), frames, warmup)
        if isinstance(strategy, Quoting):
            same_quotes(strategy, only(frames), trial.whole)
        few = 3 if isinstance(strategy, Learning) else 1  # a model takes longer to ask than an indicator
        causal = _causal(trial, CUTS // few)
        finite = _finite_memory(trial, WINDOWS // few, causal=causal.ok)
        if isinstance(strategy, Learning) and causal.ok and finite.ok:
            causal, finite = _engine(strategy, frames, causal, finite)
    except Unfit as error:
        causal = finite = Verdict(ok=False, evidence=str(error))
    frame = only(frames)
    return GateReport(
        strategy=strategy.name(),
        parameters=strategy.parameters(),
        source_hash=source_hash(type(strategy)),
        symbol=",".join(frames) if len(frames) > 1 else frame.symbol,
        timeframe=str(frame.timeframe),
        candles=len(frame),
        warmup=warmup,
        causal=causal,
        finite_memory=finite,
        kind=str(strategy.kind),
        seconds=round(time.perf_counter() - begun, 3),
    )


def _frames(strategy: AnyStrategy, candles: CandleFrame | Mapping[str, CandleFrame]) -> Frames:
    if not isinstance(candles, CandleFrame):
        return candles
    return made_up(candles) if strategy.kind == Kind.PORTFOLIO else {candles.symbol: candles}


def _warmup(strategy: AnyStrategy) -> int:
    with Foreign(file_of(type(strategy))) as visit:
        warmup = strategy.warmup()
    if visit.fault:
        raise Unfit(f"warmup of {strategy.name()}", visit.fault, "it cannot be asked")
    if not isinstance(warmup, int) or warmup < 1:
        raise Unfit(f"warmup of {strategy.name()}", warmup, "not a whole number of candles from 1 on")
    return warmup


# --- comparing


def first_difference(
    whole: Columns, part: Columns, rows: int, *, at: int = 0, within: int = 0, exact: bool = False
) -> Difference | None:
    """The first of `rows` rows, from row `at` of the whole and row `within` of the part on, at which the two say
    different things, and the column. A column that only one of them has is a difference in every row."""
    if set(whole) != set(part):
        name = min(set(whole) ^ set(part))
        return Difference(at, name, float(name in whole), float(name in part))
    first: Difference | None = None
    for name, column in whole.items():
        a, b = column[at : at + rows], part[name][within : within + rows]
        bad = ~(_exactly(a, b) if exact or name == "target" else _nearly(a, b, name))
        if bad.any():
            row = int(np.argmax(bad))
            if first is None or at + row < first.row:
                first = Difference(at + row, name, float(a[row]), float(b[row]))
    return first


def _exactly(a: Any, b: Any) -> Any:
    return (a == b) | (np.isnan(a) & np.isnan(b))


def _nearly(a: Any, b: Any, name: str) -> Any:
    allowed = TOLERANCE * np.maximum(np.abs(a), np.abs(b)) + (CONFIDENCE_TOLERANCE if name == "confidence" else 0.0)
    return _exactly(a, b) | (np.abs(a - b) <= allowed)


def _some(rows: Ints, count: int) -> Ints:
    """At most `count` of the rows, evenly spread, first and last included."""
    if len(rows) <= count:
        return rows
    return rows[np.unique(np.linspace(0, len(rows) - 1, count).round().astype(np.int64))]


def _places(trial: Trial, least: int, count: int) -> list[int]:
    """Rows worth a look, rising: half of them where something is said and just beside it, half evenly spread."""
    n = len(trial)
    told = [trial.whole["target"]] if "target" in trial.whole else list(trial.whole.values())
    turns = [np.flatnonzero(~np.isnan(one) & (np.diff(one, prepend=np.nan) != 0)) for one in told]
    spoken = _some(np.unique(np.concatenate(turns)) if turns else np.arange(0), max(count // 6, 1))
    beside = [row + shift for row in spoken.tolist() for shift in (-1, 0, 1)]
    spread = _some(np.arange(least, n), count // 2).tolist()
    return sorted({row for row in (*beside, *spread) if least <= row < n})


# --- no row knows a later candle


def _causal(trial: Trial, count: int) -> Verdict:
    n, names = len(trial), list(trial.frames)
    cuts = [row + 1 for row in _places(trial, min(trial.warmup, n) - 1, count)]
    for i, cut in enumerate(cuts):
        symbol = names[i % len(names)] if len(names) > 1 else ""
        for future in FUTURES:
            found = _changed(trial, cut, future, symbol)
            if found is not None:
                return _ahead(trial, found, cut, future)
    return Verdict(
        ok=True,
        evidence=f"{len(FUTURES)} other futures after each of {len(cuts)} candles, of {n}, change no row before them.",
    )


def _changed(trial: Trial, cut: int, future: str, symbol: str) -> Difference | None:
    """A made-up future that the strategy cannot bear proves nothing; that the candles end must be borne."""
    try:
        return trial.after(cut, future, symbol)
    except Unfit:
        if future == UNKNOWN:
            raise
        return None


def _ahead(trial: Trial, found: Difference, cut: int, future: str) -> Verdict:
    def changed(at: int, other: str) -> int:
        difference = trial.after(at, other)
        return at if difference is None else difference.row

    if future == UNKNOWN:
        parts = f"with the first {cut} candles it is {_say(found.part)}, but with all {len(trial)}"
    else:
        parts = f"with a future {future} from {trial.time(cut)} on it is {_say(found.part)}, but with what came"
    return _blame(
        trial,
        found,
        expected=found.part,
        got=found.whole,
        sentence=f"{parts} it is {_say(found.whole)}: the row depends on later candles",
        hint=hints.look_ahead(changed, len(trial), cut),
    )


# --- the same with the warm-up alone


def _finite_memory(trial: Trial, count: int, *, causal: bool = True) -> Verdict:
    n, warmup = len(trial), trial.warmup
    if warmup >= n:
        return Verdict(
            ok=False,
            evidence=f"The warm-up is {warmup} candles and the data has only {n}: it cannot be tested. "
            "Give more candles.",
        )
    rows = _places(trial, warmup - 1, count)
    for row in rows:
        found = trial.window(row, warmup)
        if found is not None:
            return _forgot(trial, found, f"the last {warmup} (the warm-up)", causal)
    starts = [start for start in STARTS if start + warmup < n]
    for start in starts:
        found = trial.begun_at(start, warmup - 1)
        if found is not None:
            told = f"those from {trial.time(start)} on ({found.row - start + 1} up to it, the warm-up is {warmup})"
            return _forgot(trial, found, told, causal)
    return Verdict(
        ok=True,
        evidence=f"The last row of a window of {warmup} candles is that of the whole, at {len(rows)} places, and "
        f"all rows after the warm-up are, for {len(starts)} later starts.",
    )


def _forgot(trial: Trial, found: Difference, told: str, causal: bool) -> Verdict:
    hint = ""
    if not causal:
        advice = "the row needs candles outside its window"
    elif _cumulative(trial):
        advice, hint = "it depends on where the data begin, and no warm-up is long enough", hints.CUMULATIVE
    else:
        advice, hint = _enough(trial, found.row), hints.SHORT
    return _blame(
        trial,
        found,
        expected=found.whole,
        got=found.part,
        sentence=f"with all candles it is {_say(found.whole)}, but with {told} it is {_say(found.part)}: {advice}",
        hint=hint,
    )


def _cumulative(trial: Trial) -> bool:
    """Whether rows still differ when a quarter of the data after a start, and many warm-ups, lie behind them."""
    n = len(trial)
    for start in np.linspace(1, n // 2, 12).astype(int).tolist():
        least = max((n - start) // 4, 8 * trial.warmup)
        if start + least < n and trial.begun_at(start, least) is not None:
            return True
    return False


def _enough(trial: Trial, row: int) -> str:
    """What is wrong with the warm-up; a longer window that gives the right row is looked for by doubling."""
    size = 2 * trial.warmup
    while size <= row + 1:
        if trial.window(row, size) is None:
            return f"the warm-up is too short ({size} candles are enough here)"
        size *= 2
    return "the warm-up is too short"


# --- the fits of a learning strategy


def _engine(strategy: Learning, frames: Frames, causal: Verdict, finite: Verdict) -> tuple[Verdict, Verdict]:
    """The same of the signals that the engine makes, fits and all: few runs over few fits, for these cost the time. A
    model of all there is depends on where the data begin, knowingly: of such ones only the causal half is asked."""
    refit, history = scheduled(strategy), strategy.history()
    latest = {name: frame.tail(history + 2 * refit.every) for name, frame in frames.items()}
    trial = Trial.of(strategy, engine_of(strategy), latest, history)
    n = len(trial)
    if trial.warmup >= n:
        needs = f"The first fit and the warm-up need {trial.warmup} candles and the data has only {n}: it cannot be "
        return causal, Verdict(ok=False, evidence=f"{needs}tested. Give more candles.")
    cut = (trial.warmup + n) // 2
    for future in (UNKNOWN, hints.SHUFFLED):
        found = _changed(trial, cut, future, "")
        if found is not None:
            return _ahead(trial, found, cut, future), finite
    start = min(refit.every // 2 + 1, n - trial.warmup)
    found = trial.begun_at(start, trial.warmup - 1) if refit.window else None
    if found is not None:
        told = f"those from {trial.time(start)} on, from which a model is fitted again"
        return causal, _forgot(trial, found, told, causal=True)
    return causal, finite


def _say(value: float) -> str:
    return "nothing" if np.isnan(value) else f"{value!r}"


def _blame(trial: Trial, found: Difference, *, expected: float, got: float, sentence: str, hint: str) -> Verdict:
    guess = f" Most likely: {hint}." if hint else ""
    return Verdict(
        ok=False,
        evidence=f"Candle {trial.time(found.row)} (row {found.row}), column {found.column}: {sentence}.{guess}",
        ts=int(only(trial.frames).ts[found.row]),
        time=trial.time(found.row),
        row=found.row,
        column=found.column,
        expected=expected,
        got=got,
        hint=hint,
    )
