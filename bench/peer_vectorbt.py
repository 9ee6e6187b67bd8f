"""Both jobs in vectorbt, run by its own interpreter: `python peer_vectorbt.py FILE.parquet`. One JSON line a job."""

# mypy: ignore-errors
from __future__ import annotations

import json
import statistics
import sys
import time
from importlib.metadata import version


def run_job(vbt, table, job, engine):
    close = table["close"]
    fast, slow = vbt.MA.run(close, 10, engine=engine), vbt.MA.run(close, 50, engine=engine)
    entries = fast.ma_crossed_above(slow).vbt.signals.fshift(1)
    money = {"size": 1.0, "size_type": "amount", "fees": 0.001, "init_cash": 1e7, "freq": "1min", "engine": engine}
    if job == "J1":
        exits = fast.ma_crossed_below(slow).vbt.signals.fshift(1)
        book = vbt.Portfolio.from_signals(close, entries, exits, price=table["open"], **money)
    else:
        prices = {name: table[name] for name in ("open", "high", "low")}
        book = vbt.Portfolio.from_signals(
            close, entries, False, price=table["open"], **prices, sl_stop=0.02, tp_stop=0.04,
            stop_entry_price="fillprice", stop_exit_price="stopmarket", **money,
        )  # fmt: skip
    trades = book.trades
    figures = (book.max_drawdown(), book.sharpe_ratio(), trades.win_rate(), trades.profit_factor())
    return int(trades.closed.count()), float(book.final_value()), figures


def main(path):
    import pandas as pd
    import vectorbt as vbt

    table = pd.read_parquet(path)
    table.index = pd.to_datetime(table.pop("ts"), unit="ms")
    for engine in ("rust", "numba"):
        for job in ("J1", "J2"):
            trades, equity, _ = run_job(vbt, table, job, engine)
            taken = []
            for _ in range(5):
                begun = time.perf_counter()
                run_job(vbt, table, job, engine)
                taken.append(1e3 * (time.perf_counter() - begun))
            tool = f"vectorbt {version('vectorbt')}, {engine}"
            row = {"job": job, "tool": tool, "ms": statistics.median(taken), "low": min(taken), "high": max(taken)}
            print(json.dumps(row | {"trades": trades, "equity": equity}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
