"""What is done to the rows of a candle file before they are candles: refuse the impossible, settle duplicates, sort.

Nothing is repaired and nothing filled. A refused row is reported with its line and value. Duplicates (two rows of one
open time) are settled so: rows whose volume is within a thousandth of the largest are the complete ones; of these the
one written with the most digits, of these the last in the file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats, Ints
from onetape.domain.imported import Rejected
from onetape.domain.units import DAY, HOUR, MINUTE, SECOND, WEEK, Micros, Timeframe, rfc3339, to_datetime
from onetape.marketdata.soundness import IMPOSSIBLE, Impossible, Mask

EARLIEST: Final[Micros] = 1_230_768_000 * SECOND  # 2009-01-01: there was no market before
LISTED: Final = 10_000  # refused rows that are listed one by one; all are counted
_YEAR_9999: Final[Micros] = 253_402_300_799 * SECOND
_COMPLETE: Final = 0.999


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file as columns, in the file's order. `digits` is how long the numbers are as text (0: unknown),
    `origin` where each candle comes from."""

    line: Ints
    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    turnover: Floats
    final: Mask
    digits: Ints
    origin: Ints

    def __len__(self) -> int:
        return len(self.ts)

    def take(self, which: Mask | NDArray[np.intp]) -> Rows:
        return Rows(**{field.name: getattr(self, field.name)[which] for field in dataclasses.fields(self)})


class Check(NamedTuple):
    """One thing a candle cannot be. `shows` says the offending value of a row."""

    reason: str
    fails: Callable[[Rows, Micros], Mask]
    shows: Callable[[Rows, int], str]


def _prices(rows: Rows, i: int) -> str:
    return f"open {rows.open[i]:g}, high {rows.high[i]:g}, low {rows.low[i]:g}, close {rows.close[i]:g}"


def _time(rows: Rows, i: int) -> str:
    ts = int(rows.ts[i])
    return rfc3339(ts) if abs(ts) < _YEAR_9999 else str(ts)


def _volume(rows: Rows, i: int) -> str:
    return f"volume {rows.volume[i]:g}"


def _timeless(kind: Impossible) -> Callable[[Rows, Micros], Mask]:
    return lambda rows, _: kind.fails(rows)


CHECKS: Final = (
    Check("before 2009", lambda r, _: r.ts < EARLIEST, _time),
    Check("in the future", lambda r, now: r.ts > now, _time),
    Check("not closed yet", lambda r, _: ~r.final, _time),
    *(Check(kind.reason, _timeless(kind), _prices if kind.of_price else _volume) for kind in IMPOSSIBLE),
)


class Refusals:
    """Collects refused rows: all counted, by reason, the first ones listed."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._listed: list[Rejected] = []

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def listed(self) -> tuple[Rejected, ...]:
        return tuple(sorted(self._listed, key=lambda row: row.line))

    def drop(self, rows: Rows, bad: Mask, reason: str, shows: Callable[[Rows, int], str]) -> Rows:
        """The rows that are not bad; the bad ones are noted."""
        found = np.flatnonzero(bad)
        if not len(found):
            return rows
        self.counts[reason] = self.counts.get(reason, 0) + len(found)
        for i in found[: max(0, LISTED - len(self._listed))]:
            self._listed.append(Rejected(int(rows.line[i]), reason, shows(rows, int(i))))
        return rows.take(~bad)


def possible(rows: Rows, now_ts: Micros, refusals: Refusals) -> Rows:
    """The rows that can be candles; each of the others is noted under the first check it fails."""
    with np.errstate(invalid="ignore"):
        for check in CHECKS:
            rows = refusals.drop(rows, check.fails(rows, now_ts), check.reason, check.shows)
    return rows


_SENSIBLE: Final = frozenset(
    [n * SECOND for n in (1, 5, 10, 15, 30)]
    + [n * MINUTE for n in (1, 3, 5, 10, 15, 30, 45)]
    + [n * HOUR for n in (1, 2, 3, 4, 6, 8, 12)]
    + [DAY, 3 * DAY, WEEK]
)
_MIXED_RUN: Final = 12


def distinct(ts: Ints) -> Ints:
    """Sorted, each once. (Sorting times that mostly rise already is ten times as fast as hashing them.)"""
    ordered = np.sort(ts, kind="stable")
    return ordered[np.concatenate(([True], np.diff(ordered) > 0))] if len(ordered) else ordered


def timeframe_of(ts: Ints, said: Timeframe | None, named: Timeframe | None) -> Timeframe:
    """`said` on the command line, else the most common step between rows, else what the file's name says."""
    opens = distinct(ts)
    steps = np.diff(opens)
    if said is not None:
        if len(steps) >= 3 and said.regular and steps.min() > said.micros:
            problem = f"finer than the file: its rows are {_length(int(steps.min()))} apart or more"
            raise BadInput("--timeframe", str(said), problem)
        return said
    if len(steps) < 2 and named is not None:
        return named
    if not len(steps) or (len(steps) == 1 and int(steps[0]) not in _SENSIBLE):
        raise BadInput("--timeframe", "", f"not given, and {len(opens)} rows do not tell it", "Say --timeframe 1m.")
    step = _most_common(steps)
    if 28 * DAY <= step <= 31 * DAY and all(to_datetime(int(t)).day == 1 for t in opens):
        return Timeframe(1, "M")
    _refuse_mixed(opens, steps, step)
    return _as_timeframe(step)


def _most_common(steps: Ints) -> int:
    """The smallest of the most frequent ones."""
    ordered = np.sort(steps)
    starts = np.flatnonzero(np.concatenate(([True], np.diff(ordered) > 0)))
    return int(ordered[starts[np.argmax(np.diff(np.append(starts, len(ordered))))]])


def _as_timeframe(step: Micros) -> Timeframe:
    for unit, micros in (("w", WEEK), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if step % micros == 0 and step // micros < 100_000:
            return Timeframe(step // micros, unit)
    problem = f"not told by the file: its rows are {step} microseconds apart, which is no timeframe"
    raise BadInput("--timeframe", "", problem, "Are these candles? If so, say --timeframe.")


def _refuse_mixed(opens: Ints, steps: Ints, step: int) -> None:
    """A long run of equal steps of another timeframe means two files in one."""
    starts = np.concatenate(([0], np.flatnonzero(np.diff(steps)) + 1))
    lengths = np.diff(np.append(starts, len(steps)))
    for start in starts[(lengths >= _MIXED_RUN) & (steps[starts] != step)]:
        other = int(steps[start])
        if other in _SENSIBLE:
            problem = f"more than one: from {rfc3339(int(opens[start]))} the rows are {_length(other)} apart"
            remedy = "Split the file, or say --timeframe if the gaps are real."
            raise BadInput("the timeframe", _length(step), f"{problem}, elsewhere {_length(step)}", remedy)


def _length(micros: int) -> str:
    return str(_as_timeframe(micros)) if micros % SECOND == 0 else f"{micros / SECOND:g}s"


def on_grid(rows: Rows, timeframe: Timeframe, refusals: Refusals) -> Rows:
    """The rows that open on the timeframe's grid; raises BadInput when more than a tenth do not."""
    if timeframe.regular:
        off = (rows.ts - timeframe.floor(0)) % timeframe.micros != 0
    else:
        off = np.fromiter((timeframe.floor(int(t)) != t for t in rows.ts), np.bool_, len(rows))
    if off.sum() > len(rows) / 10:
        first = int(np.argmax(off))
        raise BadInput(
            f"line {int(rows.line[first])}",
            _time(rows, first),
            f"not a {timeframe} open time, like {int(off.sum())} of {len(rows)} rows",
            "Candles of a day start at 00:00 UTC, of a week on Monday. Mixed timeframes in one file? Say --timeframe.",
        )
    return refusals.drop(rows, off, f"not on the {timeframe} grid", _time)


class Settled(NamedTuple):
    rows: Rows
    duplicates: int  # rows dropped
    disagreeing: int  # of these, how many said something else than the row that stayed


def settled(rows: Rows) -> Settled:
    """Sorted by time, one row for each; which one stays is said at the head of this module."""
    if (np.diff(rows.ts) > 0).all():
        return Settled(rows, 0, 0)
    rows = rows.take(np.argsort(rows.ts, kind="stable"))
    starts = np.flatnonzero(np.concatenate(([True], np.diff(rows.ts) != 0)))
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
    complete = rows.volume >= np.maximum.reduceat(rows.volume, starts)[group] * _COMPLETE
    rank = np.lexsort((rows.line, rows.digits, complete, group))
    kept = rank[np.append(starts[1:], len(rows)) - 1]
    stays = kept[group]
    same = np.ones(len(rows), np.bool_)
    for column in (rows.open, rows.high, rows.low, rows.close, rows.volume):
        same &= column == column[stays]
    return Settled(rows.take(kept), len(rows) - len(kept), int((~same).sum()))
