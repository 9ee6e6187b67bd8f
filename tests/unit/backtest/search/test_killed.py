"""A search whose process is killed goes on by its id: nothing that was finished is lost or done again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from onetape.storage.journal import FileTrialLedger

SLOW = """
import time

import numpy as np
from onetape import Market, Signals, Strategy


class Slow(Strategy, frozen=True, tag="slow_to_search"):
    wait: int = 4

    def warmup(self) -> int:
        return 2

    def signals(self, market: Market) -> Signals:
        time.sleep(0.15)
        return Signals.holding(np.where(np.arange(len(market)) // self.wait % 2, 1.0, 0.0))
"""
TRIALS = 40
START = 1_514_764_800_000


def candles(path: Path) -> Path:
    lines = [f"{START + i * 3_600_000},{p},{p + 1},{p - 1},{p},1.0" for i, p in enumerate([100, 101, 103, 102] * 200)]
    path.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    return path


async def test_a_killed_search_goes_on_by_its_id(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "slow.py").write_text(SLOW)
    data = tmp_path / "data"
    known = ["--strategies", str(tmp_path / "own"), "--data-dir", str(data), "--no-gate", "--json", "-"]
    verb = [sys.executable, "-m", "onetape", "optimize"]
    asked = ["-s", "slow_to_search", "--file", str(candles(tmp_path / "c.csv")), "--symbol", "A-B", "--exchange", "okx"]
    asked += ["--space", f"wait=2:{TRIALS + 1}"]
    first = subprocess.Popen([*verb, *asked, *known], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ledger = data / "trials.jsonl"
    try:
        limit = time.monotonic() + 120
        while not ledger.exists() or b'"type":"settle"' not in ledger.read_bytes():
            assert first.poll() is None, "the search ended before it could be killed"
            assert time.monotonic() < limit
            time.sleep(0.05)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait(30)
    [search_id] = [path.stem for path in (data / "searches").glob("*.json")]
    before = dict(await FileTrialLedger(ledger).of_search(search_id))
    finished = {name: one for name, one in before.items() if one is not None}
    assert 0 < len(finished) < TRIALS
    again = [*verb, "--resume", search_id, *known]
    done = subprocess.run(again, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    waits = [one["parameters"]["wait"] for one in result["trials"]]
    assert sorted(waits) == list(range(2, TRIALS + 2))
    after = dict(await FileTrialLedger(ledger).of_search(search_id))
    assert len(after) == TRIALS
    assert {name: after[name] for name in finished} == finished
    reserved = [line for line in ledger.read_text().splitlines() if '"type":"reserve"' in line]
    entered = [trial["id"] for line in reserved for trial in json.loads(line)["trials"]]
    assert not {name for name in finished if entered.count(name) > 1}
