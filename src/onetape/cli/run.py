"""`onetape demo` and `onetape up`: the platform in the foreground, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from onetape.cli.output import DONE, Parser, Usage, add_json, print_json

ROLES: Final = ("collector", "trader", "web")
_DEMO: Final = """\
The whole platform on recorded prices: a simulated exchange plays 60 days of BTC/USD fast, two paper bots
trade on it, three strategies are compared, and a dashboard shows it all. Nothing leaves this machine."""
_UP: Final = """\
The whole platform on OKX's public market data: records the market, runs your bots on paper, serves the
dashboard and the API. No account and no keys are needed. Settings come from ONETAPE_* too; flags win."""


def main(verb: str, args: Sequence[str]) -> int:
    chosen = _parser(verb).parse_args(list(args))
    changes: dict[str, Any] = {"port": chosen.port, "host": chosen.host, "data_dir": chosen.data_dir}
    if verb == "demo":
        changes["venue_speed"] = _speed(chosen.speed)
    return _run(verb, {name: value for name, value in changes.items() if value is not None}, chosen)


def _parser(verb: str) -> Parser:
    parser = Parser(prog=f"onetape {verb}", description=_DEMO if verb == "demo" else _UP)
    parser.add_argument("--host", help="where to listen; default 127.0.0.1: this machine only")
    parser.add_argument("--port", type=int, help="of dashboard and API; default 8050")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="default ~/.local/share/onetape (demo: its demo)")
    parser.add_argument("--strategies", type=Path, metavar="DIR", help="a folder of your own strategy files")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    if verb == "demo":
        parser.add_argument("--speed", type=float, help="how many times faster than life; default 60")
    else:
        parser.add_argument("--demo", action="store_true", help="the same as `onetape demo`")
        parser.add_argument("--role", action="append", choices=ROLES, help="only this one; may be repeated")
    add_json(parser)
    return parser


def _speed(speed: float | None) -> float | None:
    if speed is not None and not 0 < speed <= 1000:
        raise Usage(f"--speed {speed:g} is not a speed. Use a number above 0, at most 1000.")
    return speed


def _run(verb: str, changes: dict[str, Any], chosen: Any) -> int:
    import uvloop

    from onetape.app import up
    from onetape.app.where import usable_data_dir
    from onetape.observe import configure_service
    from onetape.settings import Settings

    settings = Settings()
    demo = verb == "demo" or chosen.demo
    if chosen.strategies:
        changes["strategies"] = chosen.strategies.absolute()
    settings = settings.model_copy(update=changes)
    prepare = None
    if demo:
        from onetape.app.demo import demo_settings
        from onetape.app.demo import prepare as prepare_demo

        if "data_dir" not in changes:
            settings = settings.model_copy(update={"data_dir": settings.data_dir / "demo"})
        settings, prepare = demo_settings(settings), prepare_demo
    settings = settings.model_copy(update={"data_dir": settings.data_dir.absolute()})
    usable_data_dir(settings)
    configure_service(settings.log_level, "supervisor", settings.log_dir / "supervisor.log")
    roles = tuple(dict.fromkeys(getattr(chosen, "role", None) or ROLES))
    wanted = up.Wanted(roles=roles, browser=not chosen.no_browser)
    uvloop.run(up.up(settings, wanted, prepare, _say_json if chosen.json else _say))
    return DONE


def _say(sentence: str) -> None:
    print(sentence, flush=True)


def _say_json(sentence: str) -> None:
    print_json({"says": sentence.strip()})
