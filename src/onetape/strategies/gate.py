"""The gate: what every strategy must pass before it may trade. Runs the strategy, touches nothing else.

*Causal*: the signals of the first k candles are the first k signals, so no row knows a later candle. *Finite memory*:
the last signal of a window of `warmup()` candles is that row of the whole, so a bot that keeps only such a window
decides as the backtest did. A failure names the candle, the column and both values.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import msgspec
import numpy as np

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Ints
from onetape.domain.signals import OPTIONAL, Signals
from onetape.domain.units import Micros, rfc3339
from onetape.strategies.contract import Strategy, evaluate
from onetape.strategies.foreign import Foreign
from onetape.strategies.market import Market
from onetape.strategies.sources import file_of, source_hash

COLUMNS: Final = ("target", "confidence", *OPTIONAL)
CUTS: Final = 60  # prefixes tried; each costs a run over it
WINDOWS: Final = 400  # windows tried
TOLERANCE: Final = 1e-9  # relative, for all columns but target, which must be exact
CONFIDENCE_TOLERANCE: Final = 1e-6  # absolute: four digits of it are kept


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One test. `evidence` is a sentence; where a row differs, which one, and both values (NaN: nothing said)."""

    ok: bool
    evidence: str
    ts: Micros | None = None  # open time of the candle
    time: str | None = None  # the same, RFC 3339
    row: int | None = None
    column: str | None = None
    expected: float | None = None
    got: float | None = None


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate found, for these parameters and this code, on these candles."""

    strategy: str
    parameters: dict[str, Any]
    source_hash: str
    symbol: str
    timeframe: str
    candles: int
    warmup: int
    causal: Verdict
    finite_memory: Verdict

    @property
    def ok(self) -> bool:
        return self.causal.ok and self.finite_memory.ok


@dataclasses.dataclass(frozen=True)
class Difference:
    row: int
    column: str
    whole: float
    part: float


class Unfit(BadInput):
    """The strategy cannot be run, or what it gives is no set of signals."""


def check(strategy: Strategy, frame: CandleFrame) -> GateReport:
    """Runs both tests on the candles of `frame`. Never raises for a fault of the strategy: it becomes the evidence."""
    warmup = 0
    try:
        warmup = _warmup(strategy)
        whole = _run(strategy, frame, "all candles")
        _same_twice(strategy, frame, whole)
        causal = _causal(strategy, frame, whole, warmup)
        finite = _finite_memory(strategy, frame, whole, warmup, causal=causal.ok)
    except Unfit as error:
        causal = finite = Verdict(ok=False, evidence=str(error))
    return GateReport(
        strategy=strategy.name(),
        parameters=strategy.parameters(),
        source_hash=source_hash(type(strategy)),
        symbol=frame.symbol,
        timeframe=str(frame.timeframe),
        candles=len(frame),
        warmup=warmup,
        causal=causal,
        finite_memory=finite,
    )


def _warmup(strategy: Strategy) -> int:
    with Foreign(file_of(type(strategy))) as visit:
        warmup = strategy.warmup()
    if visit.fault:
        raise Unfit(f"warmup of {strategy.name()}", visit.fault, "it cannot be asked")
    if not isinstance(warmup, int) or warmup < 1:
        raise Unfit(f"warmup of {strategy.name()}", warmup, "not a whole number of candles from 1 on")
    return warmup


def _run(strategy: Strategy, frame: CandleFrame, what: str) -> Signals:
    """The signals for a frame, checked. Raises Unfit with a sentence."""
    place = f"{strategy.name()} on {what}"
    with Foreign(file_of(type(strategy))) as visit:
        signals = evaluate(strategy, Market(frame))
    if isinstance(visit.error, BadInput):
        raise Unfit(place, visit.error.value, f"the strategy fails: {str(visit.error).rstrip('.')}")
    if visit.fault:
        raise Unfit(place, visit.fault, "the strategy fails", "Candles are read-only; copy a column to change it.")
    for name in COLUMNS:
        column = getattr(signals, name)
        if np.shape(column) != (len(frame),) and (len(column) or name not in OPTIONAL):
            raise Unfit(f"{place}, {name}", np.shape(column), f"not one number for each of the {len(frame)} candles")
    return signals


def _same_twice(strategy: Strategy, frame: CandleFrame, whole: Signals) -> None:
    again = _run(strategy, frame, "all candles again")
    found = _first_difference(whole, again, len(frame), exact=True)
    if found:
        raise Unfit(
            f"{found.column} of candle {rfc3339(int(frame.ts[found.row]))}",
            found.part,
            f"another value than in the run before ({found.whole!r}) over the same candles",
            "Signals may depend on nothing but parameters and candles.",
        )


def _first_difference(whole: Signals, part: Signals, rows: int, *, exact: bool = False) -> Difference | None:
    """The first row below `rows` at which the two say different things, and the column."""
    first: Difference | None = None
    for name in COLUMNS:
        left, right = getattr(whole, name), getattr(part, name)
        if not len(left) and not len(right):
            continue
        a, b = whole.column(name)[:rows], part.column(name)[:rows]
        bad = ~(_exactly(a, b) if exact or name == "target" else _nearly(a, b, name))
        if bad.any():
            row = int(np.argmax(bad))
            if first is None or row < first.row:
                first = Difference(row, name, float(a[row]), float(b[row]))
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


def _places(whole: Signals, least: int, count: int) -> list[int]:
    """Rows worth a look, rising: half of them where something is said and just beside it, half evenly spread."""
    n = len(whole)
    speaks = np.flatnonzero(~np.isnan(whole.target))
    turns = np.flatnonzero(np.diff(whole.target, prepend=np.nan) != 0)
    spoken = _some(np.union1d(speaks[np.isin(speaks, turns)], speaks[:1]), count // 6)
    beside = [row + shift for row in spoken.tolist() for shift in (-1, 0, 1)]
    spread = _some(np.arange(least, n), count // 2).tolist()
    return sorted({row for row in (*beside, *spread) if least <= row < n})


def _causal(strategy: Strategy, frame: CandleFrame, whole: Signals, warmup: int) -> Verdict:
    cuts = [row + 1 for row in _places(whole, min(warmup, len(frame)) - 1, CUTS)]
    good = 0
    for k in cuts:
        found = _prefix_difference(strategy, frame, whole, k)
        if found is None:
            good = k
            continue
        k, found = _earliest(strategy, frame, whole, (good, k), found)
        return _blame(
            frame,
            found,
            expected=found.part,
            got=found.whole,
            sentence=f"with the first {k} candles it is {_say(found.part)}, but with all {len(frame)} it is "
            f"{_say(found.whole)}: the row depends on later candles",
        )
    return Verdict(
        ok=True,
        evidence=f"The signals of the first k candles are the first k signals, for {len(cuts)} values of k "
        f"up to {len(frame)}.",
    )


def _prefix_difference(strategy: Strategy, frame: CandleFrame, whole: Signals, k: int) -> Difference | None:
    return _first_difference(whole, _run(strategy, frame.rows(0, k), f"the first {k} candles"), k)


def _earliest(
    strategy: Strategy, frame: CandleFrame, whole: Signals, between: tuple[int, int], found: Difference
) -> tuple[int, Difference]:
    """Halves the way from a cut that held to the one that did not, down to two neighbours."""
    low, high = between
    while high - low > 1 and low:
        middle = (low + high) // 2
        other = _prefix_difference(strategy, frame, whole, middle)
        if other is None:
            low = middle
        else:
            high, found = middle, other
    return high, found


def _finite_memory(
    strategy: Strategy, frame: CandleFrame, whole: Signals, warmup: int, *, causal: bool = True
) -> Verdict:
    if warmup >= len(frame):
        return Verdict(
            ok=False,
            evidence=f"The warm-up is {warmup} candles and the data has only {len(frame)}: it cannot be tested. "
            "Give more candles.",
        )
    rows = _places(whole, warmup - 1, WINDOWS)
    for row in rows:
        found = _window_difference(strategy, frame, whole, row, warmup)
        if found is None:
            continue
        advice = _enough(strategy, frame, whole, row, warmup) if causal else "the row needs candles outside its window"
        return _blame(
            frame,
            found,
            expected=found.whole,
            got=found.part,
            sentence=f"with all candles it is {_say(found.whole)}, but with the last {warmup} (the warm-up) it is "
            f"{_say(found.part)}: {advice}",
        )
    return Verdict(
        ok=True,
        evidence=f"The last signal of a window of {warmup} candles is that of the whole, at {len(rows)} places.",
    )


def _window_difference(
    strategy: Strategy, frame: CandleFrame, whole: Signals, row: int, size: int
) -> Difference | None:
    window = frame.rows(row - size + 1, row + 1)
    part = _run(strategy, window, f"the {size} candles up to {rfc3339(int(frame.ts[row]))}")
    found = _first_difference(_row_of(whole, row), _row_of(part, size - 1), 1)
    return None if found is None else dataclasses.replace(found, row=row)


def _enough(strategy: Strategy, frame: CandleFrame, whole: Signals, row: int, warmup: int) -> str:
    """What is wrong with the warm-up; a longer window that gives the right row is looked for by doubling."""
    size = 2 * warmup
    while size <= row + 1:
        if _window_difference(strategy, frame, whole, row, size) is None:
            return f"the warm-up is too short ({size} candles are enough here)"
        size *= 2
    return "the warm-up is too short"


def _row_of(signals: Signals, row: int) -> Signals:
    columns: dict[str, Any] = {name: signals.column(name)[row : row + 1] for name in COLUMNS}
    return Signals(**columns)


def _say(value: float) -> str:
    return "nothing" if np.isnan(value) else f"{value!r}"


def _blame(frame: CandleFrame, found: Difference, *, expected: float, got: float, sentence: str) -> Verdict:
    ts = int(frame.ts[found.row])
    return Verdict(
        ok=False,
        evidence=f"Candle {rfc3339(ts)} (row {found.row}), column {found.column}: {sentence}.",
        ts=ts,
        time=rfc3339(ts),
        row=found.row,
        column=found.column,
        expected=expected,
        got=got,
    )
