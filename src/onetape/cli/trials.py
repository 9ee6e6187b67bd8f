"""What `onetape backtest` does about the ledger of trials: which one, the seal, the one opening of a strategy."""

from __future__ import annotations

import argparse
import getpass
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from onetape.cli.output import Usage

if TYPE_CHECKING:
    from onetape.backtest.candles import Chosen
    from onetape.backtest.counting import Counter
    from onetape.backtest.holdout import Allowed
    from onetape.domain.results import BacktestSpec
    from onetape.ports import TrialLedger
    from onetape.settings import Settings

FILE = "trials.jsonl"  # under the data directory


def add_flags(top: argparse.ArgumentParser) -> None:
    sealed = top.add_argument_group("the last part of the data")
    sealed.add_argument(
        "--holdout", metavar="SHARE|DAY|off", help="seal it: 0.2 or 2024-06-01; every run ends before it from then on"
    )
    sealed.add_argument(
        "--open-holdout", action="store_true", help="run on what is sealed, once for each strategy and market"
    )


def check_flags(wish: argparse.Namespace, families: list[str]) -> None:
    """Raises Usage before anything is opened."""
    if wish.holdout and wish.open_holdout:
        raise Usage("--holdout and --open-holdout exclude each other: seal first, open at the end.")
    if wish.open_holdout and len(set(families)) < len(families):
        raise Usage("--open-holdout runs each strategy once: name every strategy with one set of parameters only.")


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}"


def in_database(ledger: TrialLedger) -> Counter:
    from onetape.backtest.counting import Counter
    from onetape.clock import RealClock

    return Counter(ledger, RealClock(), user())


@asynccontextmanager
async def without_candles(settings: Settings) -> AsyncIterator[Counter]:
    """For runs on a candle file: the database that an address is given for, else a file under the data directory."""
    async with AsyncExitStack() as stack:
        if settings.database_url:
            from onetape.storage.migrate import migrate
            from onetape.storage.pool import open_pool
            from onetape.storage.trials import PgTrialLedger

            await migrate(settings.database_url)
            pool = await open_pool(settings.database_url)
            stack.push_async_callback(pool.close)
            yield in_database(PgTrialLedger(pool))
            return
        from onetape.storage.journal import FileTrialLedger

        yield in_database(FileTrialLedger(settings.data_dir / FILE))


async def taken_over(data_dir: Path, ledger: TrialLedger, exchange: str, symbol: str) -> None:
    """What was run straight from files counts in the database too."""
    if not (data_dir / FILE).exists():
        return
    from onetape.storage.journal import FileTrialLedger

    await FileTrialLedger(data_dir / FILE).hand_over(ledger, exchange, symbol)


async def permitted(
    wish: argparse.Namespace, counter: Counter, chosen: Chosen, spec: BacktestSpec, say: Callable[[str], None]
) -> Allowed:
    """Seals or lifts as the flags say, then gives what of the candles may be seen."""
    from onetape.backtest.holdout import allowed, data_of, seal

    if wish.holdout:
        whole = data_of(chosen, spec)
        say(await seal(counter.ledger, whole, wish.holdout.strip().lower(), counter.clock.now(), counter.who))
    return await allowed(counter.ledger, chosen, spec, wish.open_holdout)
