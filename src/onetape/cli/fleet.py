"""`onetape backtest` over several books at once: --fleet, the bots of a folder; or a portfolio strategy and several
symbols."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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
from onetape.domain.errors import BadInput

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.backtest.candles import Chosen
    from onetape.backtest.counting import Counter
    from onetape.backtest.holdout import Allowed
    from onetape.backtest.together import Group, Member
    from onetape.domain.bots import BotSpec
    from onetape.domain.results import BacktestSpec, Result
    from onetape.strategies.registry import Registry

_HELP: Final = """\
All bots of the folder as they are configured, over the same past, in time order: what the fleet would have done.

  onetape backtest --fleet config/bots --timerange 20240101-20251231
  onetape backtest --fleet config/bots --one-account 50000 --max-positions 3 --max-exposure 1.5
"""


class Bot(NamedTuple):
    """A bot that may run: what of the candles it may see, and its signals."""

    member: Member
    may: Allowed


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
    limits_of(wish)
    bots = bots_of(wish.fleet)
    found = asyncio.run(fleet(wish, bots))
    if found is None:
        return NOT_HELD
    return tell(wish, found, "bots")


def limits_of(wish: argparse.Namespace) -> Any:
    """The common limits. Raises BadInput naming the flag."""
    from onetape.core.fleet import CommonLimits

    if wish.one_account is not None and not 0 < wish.one_account < 1e15:
        raise BadInput("--one-account", wish.one_account, "not a positive amount of money")
    if wish.max_exposure is not None and not 0 < wish.max_exposure <= 100:
        raise BadInput("--max-exposure", wish.max_exposure, "not in (0, 100]", "1 is the whole equity.")
    if wish.max_positions is not None and wish.max_positions < 1:
        raise BadInput("--max-positions", wish.max_positions, "not a number from 1 on")
    if wish.max_drawdown is not None and not 0 < wish.max_drawdown < 1:
        raise BadInput("--max-drawdown", wish.max_drawdown, "not a rate between 0 and 1", "0.02 is 2 %.")
    plain = CommonLimits()
    return CommonLimits(
        plain.max_exposure if wish.max_exposure is None else float(wish.max_exposure),
        plain.max_positions if wish.max_positions is None else float(wish.max_positions),
        plain.max_drawdown if wish.max_drawdown is None else float(wish.max_drawdown),
    )


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
    from onetape.app.wiring import open_platform
    from onetape.backtest import fleet as fleets
    from onetape.backtest.pages import keep_pages

    keep_pages()
    registry = registry_of(wish)
    strategies = {name: registry.build(bot.strategy, bot.parameters) for name, bot in bots.items()}
    say("opening the database ...")
    async with open_platform(settings_of(wish)) as platform:
        counter = trials.in_database(platform.ledger)
        ready: list[Bot] = []
        frames: dict[tuple[str, str, str], Any] = {}
        for name, bot in bots.items():
            say(f"loading candles for {name} ...")
            found = await prepared(wish, platform, counter, registry, (name, bot, strategies[name]), frames)
            if found is None:
                return None
            ready.append(found)
        say("running ...")
        group = fleets.run([bot.member for bot in ready], limits_of(wish), wish.one_account)
        for one in ready:
            await counted(counter, one, group.members[one.member.name])
        say("")
        if not wish.no_store:
            await platform.runs.put(group.whole)
    return group


async def prepared(
    wish: argparse.Namespace,
    platform: Platform,
    counter: Counter,
    registry: Registry,
    bot: tuple[str, BotSpec, Any],
    frames: dict[tuple[str, str, str], Any],
) -> Bot | None:
    """A bot with its candles and signals, when it passes the gate."""
    from onetape.backtest.candles import choose, instrument_of
    from onetape.backtest.fleet import member_of, spec_of
    from onetape.backtest.margin import settled
    from onetape.domain.accounts import Terms
    from onetape.strategies.contract import signalling

    name, config, built = bot
    strategy = signalling(built)
    start_ts, end_ts = timerange_of(wish.timerange)
    spec = settled(
        spec_of(config, Terms(), start_ts, end_ts),
        await instrument_of(platform.candles, config.exchange, config.symbol), "--fleet",
    )  # fmt: skip
    may = await trials.permitted(
        wish, counter, await choose(platform.candles, spec, strategy.history()), spec, tell_once
    )
    key = (config.exchange, config.symbol, str(may.chosen.fills.timeframe))
    chosen: Chosen = may.chosen._replace(fills=frames.setdefault(key, may.chosen.fills))
    if not wish.no_gate:
        say(f"verifying {name} ...")
        gate = gated(strategy, chosen.frame)
        if gate.failed:
            tell_once(f"onetape backtest: the strategy of {name} did not pass the gate: {gate.failed.evidence}")
            return None
    source_hash = registry.source_hash(config.strategy)
    return Bot(member_of(name, may.spec, (chosen.frame, chosen.fills), strategy, source_hash), may)


async def counted(counter: Counter, bot: Bot, result: Result) -> None:
    """Every bot's run is a trial on its market."""
    from onetape.backtest.counting import Planned, counted_runs

    async def go() -> Result:
        return result

    await counted_runs(counter, bot.may, [Planned(bot.member.spec, bot.member.source_hash, go)])


# --- portfolios


def portfolio(args: Sequence[str]) -> int:
    """`onetape backtest -s NAME --symbol A,B,C` with a strategy that answers weights."""
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
    names = [part.strip().upper().replace("/", "-") for part in wish.symbol.split(",") if part.strip()]
    if len(set(names)) < max(len(names), 2):
        raise BadInput("--symbol", wish.symbol, "not two or more different symbols", "Write BTC-USDT,ETH-USDT.")
    group = asyncio.run(weighed(wish, replaced(spec, timeframe=spec.timeframe or "1h"), strategy, names, registry))
    return NOT_HELD if group is None else tell(wish, group, "symbols")


async def weighed(
    wish: argparse.Namespace, spec: BacktestSpec, strategy: Any, names: Sequence[str], registry: Registry
) -> Group | None:
    """None when the strategy did not pass the gate."""
    from onetape.app.wiring import open_platform
    from onetape.backtest import portfolio as portfolios
    from onetape.backtest.candles import choose, instrument_of
    from onetape.backtest.counting import Planned, counted_runs
    from onetape.backtest.margin import settled

    spec = replaced(spec, strategy=strategy.name(), parameters=strategy.parameters())
    say("opening the database ...")
    async with open_platform(settings_of(wish)) as platform:
        counter = trials.in_database(platform.ledger)
        frames, fills, terms, end_ts = {}, {}, {}, spec.end_ts
        may: Allowed | None = None
        for name in names:
            say(f"loading candles of {name} ...")
            own = replaced(spec, symbol=name)
            chosen = await choose(platform.candles, own, strategy.history())
            own = settled(
                replaced(own, exchange=chosen.frame.exchange),
                await instrument_of(platform.candles, chosen.frame.exchange, name), "--leverage",
            )  # fmt: skip
            may = await trials.permitted(wish, counter, chosen, own, tell_once)
            frames[name], fills[name], terms[name] = may.chosen.frame, may.chosen.fills, own.terms
            if may.spec.end_ts is not None:
                end_ts = may.spec.end_ts if end_ts is None else min(end_ts, may.spec.end_ts)
        if not wish.no_gate and not passes(strategy, portfolios.common(frames)):
            return None
        source_hash = registry.source_hash(strategy.name())
        asked = replaced(spec, end_ts=end_ts)
        say("running ...")
        group = portfolios.run(asked, frames, fills, terms, strategy, source_hash)
        assert may is not None

        async def go() -> Result:
            return group.whole

        await counted_runs(counter, may, [Planned(replaced(may.spec, end_ts=end_ts), source_hash, go)])
        say("")
        if not wish.no_store:
            await platform.runs.put(group.whole)
    return group


def passes(strategy: Any, frames: dict[str, Any]) -> bool:
    """Whether the weights pass the gate, on the candles that all symbols have; otherwise a person is told why."""
    say(f"verifying {strategy.name()} ...")
    gate = gated(strategy, frames)
    if gate.failed:
        tell_once(f"onetape backtest: {strategy.name()} did not pass the gate: {gate.failed.evidence}")
    return gate.ok


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
