"""The cost of reality: what trading took from a run, and the very same signals with none of it."""

from __future__ import annotations

import msgspec
import numpy as np

from onetape.backtest.causes import first_acted
from onetape.backtest.metrics import measure
from onetape.backtest.run import simulate
from onetape.backtest.trades import thinned
from onetape.backtest.used import used_of
from onetape.core.state import F_PRICE, F_QTY
from onetape.domain.accounts import Costs
from onetape.domain.report import CostOfReality
from onetape.domain.results import BacktestSpec, Result

FREE = Costs(*(0.0 for _ in Costs._fields))
POINTS = 600  # stretches of the curve that is kept
SHOWN = ("final_equity", "total_return", "cagr", "max_drawdown", "sharpe", "sortino", "trades", "win_rate",
         "profit_factor")  # fmt: skip


def free_of_costs(spec: BacktestSpec) -> BacktestSpec:
    """The same question where nothing costs and nothing takes time. What the venue refuses it still refuses."""
    detail = "candles" if spec.detail == "candles" else "prints"  # a recorded book costs what it shows
    at_once = spec.execution._replace(latency=0.0)
    return msgspec.structs.replace(spec, costs=FREE, execution=at_once, funding=False, detail=detail)


def cost_of_reality(result: Result) -> CostOfReality | None:
    """None for a run that nobody can make again without costs: one that is put together of others."""
    tape, account, spec = result.tape, result.tape.account, result.spec
    if result.free is not None:
        free = result.free()
    elif len(result.signals) and "trading_from_ts" in result.metrics:
        asked = free_of_costs(spec)
        used = used_of(asked, tape.candles, result.recorded)
        free = simulate(asked, result.candles, tape.candles, result.signals, first_acted(result), used)
    else:
        return None
    metrics = measure(result.candles, free, spec.cash)
    ts, equity = thinned(free.close_ts, free.equity, POINTS)
    return CostOfReality(
        fees=float(account.fees),
        slippage=float(account.slippage),
        funding=float(account.funding),
        delay=float(account.delay),
        turnover=float(np.sum(tape.fills[:, F_QTY] * tape.fills[:, F_PRICE])),
        rejected=tape.rejected,
        free_metrics={name: metrics[name] for name in SHOWN},
        free_ts=ts.tolist(),
        free_equity=equity.tolist(),
    )
