"""`onetape walkforward`: search on the past, trade what follows unseen, move on; what was traded is one curve."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onetape.cli import backtest, optimize
from onetape.cli.output import DONE, NOT_HELD, Usage, print_json
from onetape.cli.stopping import finish
from onetape.domain.units import parse_span

if TYPE_CHECKING:
    from onetape.backtest.search.sweep import Step
    from onetape.domain.walkforward import Walk, WalkWish

_HELP: Final = """\
In each window the parameters are searched on --train of the past, as `onetape optimize` does, and the recommended ones
trade the --test that follows, which the search has not seen. Then both move on by --test.

  onetape walkforward -s sma_cross --space fast=5:50:5 --space slow=20:200:20 --constraint "fast < slow" \\
      --symbol BTC-USDT --timeframe 1h --train 180d --test 30d
  onetape walkforward -s ema_cross --symbol BTC-USDT --train 365d --test 60d --anchored --embargo 2d

Each window begins flat; what it holds at its end is sold at the last close. Every trial counts in the ledger.
"""


def parser() -> argparse.ArgumentParser:
    top = optimize.parser()
    top.prog, top.description, top.epilog = "onetape walkforward", "Search, trade what follows, move on.", _HELP
    walk = top.add_argument_group("walk")
    walk.add_argument("--train", default="180d", metavar="180d", help="how much of the past is searched (180d)")
    walk.add_argument("--test", default="30d", metavar="30d", help="how much is traded after it (30d)")
    walk.add_argument("--anchored", action="store_true", help="every search begins where the first one did")
    walk.add_argument("--purge", default="0", metavar="1d", help="cut off the end of what is searched (0)")
    walk.add_argument("--embargo", default="0", metavar="1d", help="left out between search and trade (0)")
    return top


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    wish = parser().parse_args(args)
    backtest.check_outputs(wish)
    if wish.resume:
        raise Usage("A walk is not taken up again: its searches are counted, begin it anew.")
    if wish.open_holdout:
        raise Usage("--open-holdout opens the sealed part for one backtest, never for a search.")
    if len(wish.strategy or ()) != 1:
        raise Usage("-s names the one strategy to walk with.")
    return finish(go(wish))


def wish_of(wish: argparse.Namespace) -> WalkWish:
    """The question. Raises BadInput naming the flag."""
    from onetape.domain.walkforward import WalkWish

    return WalkWish(
        search=optimize.wish_of(wish),
        train=parse_span(wish.train, "--train"),
        test=parse_span(wish.test, "--test"),
        anchored=wish.anchored,
        purge=parse_span(wish.purge, "--purge"),
        embargo=parse_span(wish.embargo, "--embargo"),
    )


async def go(wish: argparse.Namespace) -> int:
    from onetape.cli import walk_report

    asked = wish_of(wish)
    async with AsyncExitStack() as stack:
        walk = await _walked(wish, asked, stack)
    if walk is None:
        return NOT_HELD
    if wish.json == "-":
        print_json(document(walk))
    else:
        walk_report.show(walk)
        if wish.json:
            backtest.write_json(Path(wish.json), document(walk))
    if wish.html:
        from onetape.backtest.report import kept
        from onetape.dashboard.report_html import page
        from onetape.dashboard.walk_html import section

        text = page([kept(walk.whole)], [walk.whole.candles], section(walk))
        wish.html.expanduser().write_text(text, encoding="utf-8")
        print(f"Report: {wish.html}", file=sys.stderr)
    return DONE


async def _walked(wish: argparse.Namespace, asked: WalkWish, stack: AsyncExitStack) -> Walk | None:
    """None when the strategy did not pass the gate."""
    from onetape.backtest.search.answer import first_strategy
    from onetape.backtest.search.store import FileSearchStore
    from onetape.backtest.walkforward import walked

    registry = backtest.registry_of(wish)
    strategy = first_strategy(registry, asked.search)
    files = FileSearchStore(backtest.settings_of(wish).data_dir / optimize.FOLDER)
    platform = None if asked.search.file else await optimize.platform_of(wish, stack)
    stores, may = await optimize.opened(wish, asked.search, strategy.history(), platform, files, stack)
    if not wish.no_gate and not optimize.passes(strategy, may):
        return None
    walk = await walked(asked, registry, may, stores, Meter())
    backtest.say("")
    if platform is not None and not wish.no_store:
        await platform.runs.put(walk.whole)
    return walk


class Meter:
    """The line of progress."""

    def __init__(self) -> None:
        self._shown, self._begun = 0.0, time.monotonic()

    def __call__(self, window: int, windows: int, step: Step) -> None:
        now = time.monotonic()
        if now - self._shown < 0.1:
            return
        self._shown = now
        done = window + (step.done / step.total if step.total else 0.0)
        left = f", {optimize.span((now - self._begun) * (windows - done) / done)} left" if done > 0.0 else ""
        backtest.say(f"window {window + 1} of {windows}: {step.done:,} of {step.total:,} trials{left}")


def document(walk: Walk) -> dict[str, Any]:
    """The stitched run as any other, with its windows."""
    from onetape.backtest import report
    from onetape.backtest.walkwords import documents

    run = report.kept(walk.whole)
    return report.document(run) | {
        "windows": documents(walk.view),
        "kept": walk.view.kept,
        "kept_cagr": walk.view.kept_cagr,
        "trade_list": run.trades,
    }
