"""Searches in process: the sweep of the published comparison, with its peak memory, beside the fastest peer.

The peak is that of a process of its own: what was measured before leaves its mark on this one."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bench import candles
from bench.engine import CROSSES
from bench.timing import Row
from onetape.backtest.candles import Chosen
from onetape.backtest.holdout import Allowed
from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.backtest.pages import keep_pages
from onetape.backtest.search.answer import Stores, prepared
from onetape.backtest.search.store import MemorySearchStore
from onetape.backtest.search.sweep import Sweep
from onetape.backtest.search.workers import cores
from onetape.clock import RealClock
from onetape.domain.frame import CandleFrame
from onetape.domain.searches import SearchWish
from onetape.strategies.registry import Registry

TIMES: Final = 5


class Job(NamedTuple):
    """A sweep of SMA pairs. `target` in ms of the whole."""

    rows: int
    spaces: dict[str, str]
    pairs: int
    target: float


JOBS: Final = (
    Job(100_000, {"fast": "5:53:2", "slow": "60:255:5"}, 1_000, 300.0),
    Job(1_000_000, {"fast": "5:41:4", "slow": "60:240:20"}, 100, 950.0),
)


def rows() -> Iterator[Row]:
    for number, job in enumerate(JOBS):
        with tempfile.NamedTemporaryFile(suffix=".npz") as file:  # making candles up takes more memory than a search
            frame = candles.frame() if os.environ.get("BENCH_DATA") else candles.synthetic(job.rows)
            np.savez(file, **columns_of(frame.rows(0, job.rows)))  # type: ignore[arg-type]
            file.flush()
            command = [sys.executable, "-m", "bench.sweep", str(number), file.name]
            done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
        found = json.loads(done.stdout)
        what = f"{job.pairs:,} SMA pairs, {job.rows:,} candles, {found['workers']} workers"
        note = f"{found['busy']:.0%} at work, {found['trades']:,} trades, {found['cpu']:.2f} ms of a core a pair"
        yield Row(job="J3", what=what, value=found["ms"], low=found["low"], high=found["high"], target=job.target,
                  note=note)  # fmt: skip
        yield Row(job="J3", what="  peak memory", value=found["mb"], unit="MB", target=300.0)
    yield from peer()


def peer() -> Iterator[Row]:
    """The fastest peer's script for the same job: ONETAPE_BENCH_PEER_PYTHON and ONETAPE_BENCH_PEER_SWEEP name its
    interpreter and that script; it prints JSON lines with `job`, `tool`, `median_s` and `peak_rss_mb`."""
    python, script = os.environ.get("ONETAPE_BENCH_PEER_PYTHON"), os.environ.get("ONETAPE_BENCH_PEER_SWEEP")
    if not python or not script:
        return
    done = subprocess.run([python, script, "sweep"], capture_output=True, text=True, timeout=1_800, check=True)
    for line in done.stdout.splitlines():
        found = json.loads(line) if line.startswith("{") else {}
        if found.get("job") == "J3":
            what = f"  peer: {found['tool']}, {found.get('combos', 0):,} pairs, {found.get('data', '')}"
            yield Row(job="J3", what=what, value=1e3 * found["median_s"], note=f"{found.get('peak_rss_mb', 0):.0f} MB")


def measured(job: Job, path: str) -> dict[str, float]:
    """Warm runs of the search alone: scores of all pairs, each entered in a ledger and settled."""
    keep_pages()
    with np.load(path) as columns:
        frame = CandleFrame.of("bench", "BTC-USDT", "1m", {name: columns[name] for name in columns.files})
    taken, busy, cpu, trades = [], 0.0, 0.0, 0
    for turn in range(TIMES + 1):
        sweep = sweep_of(job, frame)
        begun, used = time.perf_counter(), time.process_time()
        scored = asyncio.run(sweep.scores())
        spent = time.perf_counter() - begun
        if turn:
            taken.append(1e3 * spent)
            busy, cpu = sweep.busy or 0.0, (time.process_time() - used) / job.pairs * 1e3
        trades = sum(one.figures["trades"] for one in scored)
    taken.sort()
    return {
        "ms": taken[len(taken) // 2], "low": taken[0], "high": taken[-1], "busy": busy, "cpu": cpu, "trades": trades,
        "workers": cores(), "mb": peak(),
    }  # fmt: skip


def columns_of(frame: CandleFrame) -> dict[str, object]:
    return {name: getattr(frame, name) for name in ("ts", "open", "high", "low", "close", "volume")}


def sweep_of(job: Job, frame: CandleFrame) -> Sweep:
    stores = Stores(MemoryTrialLedger(), MemorySearchStore(), RealClock(), "bench")
    wish = SearchWish(spec=CROSSES, spaces=job.spaces)
    made = prepared(wish, Registry.load(None), Allowed(Chosen(frame, frame), CROSSES, None, {}), stores)
    return Sweep(made.search, made.plan, stores.ledger, stores.clock)


def peak() -> float:
    """MB of this process at its largest. Of the program alone: ru_maxrss counts what started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    print(json.dumps(measured(JOBS[int(sys.argv[1])], sys.argv[2])))
