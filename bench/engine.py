"""Warm backtests in process: the two jobs of the published comparison, their parts, the yardstick, a peer."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from bench import bare_loop, candles
from bench.timing import Row, timed
from onetape.backtest.luck.block import luck_of
from onetape.backtest.metrics import measure
from onetape.backtest.pages import keep_pages
from onetape.backtest.run import run, simulate
from onetape.domain.accounts import Costs, Exits, Sizing
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec
from onetape.domain.trials import LedgerView
from onetape.strategies.contract import Strategy, evaluate
from onetape.strategies.market import Market
from onetape.strategies.sma_cross import SmaCross

CASH, FEE = 10_000_000.0, 0.001
CROSSES = BacktestSpec(
    strategy="sma_cross",
    timeframe="1m",
    cash=CASH,
    costs=Costs(FEE, FEE, 0.0),
    sizing=Sizing.parse("qty:1"),
)
BRACKETS = msgspec.structs.replace(CROSSES, exits=Exits(stop=0.02, take=0.04))
JOBS: tuple[tuple[str, str, BacktestSpec, Strategy], ...] = (
    ("J1", "SMA 10/50 cross, 1,000,000 candles", CROSSES, SmaCross()),
    ("J2", "the same with 2 % stop, 4 % take", BRACKETS, SmaCross(exit="none")),
)


def rows() -> Iterator[Row]:
    keep_pages()
    frame = candles.frame()
    for job, says, spec, strategy in JOBS:
        yield from of_job(frame, job, says, spec, strategy)
    yield from peer()


def of_job(frame: CandleFrame, job: str, says: str, spec: BacktestSpec, strategy: Strategy) -> Iterator[Row]:
    whole = timed(job, says, lambda: run(spec, frame, None, strategy), target=20.0)
    result = run(spec, frame, None, strategy)
    found = result.metrics
    still = f" (+{found['open_trades']})" if found["open_trades"] else ""
    yield msgspec.structs.replace(whole, note=f"{found['trades']:,}{still} trades, equity {found['final_equity']:,.4f}")
    signals, tape = result.signals, result.tape
    first = strategy.warmup() - 1
    yield timed(job, "  means and signals", lambda: evaluate(strategy, Market(frame)))
    yield timed(job, "  orders, fills, equity, trips", lambda: simulate(spec, frame, frame, signals, first))
    yield timed(job, "  figures", lambda: measure(frame, tape, spec.cash))
    alone = LedgerView(1, 1, np.empty(0))
    yield timed(job, "  luck (beside J1 and J2, not in them)", lambda: luck_of(result, alone), times=5, target=2_000.0)
    bare = bare_loop.crosses if job == "J1" else bare_loop.brackets
    outcome = bare(frame, CASH, FEE)
    yield msgspec.structs.replace(
        timed(job, "  yardstick: a bare hand-written loop", lambda: bare(frame, CASH, FEE)),
        note=f"{outcome.trades:,} trades, equity {outcome.equity:,.4f}",
    )


def peer() -> Iterator[Row]:
    """The fastest peer measured, in its own interpreter: ONETAPE_BENCH_PEER_PYTHON (with vectorbt), BENCH_DATA."""
    python, data = os.environ.get("ONETAPE_BENCH_PEER_PYTHON"), os.environ.get("BENCH_DATA")
    if not python or not data:
        return
    script = Path(__file__).with_name("peer_vectorbt.py")
    done = subprocess.run([python, str(script), data], capture_output=True, text=True, timeout=600, check=True)
    for line in done.stdout.splitlines():
        found = json.loads(line)
        yield Row(
            job=found["job"], what=f"  peer: {found['tool']}", value=found["ms"], low=found["low"], high=found["high"],
            note=f"{found['trades']:,} trades, equity {found['equity']:,.4f}",
        )  # fmt: skip
