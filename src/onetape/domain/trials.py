"""Who has looked at which data how often: trials, seals and their openings."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any, NamedTuple

import msgspec
import numpy as np

from onetape.domain.frame import Floats
from onetape.domain.results import BacktestSpec
from onetape.domain.units import Micros

BACKTEST, OPTIMISE, WALK_FORWARD, HOLDOUT = "backtest", "optimise", "walk-forward", "holdout"
STARTED, DONE, ABORTED = "started", "done", "aborted"  # one that stays started was killed: it counts as any other


class DataKey(NamedTuple):
    """A stretch of one market, [start_ts, end_ts). Trials on stretches that overlap count together, whatever their
    timeframe and strategy."""

    exchange: str
    symbol: str
    start_ts: Micros
    end_ts: Micros

    def overlaps(self, other: DataKey) -> bool:
        return (self.exchange, self.symbol) == (other.exchange, other.symbol) and (
            self.start_ts < other.end_ts and other.start_ts < self.end_ts
        )


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the data, written down before it is taken.

    `family` is the strategy's name in code, `fingerprint` the hash of everything else that was asked: two trials of one
    family with one fingerprint over the same stretch are the same trial, repeated.
    """

    id: str
    kind: str
    family: str
    fingerprint: str
    data: DataKey
    timeframe: str
    who: str
    started_ts: Micros


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a trial. `sharpe` is per year, None where it cannot be worked out; `returns` are daily (float32
    bytes), the first one of UTC day `first_day` (days since 1970), empty when they are not kept."""

    id: str
    state: str
    ended_ts: Micros
    sharpe: float | None = None
    scores: dict[str, Any] = {}
    first_day: int = 0
    returns: bytes = b""


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class LedgerView:
    """The trials on data that overlap a stretch. `sharpes` (per year) are those of the different trials that have one;
    `returns` the daily returns of the newest of them, each with the day of its first."""

    runs: int
    trials: int
    sharpes: Floats
    returns: tuple[tuple[int, Floats], ...] = ()


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """From `from_ts` on nobody looks at this market, until the seal is lifted (then the row is gone from the view)."""

    exchange: str
    symbol: str
    from_ts: Micros
    made_ts: Micros
    who: str


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The one look of a strategy at what is sealed. `outcome` is empty until it is settled."""

    exchange: str
    symbol: str
    family: str
    trial_id: str
    fingerprint: str
    from_ts: Micros
    opened_ts: Micros
    outcome: dict[str, Any] = {}


def fingerprint(spec: BacktestSpec, source_hash: str) -> str:
    """Of code, parameters, money and rules; the stretch of data is told apart by itself."""
    asked = msgspec.structs.replace(spec, start_ts=None, end_ts=None, exchange="", symbol="")
    return hashlib.sha256(source_hash.encode() + msgspec.json.encode(asked, order="deterministic")).hexdigest()[:32]


def pack_returns(returns: Floats) -> bytes:
    return returns.astype("<f4").tobytes()


def unpack_returns(data: bytes) -> Floats:
    return np.frombuffer(data, "<f4").astype(np.float64)
