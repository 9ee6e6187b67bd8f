"""A search as a job: from a wish and the stored candles to what was found, beside the event loop. Knows ports only."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from onetape.backtest.candles import choose, instrument_of
from onetape.backtest.holdout import allowed
from onetape.backtest.margin import settled
from onetape.backtest.search.answer import Found, Stores, first_strategy, prepared, searched
from onetape.backtest.search.sweep import Say
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.searches import Search, SearchWish
from onetape.ports import CandleStore, RunStore
from onetape.strategies.contract import AnyStrategy, Strategy
from onetape.strategies.gate import check
from onetape.strategies.registry import Registry

GATED: Final = 20_000  # candles that the gate looks at


async def search_job(
    asked: SearchWish | Search, candles: CandleStore, runs: RunStore, registry: Registry, stores: Stores, say: Say
) -> Found:
    """Searches, or goes on with a search that was begun, and stores the recommended run. `say` hears of each step.

    Cancelled, it settles what was done; `stores.searches` has the search by its id, to go on with. Raises BadInput and
    NotFound for a wish that cannot be granted, before anything is entered, also when the gate does not hold.
    """
    resumed = asked if isinstance(asked, Search) else None
    wish = asked.wish if isinstance(asked, Search) else asked
    strategy = first_strategy(registry, wish)
    spec = msgspec.structs.replace(wish.spec, timeframe=wish.spec.timeframe or "1h")
    chosen = await choose(candles, spec, strategy.warmup())
    spec = msgspec.structs.replace(spec, exchange=chosen.frame.exchange)
    spec = settled(spec, await instrument_of(candles, spec.exchange, spec.symbol), "$.leverage")
    may = await allowed(stores.ledger, chosen, spec)
    made = prepared(wish, registry, may, stores, resumed)
    await asyncio.to_thread(_pass, strategy, may.chosen.frame)
    found = await searched(made, may, stores, say)
    if found.best is not None:
        await runs.put(found.best)
    return found


def _pass(strategy: AnyStrategy, frame: CandleFrame) -> None:
    """The gate, for strategies that answer signals. Raises BadInput with its evidence."""
    if not isinstance(strategy, Strategy):
        return
    report = check(strategy, frame.rows(0, max(GATED, 4 * strategy.warmup())))
    if not report.ok:
        failed = next(verdict for verdict in (report.causal, report.finite_memory) if not verdict.ok)
        raise BadInput("$.strategy", strategy.name(), f"did not pass the gate: {failed.evidence}")
