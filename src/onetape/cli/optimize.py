"""`onetape optimize`: search a strategy's parameters over the past, and say how far what is found can be trusted."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onetape.cli import backtest, trials
from onetape.cli.costs import with_rates
from onetape.cli.output import DONE, NOT_HELD, Parser, Usage, print_json
from onetape.cli.stopping import finish
from onetape.domain.instrument import Instrument
from onetape.domain.searches import METHODS, SearchWish

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.backtest.holdout import Allowed
    from onetape.backtest.search.answer import Found, Stores
    from onetape.backtest.search.store import FileSearchStore
    from onetape.backtest.search.sweep import Plan, Step
    from onetape.backtest.search.workers import Workers
    from onetape.ports import SearchStore
    from onetape.strategies.contract import AnyStrategy
    from onetape.strategies.registry import Registry

FOLDER: Final = "searches"  # under the data directory
_HELP: Final = """\
Every combination of the spaces is run like a backtest, counted in the ledger of trials like one, and judged together
with its neighbours: what is recommended is not the highest score but the one that holds when the parameters change a
little. docs/optimising.md explains the report.

  onetape optimize -s sma_cross --space fast=5:50:5 --space slow=20:200:10 --constraint "slow > 2 * fast" \\
      --symbol BTC-USDT --timeframe 1h --holdout 0.2
  onetape optimize -s ema_cross --symbol BTC-USDT --method tpe --trials 300 --objective sharpe --objective max_drawdown
  onetape optimize -s sma_cross --file candles.csv --objective mine.py:score --html search.html
  onetape optimize --resume 3f9c2a77d1e0

Spaces: `low:high:step` of a number, `low:high` of one without steps (whole numbers: every one), `a,b,c` of a choice.
Without --space every parameter that is a number is searched, from a fourth of its default to four times it.
"""


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape optimize", description="Search a strategy's parameters.", epilog=_HELP)
    backtest.with_flags(top, required=False)
    how = top.add_argument_group("search")
    how.add_argument("--space", action="append", default=[], metavar="K=LOW:HIGH:STEP", help="what is tried; repeat it")
    how.add_argument("--method", choices=METHODS, default="grid", help="grid")
    how.add_argument(
        "--objective", action="append", default=[], metavar="FIGURE|FILE.py:FUNCTION",
        help="what is looked for: sharpe; several give the trials that no other beats in all",
    )  # fmt: skip
    how.add_argument("--constraint", action="append", default=[], metavar="RULE", help='"fast < slow"; repeat it')
    how.add_argument("--trials", type=int, default=0, metavar="N", help="at most so many (random and tpe: 200)")
    how.add_argument("--jobs", type=int, default=0, metavar="N", help="workers; one for each core")
    how.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed draws the same trials (1)")
    how.add_argument(
        "--cluster", metavar="ADDRESS|local", help="a Dask scheduler (tcp://host:8786), or processes started here"
    )
    how.add_argument("--resume", metavar="ID", help="go on with a search that was stopped or killed")
    return top


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    wish = parser().parse_args(args)
    backtest.check_outputs(wish)
    if wish.open_holdout:
        raise Usage(
            "--open-holdout opens the sealed part for one backtest, never for a search: its trials would wear it out."
        )
    if wish.resume:
        return finish(go(wish, None))
    if len(wish.strategy or ()) != 1:
        raise Usage("-s names the one strategy to search; `onetape backtest` compares several.")
    return finish(go(wish, wish_of(wish)))


def wish_of(wish: argparse.Namespace) -> SearchWish:
    """The question, its strategy's fixed parameters in it as they were written. Raises BadInput naming the flag."""
    from onetape.backtest.search.spaces import parse_spaces

    one = backtest.entry_of(wish.strategy[0])
    settings = backtest.settings_for(one, wish.set, [one.name])
    spec = backtest.replaced(backtest.spec_of(wish), strategy=one.name, parameters=settings)
    return SearchWish(
        spec=spec,
        spaces=parse_spaces(wish.space),
        method=wish.method,
        objectives=tuple(wish.objective) or ("sharpe",),
        constraints=tuple(wish.constraint),
        trials=wish.trials,
        jobs=wish.jobs,
        seed=wish.seed,
        file=str(wish.file.expanduser().resolve()) if wish.file else "",
    )


async def go(wish: argparse.Namespace, asked: SearchWish | None) -> int:
    """Opens what is needed, searches, tells."""
    from onetape.cli import optimize_report

    registry = backtest.registry_of(wish)
    async with AsyncExitStack() as stack:
        found = await _searched(wish, asked, registry, stack)
    if found is None:
        return NOT_HELD
    document = optimize_report.document(found.result, found.best)
    if wish.json == "-":
        print_json(document)
    else:
        optimize_report.show(found.result, found.best)
        if wish.json:
            backtest.write_json(Path(wish.json), document)
    if wish.html:
        from onetape.dashboard.search_html import page

        wish.html.expanduser().write_text(page(found.result, found.best), encoding="utf-8")
        print(f"Report: {wish.html}", file=sys.stderr)
    return DONE


async def _searched(
    wish: argparse.Namespace, asked: SearchWish | None, registry: Registry, stack: AsyncExitStack
) -> Found | None:
    """None when the strategy did not pass the gate."""
    from onetape.backtest.search.answer import first_strategy, prepared, searched
    from onetape.backtest.search.store import FileSearchStore

    files = FileSearchStore(backtest.settings_of(wish).data_dir / FOLDER)
    resumed = await files.known(wish.resume) if wish.resume else None
    question = resumed.wish if resumed else asked
    platform = None
    if question is None or not question.file:
        platform = await platform_of(wish, stack)
        if wish.resume:
            resumed = await platform.searches.get(wish.resume)
            question = resumed.wish
    assert question is not None
    strategy = first_strategy(registry, question)
    stores, may = await opened(wish, question, strategy.history(), platform, files, stack)
    made = prepared(question, registry, may, stores, resumed)
    if not wish.no_gate and not passes(strategy, may):
        return None
    backtest.tell_once(f"search {made.search.id} ({question.method})")
    found = await searched(made, may, stores, Meter(made.search.id), _crew(wish))
    backtest.say("")
    if platform is not None and found.best is not None and not wish.no_store:
        await platform.runs.put(found.best)
    return found


async def platform_of(wish: argparse.Namespace, stack: AsyncExitStack) -> Platform:
    from onetape.app.wiring import open_platform

    backtest.say("opening the database ...")
    return await stack.enter_async_context(open_platform(backtest.settings_of(wish)))


async def opened(
    wish: argparse.Namespace,
    question: SearchWish,
    warmup: int,
    platform: Platform | None,
    files: FileSearchStore,
    stack: AsyncExitStack,
) -> tuple[Stores, Allowed]:
    """Candles, ledger and store. A warm-up that grows with the parameters is found out trial by trial."""
    from onetape.app.recorded import recording
    from onetape.backtest.candles import choose, instrument_of, split
    from onetape.backtest.margin import settled
    from onetape.backtest.pages import keep_pages
    from onetape.backtest.search.answer import Stores

    keep_pages()
    spec = question.spec
    if platform is None:
        wish.file, wish.symbol, wish.exchange = Path(question.file), spec.symbol or None, spec.exchange
        candles = backtest.frame_of(wish)
        timeframe = spec.timeframe or str(candles.timeframe)
        spec = backtest.replaced(spec, exchange=candles.exchange, symbol=candles.symbol, timeframe=timeframe)
        instrument = Instrument.unknown(candles.exchange, candles.symbol)
        counter = await stack.enter_async_context(trials.without_candles(backtest.settings_of(wish)))
        chosen = split(candles, spec)
        store: SearchStore = files
    else:
        backtest.say("loading candles ...")
        spec = backtest.replaced(spec, timeframe=spec.timeframe or "1h")
        chosen = await choose(platform.candles, spec, warmup)
        exchange = chosen.frame.exchange
        spec = backtest.replaced(spec, exchange=exchange)
        instrument = await instrument_of(platform.candles, exchange, spec.symbol)
        await trials.taken_over(platform.settings.data_dir, platform.ledger, exchange, spec.symbol)
        counter, store = trials.in_database(platform.ledger), platform.searches
    spec = settled(spec, instrument, "--leverage")
    if platform is not None:
        backtest.say("reading what was recorded ...")
        chosen = await recording(platform)(chosen, spec)
    chosen = with_rates(chosen, wish.funding_file)
    may = await trials.permitted(wish, counter, chosen, spec, backtest.tell_once)
    return Stores(counter.ledger, store, counter.clock, counter.who), may


def _crew(wish: argparse.Namespace) -> Callable[[Plan], Workers] | None:
    if not wish.cluster:
        return None
    from onetape.backtest.search.cluster import Cluster

    return lambda plan: Cluster(plan.ground, wish.cluster, wish.jobs)


def passes(strategy: AnyStrategy, may: Allowed) -> bool:
    """The gate, on the fixed parameters and the defaults of the others."""
    backtest.say(f"verifying {strategy.name()} ...")
    report = backtest.gated(strategy, may.chosen.frame)
    backtest.say("")
    if report is None or report.ok:
        return True
    failed = next(verdict for verdict in (report.causal, report.finite_memory) if not verdict.ok)
    print(f"onetape optimize: {strategy.name()} did not pass the gate: {failed.evidence}", file=sys.stderr)
    return False


class Meter:
    """The line of progress: how much is done, how long it takes yet, the best so far."""

    def __init__(self, search_id: str) -> None:
        self._id, self._shown = search_id, 0.0

    def __call__(self, step: Step) -> None:
        now = time.monotonic()
        if now - self._shown < 0.1 and step.done < step.total:
            return
        self._shown = now
        best = ""
        if step.best is not None and step.best.values[0] is not None:
            given = ", ".join(f"{name}={value}" for name, value in step.best.parameters.items())
            best = f"; best so far {step.best.values[0]:,.4g} ({given})"
        left = "" if step.left_s is None else f", {span(step.left_s)} left"
        backtest.say(f"search {self._id}: {step.done:,} of {step.total:,} trials{left}{best}")


def span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"
