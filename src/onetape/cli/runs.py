"""`onetape runs ...`: backtests that are kept: found, shown, compared, made again, deleted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onetape.cli.backtest import say
from onetape.cli.output import DONE, NOT_HELD, Parser, Usage, add_json, print_json
from onetape.cli.stopping import finish
from onetape.domain.errors import BadInput, Conflict, NotFound
from onetape.domain.units import parse_time, rfc3339
from onetape.ports import RUN_FIGURES, RunView

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.backtest.candles import Chosen
    from onetape.domain.results import BacktestSpec
    from onetape.ports import OnlyRuns, StoredRun

    Act = Callable[[Any, Any], Awaitable[int]]

_HELP: Final = """\
  onetape runs list --strategy ema_cross --symbol BTC-USDT --sort sharpe
  onetape runs show last
  onetape runs show 20261125-1218 --html report.html
  onetape runs diff 20261125-121833-0a1b2c3d last
  onetape runs rerun last

RUN is an id of `onetape runs list`, the beginning of one, or `last`, the newest one.

rerun asks the same question once more, of the same stretch of the same candles, and compares every bit. Exit code 3
when the bits, the strategy's code, the candles or the engine are not what they were: it says which.
delete removes the run; the ledger of trials still counts it.
"""
ACTIONS: Final = ("list", "show", "diff", "rerun", "delete")
FILTERS: Final = ("strategy", "exchange", "symbol", "timeframe")
SORTS: Final = ("newest", *RUN_FIGURES)
PAGE: Final = 1000


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape runs", description="Stored backtests.", epilog=_HELP)
    actions = top.add_subparsers(dest="action", metavar="|".join(ACTIONS), parser_class=Parser)
    for action in ACTIONS:
        one = actions.add_parser(action, prog=f"onetape runs {action}")
        if action == "list":
            _add_filters(one)
        elif action == "diff":
            one.add_argument("runs", nargs=2, metavar="RUN")
        else:
            one.add_argument("run", metavar="RUN")
        if action == "show":
            one.add_argument("--html", type=Path, metavar="FILE", help="the report with charts, as one file")
        if action == "rerun":
            one.add_argument(
                "--file", type=Path, metavar="FILE", help="the candle file of a run that was made from one"
            )
            one.add_argument("--strategies", type=Path, metavar="DIR", help="a folder of strategy files of your own")
        one.add_argument("--data-dir", type=Path, metavar="DIR", help="where the embedded database lives")
        add_json(one)
    return top


def _add_filters(one: argparse.ArgumentParser) -> None:
    for name, example in zip(FILTERS, ("ema_cross", "okx", "BTC-USDT", "1h"), strict=True):
        one.add_argument(f"--{name}", default="", metavar=example)
    one.add_argument("--text", default="", metavar="WORDS", help="in the id, the names or the parameters: fast=5")
    one.add_argument("--since", metavar="2026-11-01", help="stored then or later")
    one.add_argument("--until", metavar="2026-12-01", help="stored before")
    one.add_argument("--sort", choices=SORTS, default="newest", help="best first; the newest first by default")
    one.add_argument("--limit", type=int, default=20, metavar="N", help="at most so many (20); 0 = all")


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    chosen = parser().parse_args(list(args))
    if chosen.action is None:
        raise Usage(f"say what to do: {', '.join(ACTIONS)}. `onetape runs --help` shows examples.")
    if getattr(chosen, "html", None) and not chosen.html.expanduser().resolve().parent.is_dir():
        raise BadInput("--html", str(chosen.html), "in a folder that does not exist", "Make the folder first.")
    if getattr(chosen, "limit", 0) < 0:
        raise BadInput("--limit", chosen.limit, "less than 0", "0 shows all.")
    return finish(_run(chosen))


async def _run(chosen: Any) -> int:
    from onetape.app.where import chosen as chosen_settings
    from onetape.app.wiring import open_platform

    settings = chosen_settings(chosen.data_dir)
    if getattr(chosen, "strategies", None):
        settings = settings.model_copy(update={"strategies": chosen.strategies.absolute()})
    async with open_platform(settings) as platform:
        return await _DOES[chosen.action](platform, chosen)


# --- finding


def only_of(chosen: Any) -> OnlyRuns:
    """Those that the flags name. Raises BadInput."""
    from onetape.ports import OnlyRuns

    given = {name: getattr(chosen, name).strip() for name in FILTERS}
    return OnlyRuns(
        strategy=given["strategy"],
        exchange=given["exchange"].lower(),
        symbol=given["symbol"].upper().replace("/", "-"),
        timeframe=given["timeframe"],
        text=chosen.text,
        since_ts=parse_time(chosen.since, "--since") if chosen.since else None,
        until_ts=parse_time(chosen.until, "--until") if chosen.until else None,
        sort="" if chosen.sort == "newest" else chosen.sort,
    )


async def _id(platform: Platform, text: str) -> str:
    """The whole id of the run that a person means. Raises NotFound, Conflict when several begin so."""
    from onetape.ports import OnlyRuns

    if text == "last":
        newest = (await platform.runs.list(1)).views
        if not newest:
            raise NotFound("RUN", text, "no run is stored", "`onetape backtest` stores one.")
        return newest[0].run_id
    page = await platform.runs.list(3, only=OnlyRuns(begins=text))
    found = [view.run_id for view in page.views]
    if text in found:
        return text
    if not found:
        raise NotFound("RUN", text, "not a stored run", "`onetape runs list` shows them.")
    if len(found) > 1:
        shown = ", ".join(found) + (" and others" if page.fitting > len(found) else "")
        raise Conflict("RUN", text, f"the beginning of several runs: {shown}", "Write more of it.")
    return found[0]


async def _stored(platform: Platform, text: str) -> StoredRun:
    return await platform.runs.get(await _id(platform, text))


# --- doing


async def _list(platform: Platform, chosen: Any) -> int:
    from onetape.cli import runs_report

    only, cursor, left = only_of(chosen), "", chosen.limit or sys.maxsize
    shown: list[RunView] = []
    while True:
        views, cursor, fitting = await platform.runs.list(min(left, PAGE), cursor, only)
        shown += views
        left -= len(views)
        if not cursor or not left:
            break
    if chosen.json:
        print_json({"items": [runs_report.summary(view) for view in shown], "all": fitting})
    else:
        runs_report.listed(shown, fitting)
    return DONE


async def _show(platform: Platform, chosen: Any) -> int:
    from onetape.backtest.report import document

    stored = await _stored(platform, chosen.run)
    if chosen.json:
        print_json(document(stored) | {"created": rfc3339(stored.view.created_ts), "trade_list": stored.trades})
    else:
        from onetape.cli.backtest_report import show

        show([stored])
    if chosen.html:
        from onetape.dashboard.report_candles import candles_of
        from onetape.dashboard.report_html import page

        candles = await candles_of(platform.candles, stored.view)
        chosen.html.expanduser().write_text(page([stored], [candles]), encoding="utf-8")
        print(f"Report: {chosen.html}", file=sys.stderr)
    return DONE


async def _diff(platform: Platform, chosen: Any) -> int:
    from onetape.backtest.rundiff import diff
    from onetape.cli import runs_report

    found = diff(*[await _stored(platform, text) for text in chosen.runs])
    if chosen.json:
        print_json(found)
    else:
        runs_report.differing(found)
    return DONE


async def _rerun(platform: Platform, chosen: Any) -> int:
    from onetape.app.research import means_of
    from onetape.backtest.again import again
    from onetape.cli import runs_report, trials

    stored = await _stored(platform, chosen.run)
    for error in platform.registry.errors:
        print(f"onetape runs: left out: {error}", file=sys.stderr)
    found = await again(means_of(platform, trials.user()), stored, say, from_file(chosen.file, stored.view.spec))
    say("")
    if chosen.json:
        print_json(found)
    else:
        runs_report.rerun(found)
    return DONE if found.same and not found.changed else NOT_HELD


def from_file(file: Path | None, spec: BacktestSpec) -> Chosen | None:
    if file is None:
        return None
    from onetape.archive import read
    from onetape.backtest.candles import split

    return split(read(file, symbol=spec.symbol, exchange=spec.exchange or None).frame, spec)


async def _delete(platform: Platform, chosen: Any) -> int:
    run_id = await _id(platform, chosen.run)
    await platform.runs.delete(run_id)
    if chosen.json:
        print_json({"deleted": run_id})
    else:
        print(f"{run_id} is deleted. The ledger of trials still counts it.")
    return DONE


_DOES: Final[dict[str, Act]] = {"list": _list, "show": _show, "diff": _diff, "rerun": _rerun, "delete": _delete}
