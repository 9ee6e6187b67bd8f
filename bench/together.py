"""Many at once: ten bots over two years of minutes in time order, and single trades through the queue model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec
import numpy as np

from bench import candles
from bench.timing import Row, timed
from onetape.backtest import fleet
from onetape.backtest.candles import Chosen
from onetape.backtest.pages import keep_pages
from onetape.core import loop
from onetape.core.bars import bars_of, fixed, funding_of
from onetape.core.many import CommonLimits
from onetape.core.state import REASONS, empty_book, fill_buffer
from onetape.domain.accounts import Account, Costs, Execution, Exits, RiskLimits, Rules, Sizing, Terms
from onetape.domain.bots import BotSpec
from onetape.strategies.sma_cross import SmaCross

TWO_YEARS: Final = 2 * 365 * 24 * 60
BOTS: Final = 10
PRINTS: Final = 5_000_000


def rows() -> Iterator[Row]:
    keep_pages()
    yield of_fleet()
    yield of_prints()


def of_fleet() -> Row:
    """Every bot on a market of its own, signals included."""
    frames = [candles.synthetic(TWO_YEARS, seed) for seed in range(BOTS)]
    terms = Terms(0.01, 1e-6)

    def go() -> Any:
        members = []
        for k, frame in enumerate(frames):
            bot = BotSpec(name=f"bot{k}", exchange="x", symbol="BTC-USD", timeframe="1m", strategy="sma_cross")
            strategy = SmaCross(fast=10 + k, slow=50 + 10 * k)
            members.append(fleet.member_of(bot.name, fleet.spec_of(bot, terms), Chosen(frame, frame), strategy, ""))
        return fleet.run(members, CommonLimits(max_positions=5.0))

    row = timed("fleet", f"{BOTS} bots, {TWO_YEARS:,} minutes each, common limits", go, times=3, target=5_000.0)
    return msgspec.structs.replace(row, note=f"{go().whole.metrics['trades']:,} trades")


def of_prints() -> Row:
    """A limit on each side of a market of single trades, each renewed by a signal now and then, behind a queue."""
    random = np.random.Generator(np.random.PCG64(1))
    price = np.round(30_000.0 + np.cumsum(random.choice([-0.01, 0.0, 0.0, 0.01], PRINTS)), 2)
    size = np.round(random.exponential(0.02, PRINTS), 4) + 0.0001
    ts = np.arange(PRINTS) * 20_000
    target = np.full(PRINTS, np.nan)
    target[::5_000], target[2_500::5_000] = 1.0, 0.0
    limit = np.where(target == 1.0, price - 0.02, np.nan)
    depth = np.stack([price - 0.02, np.full(PRINTS, 0.5), price + 0.02, np.full(PRINTS, 0.5)], axis=1)[::500]
    bars = bars_of(
        (price, price, price, price), size, ts, 0, depth_at=np.arange(PRINTS) // 500, depth=depth[:, None, :].copy()
    )
    none = np.empty(0)
    columns: Any = tuple(fixed(column) for column in (target, none, none, none, limit))
    rules = Rules(Costs(), Sizing.parse("qty:0.01"), RiskLimits(), Exits(), Terms(0.01, 0.0001), Execution(queue=1.0))
    equity, fills = np.empty(PRINTS), fill_buffer(50_000)
    made: list[int] = []

    def go() -> None:
        rejected = np.zeros(len(REASONS), np.int64)
        account = Account(cash=100_000.0, peak=100_000.0)
        found = loop.run(
            bars, np.empty(0, np.int64), columns, account, empty_book(), rules, funding_of(), (0, 0, 0, 0), PRINTS,
            equity, fills, rejected,
        )  # fmt: skip
        made[:] = [found[3]]

    row = timed("prints", f"{PRINTS:,} trades through the queue model", go, times=5)
    rate = PRINTS / row.value / 1_000
    return Row(job="prints", what=row.what, value=rate, unit="M/s", target=10.0, more=True, note=f"{made[0]:,} fills")
