"""Golden results: the answers of this engine version to fixed questions, compared bit for bit.

When one differs, the same question has got another answer. If that is meant: raise ENGINE in backtest/run.py, write a
decision that says which rule changed and why, and renew with `python tests/parity/test_golden.py`; the file of the old
version stays. If it is not meant, the change is a defect.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape.archive import sample_frame
from onetape.backtest.run import ENGINE, run, simulate
from onetape.backtest.used import used_of
from onetape.core.state import F_PRICE, F_QTY
from onetape.domain.accounts import Costs, Execution, Exits, RiskLimits, Sizing, Terms
from onetape.domain.frame import CandleFrame
from onetape.domain.recorded import Recorded
from onetape.domain.results import BacktestSpec, Tape
from onetape.domain.signals import Signals
from onetape.domain.units import MINUTE
from onetape.strategies.registry import Registry

FILE = Path(__file__).with_name("golden") / f"engine-{ENGINE}.json"
CANDLES, TRADES = 3_000, 8  # trades a candle
TERMS = Terms(0.01, 0.001, 0.001, 5.0)


def dice(seed: int, n: int, sides: int) -> np.ndarray:
    """Whole numbers below `sides`, by a generator of our own: no library's version has a say."""
    state, found = seed, []
    for _ in range(n):
        state = (state * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % 2**64
        found.append((state >> 33) % sides)
    return np.array(found, np.int64)


def market() -> tuple[CandleFrame, Recorded]:
    """Candles made of trades, which are complete for two candles of three."""
    n = CANDLES * TRADES
    cents = 10_000 + np.cumsum(dice(1, n, 41) - 20)
    price, qty = (cents - min(int(cents.min()) - 5_000, 0)) / 100.0, (1 + dice(2, n, 500)) / 100.0
    rows, sizes = price.reshape(-1, TRADES), qty.reshape(-1, TRADES)
    columns: dict[str, object] = {
        "ts": np.arange(CANDLES) * MINUTE, "open": rows[:, 0], "high": rows.max(1), "low": rows.min(1),
        "close": rows[:, -1], "volume": sizes.sum(1),
    }  # fmt: skip
    known = np.repeat(np.arange(CANDLES) % 3 != 0, TRADES)
    ts = np.repeat(np.arange(CANDLES) * MINUTE, TRADES) + np.tile(np.arange(TRADES) * 7_000_000, CANDLES)
    due = np.arange(480, CANDLES, 480) * MINUTE
    recorded = Recorded(
        print_ts=ts[known], price=price[known], qty=qty[known],
        funding_ts=due, funding_rate=(dice(3, len(due), 21) - 10) / 10_000.0,
    )  # fmt: skip
    return CandleFrame.of("golden", "A-B", "1m", columns), recorded


def signals(frame: CandleFrame, limits: bool) -> Signals:
    target = np.full(CANDLES, np.nan)
    target[::9] = (dice(4, len(target[::9]), 5) - 2) / 2.0
    found = Signals.holding(target)
    return dataclasses.replace(found, limit=frame.close - 0.05 * np.sign(target)) if limits else found


PLAIN: dict[str, Any] = {
    "strategy": "golden", "symbol": "A-B", "timeframe": "1m", "cash": 10_000.0, "costs": Costs(0.0002, 0.0005, 0.0001),
    "limits": RiskLimits(allow_short=1.0), "terms": TERMS, "detail": "candles", "funding": False,
}  # fmt: skip
EXITS = Exits(0.01, 0.02, 0.015)
MARGIN = RiskLimits(5.0, allow_short=1.0, leverage=5.0)
IMPACT = Costs(0.0002, 0.0005, 0.0, 0.0004, 0.3, 0.1)
QUESTIONS: dict[str, tuple[dict[str, Any], bool]] = {
    "market orders": ({}, False),
    "limit entries": ({}, True),
    "stop, take and trail": ({"exits": EXITS}, False),
    "stop, take and trail from limit entries": ({"exits": EXITS}, True),
    "risk sizing with a drawdown limit": (
        {"exits": EXITS, "sizing": Sizing.parse("risk:0.01"), "limits": RiskLimits(1.0, max_drawdown=0.2)}, False,
    ),
    "spread and impact": ({"costs": IMPACT}, False),
    "shares of volume, delay and expiry": (
        {"execution": Execution(2e6, 0.1, 0.0, 3e8), "exits": EXITS}, True,
    ),
    "post-only": ({"execution": Execution(force=3.0)}, True),
    "immediate or cancel": ({"execution": Execution(share=0.05, force=1.0)}, True),
    "fill or kill": ({"execution": Execution(share=0.05, force=2.0), "sizing": Sizing.parse("qty:1")}, True),
    "stops with a limit": ({"exits": EXITS, "execution": Execution(stop_limit=0.001)}, False),
    "margin and funding": (
        {"limits": MARGIN, "sizing": Sizing.parse("quote:30000"), "funding": True,
         "terms": TERMS._replace(maintenance=0.01)}, False,
    ),
    "price band": ({"terms": TERMS._replace(band=0.0003), "costs": Costs(0.0002, 0.0005, 0.001)}, False),
    "single trades": ({"detail": "auto", "funding": True, "execution": Execution(2e6, 0.5)}, False),
    "single trades and limits": ({"detail": "auto", "exits": EXITS, "execution": Execution(2e6)}, True),
}  # fmt: skip


def told(tape: Tape) -> dict[str, Any]:
    """What a person can read, and hashes of every bit."""
    fills = tape.fills
    return {
        "fills": len(fills),
        "turnover": float(np.sum(fills[:, F_QTY] * fills[:, F_PRICE])),
        "final_equity": float(tape.equity[-1]),
        "account": {name: value for name, value in tape.account._asdict().items() if name != "said"},
        "rejected": tape.rejected,
        "fills_hash": hashlib.sha256(np.ascontiguousarray(fills).tobytes()).hexdigest(),
        "equity_hash": hashlib.sha256(np.ascontiguousarray(tape.equity).tobytes()).hexdigest(),
    }  # fmt: skip


def answer(name: str) -> dict[str, Any]:
    parts, limits = QUESTIONS[name]
    frame, recorded = market()
    spec = BacktestSpec(**(PLAIN | parts))
    return told(simulate(spec, frame, frame, signals(frame, limits), 0, used_of(spec, frame, recorded)))


def sample(name: str) -> dict[str, Any]:
    """A strategy of the package over the packaged sample."""
    registry = Registry.load(None)
    spec = BacktestSpec(strategy=name, timeframe="1h", costs=Costs(0.0008, 0.001), terms=Terms(0.0, 1e-8))
    frame = sample_frame()
    from onetape.backtest.candles import split

    chosen = split(frame, spec)
    return told(run(spec, chosen.frame, chosen.fills, registry.build(name, {})).tape)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_answer_is_what_this_engine_has_always_given(name: str) -> None:
    assert answer(name) == json.loads(FILE.read_text())[name]


def test_a_strategy_on_the_packaged_sample_gives_what_it_always_gave() -> None:
    assert sample("sma_cross") == json.loads(FILE.read_text())["sma_cross on the sample"]


def test_every_question_fills_orders() -> None:
    for name, found in json.loads(FILE.read_text()).items():
        assert found["fills"] > 10, name


if __name__ == "__main__":
    FILE.write_text(
        json.dumps(
            {name: answer(name) for name in QUESTIONS} | {"sma_cross on the sample": sample("sma_cross")}, indent=1
        )
        + "\n"
    )
