"""One strategy over the past: signals in one batch, trades by the core's loop, measures at the end."""

from __future__ import annotations

import dataclasses
import hashlib
import platform
import time
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
import numpy as np

from onetape.backtest.funding import payments
from onetape.backtest.hand import Hand, in_pieces
from onetape.backtest.metrics import measure
from onetape.backtest.provenance import provenance
from onetape.backtest.used import UNUSED, Used, recorded_hash, told, used_of
from onetape.core.bars import Bars, bars_of, fixed
from onetape.core.state import F_BAR, MAX_FILLS, REASONS, fill_buffer
from onetape.core.stats import T_WIDTH, round_trips
from onetape.domain.accounts import Account, Rules
from onetape.domain.errors import BadInput
from onetape.domain.frame import COLUMNS, CandleFrame, Floats, Ints
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.results import BacktestSpec, Result, Tape
from onetape.domain.signals import Signals
from onetape.domain.units import rfc3339
from onetape.strategies.contract import AnyStrategy, evaluate
from onetape.strategies.market import Market

ENGINE: Final = "3"  # raised when the same question may get another answer
_SAME: Final[Ints] = np.empty(0, np.int64)
_HASHES: Final[WeakKeyDictionary[CandleFrame, str]] = WeakKeyDictionary()


def rules_of(spec: BacktestSpec) -> Rules:
    return Rules(spec.costs, spec.sizing, spec.limits, spec.exits, spec.terms, spec.execution)


def rules_for(spec: BacktestSpec, used: Used) -> Rules:
    """Single trades tell how far the queue before a limit has moved."""
    rules = rules_of(spec)
    if used.detail is None or not used.detail.fine.any():
        return rules
    return rules._replace(execution=rules.execution._replace(queue=1.0))


def run(
    spec: BacktestSpec,
    frame: CandleFrame,
    fill_frame: CandleFrame | None,
    strategy: AnyStrategy,
    source_hash: str = "",
    recorded: Recorded = NOTHING,
) -> Result:
    """Signals on `frame`, fills on `fill_frame` (None: the same candles).

    `frame` may begin before `spec.start_ts`, so that indicators are warm when trading starts; rows that have fewer
    candles behind them than `strategy.warmup()` are never acted on. Raises BadInput when nothing is left to trade on.
    `recorded` is what beside candles there is of the market; `spec` says what of it is used.
    """
    frame, fills, first = cut(spec, frame, fill_frame, strategy)
    signals = evaluate(strategy, Market(frame))
    used = used_of(spec, fills, recorded)
    tape = simulate(spec, frame, fills, signals, first, used)
    return answered(spec, frame, fills, signals, tape, first, source_hash, used)


def cut(
    spec: BacktestSpec, frame: CandleFrame, fill_frame: CandleFrame | None, strategy: AnyStrategy
) -> tuple[CandleFrame, CandleFrame, int]:
    """The strategy's candles, those that orders fill on, and the first row that may be acted on. Raises BadInput when
    nothing is left to trade on."""
    fill_frame = frame if fill_frame is None else fill_frame
    frame = frame.between(None, spec.end_ts)
    fills = fill_frame.between(spec.start_ts, spec.end_ts)
    first = first_row(frame, fills, spec, strategy)
    if first >= len(frame) or not len(fills):
        raise BadInput(
            "the period",
            period(frame),
            f"too short: {strategy.name()} needs {strategy.warmup()} {frame.timeframe} candles before its first signal",
            "Choose a longer period, or a shorter timeframe.",
        )
    return frame, fills, first


def answered(
    spec: BacktestSpec,
    frame: CandleFrame,
    fills: CandleFrame,
    signals: Signals,
    tape: Tape,
    first: int,
    source_hash: str,
    used: Used = UNUSED,
) -> Result:
    """What was traded, measured and named."""
    manifest = manifest_of(spec, frame, fills, source_hash, recorded_hash(used))
    return Result(
        run_id=run_id(manifest["hash"]),
        spec=spec,
        candles=frame,
        fill_timeframe=str(fills.timeframe),
        signals=signals,
        tape=tape,
        metrics=measure(frame, tape, spec.cash) | {"trading_from_ts": int(frame.rows(first, first + 1).close_ts[0])},
        manifest=manifest | told(used) | {"candles": provenance(frame, fills), "span": span_of(frame, fills)},
        data=used.told,
        recorded=used.recorded,
    )


def first_row(frame: CandleFrame, fills: CandleFrame, spec: BacktestSpec, strategy: AnyStrategy) -> int:
    """The first signal row that may be acted on: enough candles behind it, opened at the start or later, and closed
    after the first fill candle has opened (a bot that starts there acts on no older row either)."""
    warm = strategy.warmup() - 1
    start = 0 if spec.start_ts is None else int(np.searchsorted(frame.ts, spec.start_ts))
    seen = int(np.searchsorted(frame.ts, frame.timeframe.floor(int(fills.ts[0])))) if len(fills) else 0
    return max(warm, start, seen, 0)


def period(frame: CandleFrame) -> str:
    return f"{rfc3339(int(frame.ts[0]))} to {rfc3339(int(frame.close_ts[-1]))}" if len(frame) else "empty"


def simulate(
    spec: BacktestSpec, frame: CandleFrame, fills: CandleFrame, signals: Signals, first: int, used: Used = UNUSED
) -> Tape:
    """Trades the signal rows from `first` on over the candles of `fills`, and over what was recorded inside them."""
    columns: Any = tuple(
        fixed(column[first:] if len(column) else column)
        for column in (signals.target, signals.stop, signals.take, signals.trail, signals.limit)
    )
    skipped = int(np.searchsorted(fills.ts, frame.ts[first])) if fills.timeframe == frame.timeframe else 0
    same = frame is fills or (
        fills.timeframe == frame.timeframe and np.array_equal(fills.ts[skipped:], frame.ts[first:])
    )
    traded, rules = fills.rows(skipped, len(fills)), rules_of(spec)
    n = len(traded)
    equity = np.empty(len(fills))
    equity[:skipped] = spec.cash
    hand = Hand(spec.cash, columns, rules, fill_buffer(max(4_096, n // 16) + MAX_FILLS))
    fill_ts = None
    if used.detail is None:
        known = _SAME if same else known_rows(traded, frame.close_ts[first:])
        funding = payments(used.recorded, traded.ts)
        hand.go(bars_for(traded, rules), known, funding, equity[skipped:])
    else:
        fill_ts = in_pieces(hand, used, skipped, frame.close_ts[first:], equity)
    made = hand.made()
    if skipped and used.detail is None:
        made[:, F_BAR] += skipped
    tape = tape_of(spec, fills, equity, made, hand.account, hand.book, hand.rejected)
    return tape if fill_ts is None else dataclasses.replace(tape, fill_ts=fill_ts)


def tape_of(
    spec: BacktestSpec, fills: CandleFrame, equity: Floats, made: Floats, account: Account, book: Floats, rejected: Ints
) -> Tape:
    """What the loop has written, with its round trips and the reasons by name."""
    trips = np.empty((len(made) + 1, T_WIDTH))
    count = round_trips(made, len(fills) - 1, float(fills.close[-1]), spec.terms.lot, trips)
    return Tape(
        candles=fills,
        equity=equity,
        fills=made,
        trips=trips[:count],
        account=account,
        book=book,
        rejected={REASONS[i]: int(rejected[i]) for i in np.flatnonzero(rejected)},
    )


def bars_for(fills: CandleFrame, rules: Rules) -> Bars:
    """The columns of the fill candles that the rules ask for: what nothing depends on stays out of the cache."""
    costs, how = rules.costs, rules.execution
    prices = (fills.open, fills.high, fills.low, fills.close)
    sized = costs.share_impact + costs.root_impact + how.share + how.queue > 0.0
    timed = how.latency + how.life > 0.0
    return bars_of(prices, fills.volume if sized else None, fills.ts if timed else None, fills.timeframe.micros)


def known_rows(fills: CandleFrame, signal_close_ts: Ints) -> Ints:
    """For each fill candle, how many signal rows are known when the next one opens (int64)."""
    opens = np.append(fills.ts[1:], fills.close_ts[-1])
    return np.searchsorted(signal_close_ts, opens, side="right")


def manifest_of(
    spec: BacktestSpec, frame: CandleFrame, fills: CandleFrame, source_hash: str, recorded: str = ""
) -> dict[str, Any]:
    """What the answer depends on, as hashes: the same manifest gives the same bits."""
    manifest: dict[str, Any] = {
        "engine": ENGINE,
        "core": core_hash(),
        "strategy": source_hash,
        "spec": hashlib.sha256(msgspec.json.encode(spec, order="deterministic")).hexdigest(),
        "data": frame_hash(frame) if frame is fills else f"{frame_hash(frame)}+{frame_hash(fills)}",
        "versions": _versions(),
    }
    if recorded:
        manifest["data"] += f"+{recorded}"
    manifest["hash"] = hashlib.sha256(msgspec.json.encode(manifest, order="deterministic")).hexdigest()
    return manifest | {"seed": int(manifest["hash"][:16], 16)}


def run_id(digest: str) -> str:
    """A name by time, and the beginning of the manifest's hash."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{digest[:8]}"


def span_of(frame: CandleFrame, fills: CandleFrame) -> dict[str, list[int]]:
    """The open times of the first and the last candle: what has come since, or was read for another strategy's sake,
    is left out when the run is made again."""
    return {"signals": [int(frame.ts[0]), int(frame.ts[-1])], "fills": [int(fills.ts[0]), int(fills.ts[-1])]}


def frame_hash(frame: CandleFrame) -> str:
    """Of the series' name and every value; remembered as long as the frame lives, for frames never change."""
    known = _HASHES.get(frame)
    if known is None:
        digest = hashlib.sha256(f"{frame.exchange}:{frame.symbol}:{frame.timeframe}".encode())
        for name in COLUMNS:
            digest.update(np.ascontiguousarray(getattr(frame, name)).data)
        known = _HASHES[frame] = digest.hexdigest()[:32]
    return known


@cache
def core_hash() -> str:
    """Of the sources that decide: core and indicators."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for room in ("core", "indicators"):
        for source in sorted((package / room).glob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:32]


@cache
def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "machine": platform.machine()} | {
        name: version(name) for name in ("numpy", "numba", "ta-lib", "onetape")
    }
