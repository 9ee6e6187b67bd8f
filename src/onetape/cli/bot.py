"""`onetape bot ...`: bots by hand. Works beside a running platform and without one: the wish waits in the database."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from onetape.cli.output import DONE, Parser, Usage, add_json, print_json
from onetape.cli.stopping import finish
from onetape.domain.errors import BadInput, Conflict

if TYPE_CHECKING:
    from onetape.app.wiring import Platform
    from onetape.domain.bots import BotSpec, BotView

    Act = Callable[[Any, Any], Awaitable[list[BotView]]]

_HELP: Final = """\
  onetape bot list
  onetape bot create trend -s ema_cross --symbol BTC-USDT --timeframe 1h --set fast=10 --capital 5000 --start
  onetape bot create --file trend.json
  onetape bot stop trend

start   decides and trades from the next candle on
pause   enters nothing more; protective exits stay, and signals to leave are obeyed
stop    cancels all resting orders, protective ones too, and keeps the position; start goes on with it
delete  a stopped bot; its orders and fills stay in the database
"""
ACTIONS: Final = ("list", "create", "show", "start", "pause", "stop", "delete")
_WISHES: Final = {"start": "running", "pause": "paused", "stop": "stopped"}
_RATES: Final = ("stop", "take", "trail", "max_drawdown", "max_exposure", "max_order_notional")


def parser() -> argparse.ArgumentParser:
    top = Parser(prog="onetape bot", description="List, create, start, pause, stop and delete bots.", epilog=_HELP)
    actions = top.add_subparsers(dest="action", metavar="|".join(ACTIONS), parser_class=Parser)
    for action in ACTIONS:
        one = actions.add_parser(action, prog=f"onetape bot {action}")
        if action == "create":
            _add_spec(one)
        elif action != "list":
            one.add_argument("name", metavar="NAME")
        one.add_argument("--data-dir", type=Path, metavar="DIR", help="where the embedded database lives")
        add_json(one)
    return top


def _add_spec(one: argparse.ArgumentParser) -> None:
    one.add_argument("name", metavar="NAME", nargs="?", help="a-z, 0-9, - and _")
    one.add_argument("--file", type=Path, metavar="JSON", help="the whole bot as a JSON file instead of flags")
    one.add_argument("-s", "--strategy", metavar="TAG")
    one.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a parameter; may be repeated")
    one.add_argument("--exchange", metavar="okx", help="default okx, in the demo demo")
    one.add_argument("--symbol", metavar="BTC-USDT")
    one.add_argument("--timeframe", metavar="1h", default="1h", help="default 1h")
    one.add_argument("--capital", type=float, help="default 10000")
    one.add_argument("--sizing", help="fraction:0.95 (default), quote:1000, qty:1 or risk:0.01")
    for name in ("fee-maker", "fee-taker", "slippage"):
        one.add_argument(f"--{name}", type=float, metavar="RATE", help="0.001 is 0.1 %%")
    for name in _RATES:
        one.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="NUMBER", help="a limit; see the docs")
    one.add_argument("--allow-short", action="store_true")
    one.add_argument("--start", action="store_true", help="start it at once")
    one.add_argument("--strategies", type=Path, metavar="DIR", help="a folder of your own strategy files")


def main(verb: str, args: Sequence[str]) -> int:  # noqa: ARG001
    chosen = parser().parse_args(list(args))
    if chosen.action is None:
        raise Usage(f"say what to do: {', '.join(ACTIONS)}. `onetape bot --help` shows examples.")
    return finish(_run(chosen))


async def _run(chosen: Any) -> int:
    from onetape.app.where import chosen as chosen_settings
    from onetape.app.wiring import open_platform
    from onetape.observe import configure

    configure("warning")
    settings = chosen_settings(chosen.data_dir)
    if getattr(chosen, "strategies", None):
        settings = settings.model_copy(update={"strategies": chosen.strategies.absolute()})
    async with open_platform(settings) as platform:
        act: Act = _DOES.get(chosen.action, _wish)
        shown = await act(platform, chosen)
    if chosen.json:
        from onetape.api import wire

        items = [wire.bot(view) for view in shown]
        print_json({"items": items} if chosen.action == "list" else items[0] if items else {"deleted": chosen.name})
    else:
        _print(chosen.action, chosen.name if "name" in chosen else "", shown)
    return DONE


async def _list(platform: Platform, _: Any) -> list[BotView]:
    return await platform.bots.list()


async def _show(platform: Platform, chosen: Any) -> list[BotView]:
    return [await platform.bots.get(chosen.name)]


async def _create(platform: Platform, chosen: Any) -> list[BotView]:
    import msgspec

    from onetape.bots import files
    from onetape.domain.bots import BotStatus

    spec = _from_file(chosen) if chosen.file else _from_flags(platform, chosen)
    if any(view.spec.name == spec.name for view in await platform.bots.list()):
        raise Conflict("name", spec.name, "the name of a bot that exists", "Choose another name.")
    strategy = platform.registry.build(spec.strategy, spec.parameters)
    spec = msgspec.structs.replace(spec, parameters=strategy.parameters())
    await platform.bots.put(spec)
    files.write(platform.settings.config_dir, spec)
    if chosen.start:
        await platform.bots.wish(spec.name, BotStatus.RUNNING)
    if not await platform.candles.coverage(spec.exchange, spec.symbol):
        note = f"note: no candles of {spec.exchange}:{spec.symbol} are stored yet; the bot waits until some come."
        print(f"{note} `onetape data list` shows what is stored.", file=sys.stderr)
    _hint(platform, spec.name)
    return [await platform.bots.get(spec.name)]


def _from_file(chosen: Any) -> BotSpec:
    from onetape.bots import files

    if chosen.name or chosen.strategy or chosen.symbol:
        raise Usage("--file brings the whole bot: give either it or the flags.")
    try:
        return files.parse(chosen.file.read_bytes(), str(chosen.file))
    except OSError as error:
        raise BadInput("--file", str(chosen.file), f"not readable ({error.strerror})") from None


def _from_flags(platform: Platform, chosen: Any) -> BotSpec:
    import msgspec

    from onetape.bots import files
    from onetape.strategies.registry import parse_settings

    for flag in ("name", "strategy", "symbol"):
        if not getattr(chosen, flag):
            raise Usage(f"a new bot needs {'a NAME' if flag == 'name' else '--' + flag}.")
    limits = {name: getattr(chosen, name) for name in _RATES if getattr(chosen, name) is not None}
    if chosen.allow_short:
        limits["allow_short"] = True
    parse_settings(chosen.set)
    strategy = platform.registry.build_from_text(chosen.strategy, chosen.set)
    flags = ("name", "symbol", "timeframe", "strategy", "capital", "sizing", "fee_maker", "fee_taker", "slippage")
    document = {name: value for name in flags if (value := getattr(chosen, name)) is not None}
    exchange = chosen.exchange or ("demo" if platform.settings.data_dir.name == "demo" else platform.settings.exchange)
    document |= {"exchange": exchange, "parameters": strategy.parameters(), "limits": limits}
    return files.parse(msgspec.json.encode(document), "the flags")


async def _wish(platform: Platform, chosen: Any) -> list[BotView]:
    from onetape.domain.bots import BotStatus

    await platform.bots.wish(chosen.name, BotStatus(_WISHES[chosen.action]))
    _hint(platform, chosen.name)
    return [await platform.bots.get(chosen.name)]


async def _delete(platform: Platform, chosen: Any) -> list[BotView]:
    from onetape.bots import files

    await platform.bots.delete(chosen.name)
    files.remove(platform.settings.config_dir, chosen.name)
    _hint(platform, chosen.name)
    return []


_DOES: Final[dict[str, Act]] = {
    "list": _list,
    "show": _show,
    "create": _create,
    "delete": _delete,
}


def _hint(platform: Platform, name: str) -> None:
    from onetape.domain import topics
    from onetape.domain.bots import Wish

    platform.bus.publish(topics.CONTROL, Wish(name))


def _print(action: str, name: str, views: list[BotView]) -> None:
    if action == "delete":
        print(f"{name} is deleted; its orders and fills stay in the database.")
    elif not views:
        print("There are no bots. `onetape bot create NAME -s ema_cross --symbol BTC-USDT --start` makes one.")
    elif action == "show":
        _print_one(views[0])
    else:
        _print_table(views)
        for view in views:
            if view.reason:
                print(f"{view.spec.name}: {view.reason}")
        if action in _WISHES and views[0].status != views[0].wanted:
            print(
                f"{name} is asked to be {views[0].wanted}; the trader of a running platform makes it so.",
                file=sys.stderr,
            )


def _print_table(views: list[BotView]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("bot", "status", "trades", "strategy"):
        table.add_column(column, no_wrap=True)
    for column in ("equity", "profit", "position", "price"):
        table.add_column(column, justify="right", no_wrap=True)
    for view in views:
        spec = view.spec
        status = str(view.status) if view.status == view.wanted else f"{view.status}, to be {view.wanted}"
        numbers = (f"{view.equity:,.2f}", f"{view.equity - spec.capital:+,.2f}", f"{view.qty:g}", f"{view.price:,.2f}")
        table.add_row(spec.name, status, f"{spec.exchange}:{spec.symbol} {spec.timeframe}", spec.strategy, *numbers)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


def _print_one(view: BotView) -> None:
    import msgspec

    from onetape.domain.units import rfc3339

    _print_table([view])
    if view.reason:
        print(view.reason)
    if view.candle_ts:
        print(f"last candle closed at {rfc3339(view.candle_ts)}, fees paid {view.fees:,.2f}")
    print(msgspec.json.format(msgspec.json.encode(view.spec), indent=2).decode())
