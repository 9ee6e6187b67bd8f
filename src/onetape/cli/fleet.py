"""`onetape backtest` over several books at once: --fleet, the bots of a folder; or a portfolio strategy and several
symbols."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onetape.cli import backtest, trials
from onetape.cli.backtest import (
    build,
    check_outputs,
    gated,
    registry_of,
    replaced,
    say,
    settings_of,
    tell_once,
    timerange_of,
    write_json,
)
from onetape.cli.output import DONE, NOT_HELD, Parser, Usage, print_json
from onetape.cli.stopping import finish
from onetape.domain.errors import BadInput

if TYPE_CHECKING:
    from onetape.backtest.candles import Chosen
    from onetape.backtest.holdout import Allowed
    from onetape.backtest.means import Means
    from onetape.backtest.together import Group
    from onetape.domain.bots import BotSpec
    from onetape.domain.results import BacktestSpec

_HELP: Final = """\
All bots of the folder as they are configured, over the same past, in time order: what the fleet would have done.

  onetape backtest --fleet config/bots --timerange 20240101-20251231
  onetape backtest --fleet config/bots --one-account 50000 --max-positions 3 --max-exposure 1.5
"""


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape backtest --fleet", description="Bots together over the past.", epilog=_HELP)
    top.add_argument("--fleet", type=Path, required=True, metavar="DIR", help="the folder of the bots' JSON files")
    top.add_argument("--strategies", type=Path, metavar="DIR", help="a folder of strategy files of your own")
    top.add_argument("--timerange", default="", metavar="20180101-20191231", help="end day included; an end may lack")
    top.add_argument("--data-dir", type=Path, metavar="DIR", help="where the embedded database lives")
    common = top.add_argument_group("what all bots share")
    common.add_argument("--one-account", type=float, metavar="CASH", help="one account for all bots")
    common.add_argument("--max-exposure", type=float, metavar="X", help="all positions over the equity of all")
    common.add_argument("--max-positions", type=int, metavar="N", help="bots that hold something at once")
    common.add_argument("--max-drawdown", type=float, metavar="RATE", help="of all equity: close all and halt")
    out = top.add_argument_group("output")
    out.add_argument("--json", nargs="?", const="-", metavar="FILE", help="the figures as JSON; - is standard output")
    out.add_argument("--html", type=Path, metavar="FILE", help="a report with charts that opens without a network")
    out.add_argument("--no-gate", action="store_true", help="do not prove that the strategies are causal first")
    out.add_argument("--no-store", action="store_true", help="do not keep the runs")
    return top


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    wish = parser().parse_args(args)
    wish.holdout, wish.open_holdout = "", False
    check_outputs(wish)
    shared_of(wish)
    bots = bots_of(wish.fleet)
    found = finish(fleet(wish, bots))
    if found is None:
        return NOT_HELD
    return tell(wish, found, "bots")


def shared_of(wish: argparse.Namespace) -> tuple[Any, float | None]:
    """The common limits and the one account. Raises BadInput naming the flag."""
    from onetape.backtest.fleet import cash_of, limits_of

    limits = limits_of(wish.max_exposure, wish.max_positions, wish.max_drawdown, flag)
    return limits, cash_of(wish.one_account, flag)


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def bots_of(folder: Path) -> dict[str, BotSpec]:
    """The bots of a folder, `config/bots` or the one above it. Refused whole when a file is wrong."""
    from onetape.bots.files import read_all

    place = folder.expanduser()
    if not place.is_dir():
        raise BadInput("--fleet", str(folder), "not a folder", "Name the folder that holds your bots, config/bots.")
    specs, errors = read_all(place.parent if place.name == "bots" else place)
    if errors:
        raise BadInput("--fleet", str(folder), "holds files that are no bots: " + " ".join(str(e) for e in errors))
    if not specs:
        raise BadInput("--fleet", str(folder), "without a bot", "`onetape bot create` writes one.")
    return specs


async def fleet(wish: argparse.Namespace, bots: Mapping[str, BotSpec]) -> Group | None:
    """All bots together; None when one did not pass the gate."""
    from onetape.backtest.fleets import Fleet, run

    start_ts, end_ts = timerange_of(wish.timerange)
    asked = Fleet(bots, start_ts, end_ts, *shared_of(wish))
    return await kept(wish, lambda means: run(means, asked, say, None if wish.no_gate else gated))


async def kept(wish: argparse.Namespace, make: Callable[[Means], Awaitable[Group | str]]) -> Group | None:
    """What is made of stored candles, and stored; None, and a person is told why, where the gate refused it."""
    from onetape.app.research import means_of
    from onetape.app.wiring import open_platform
    from onetape.backtest.pages import keep_pages

    keep_pages()
    say("opening the database ...")
    async with open_platform(settings_of(wish)) as platform:
        for error in platform.registry.errors:
            tell_once(f"onetape backtest: left out: {error}")
        found = await make(means_of(platform, trials.user()))
        say("")
        if isinstance(found, str):
            tell_once(f"onetape backtest: {found}")
            return None
        if not wish.no_store:
            await platform.runs.put(found.whole)
    return found


# --- portfolios


def portfolio(args: Sequence[str]) -> int:
    """`onetape backtest -s NAME --symbol A,B,C` with a strategy that answers weights."""
    from onetape.backtest.portfolios import symbols_of
    from onetape.strategies.portfolio import Portfolio

    wish = backtest.parser().parse_args(args)
    check_outputs(wish)
    spec, wanted = backtest.spec_of(wish), [backtest.entry_of(text) for text in wish.strategy]
    trials.check_flags(wish, [one.name for one in wanted])
    registry = registry_of(wish)
    if len(wanted) > 1:
        raise Usage("Several symbols are for one portfolio strategy at a time.")
    strategy = build(registry, wish, wanted[0], wanted)
    if not isinstance(strategy, Portfolio):
        raise BadInput(
            "--symbol", wish.symbol, f"several, but {strategy.name()} trades one instrument",
            "Name one symbol, or a portfolio strategy such as rotation.",
        )  # fmt: skip
    if wish.file:
        raise Usage("A portfolio runs on stored candles: import the files first (onetape data import FILE ...).")
    names = symbols_of(wish.symbol, "--symbol")
    group = finish(weighed(wish, replaced(spec, timeframe=spec.timeframe or "1h"), strategy, names))
    return NOT_HELD if group is None else tell(wish, group, "symbols")


async def weighed(wish: argparse.Namespace, spec: BacktestSpec, strategy: Any, names: Sequence[str]) -> Group | None:
    """None when the strategy did not pass the gate."""
    from onetape.backtest.portfolios import run

    def make(means: Means) -> Awaitable[Group | str]:
        async def permit(chosen: Chosen, own: BacktestSpec) -> Allowed:
            return await trials.permitted(wish, means.counter, chosen, own, tell_once)

        return run(means, spec, strategy, names, say, None if wish.no_gate else gated, permit)

    return await kept(wish, make)


# --- telling


def tell(wish: argparse.Namespace, group: Group, word: str) -> int:
    if wish.json == "-":
        print_json(document(group, word))
    else:
        from onetape.cli import fleet_report

        fleet_report.show(group, word)
        if wish.json:
            write_json(Path(wish.json), document(group, word))
    if wish.html:
        from onetape.backtest.report import kept
        from onetape.dashboard.report_html import page

        results = [group.whole, *group.members.values()]
        written = page([kept(result) for result in results], [result.candles for result in results])
        wish.html.expanduser().write_text(written, encoding="utf-8")
        say(f"Report: {wish.html}")
    return DONE


def document(group: Group, word: str) -> dict[str, Any]:
    from onetape.backtest import report

    run = report.kept(group.whole)
    whole = report.document(run) | {"trade_list": run.trades}
    return whole | {word: {name: report.document(report.kept(one)) for name, one in group.members.items()}}
