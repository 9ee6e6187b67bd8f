"""`onetape backtest`: which kind of run a command line asks for."""

from __future__ import annotations

from collections.abc import Sequence


def main(verb: str, args: Sequence[str]) -> int:
    """One strategy or several on one symbol, a portfolio on several (`--symbol A,B`), or the bots of a folder."""
    if any(arg == "--fleet" or arg.startswith("--fleet=") for arg in args):
        from onetape.cli import fleet

        return fleet.main(verb, args)
    if "," in symbol_of(args):
        from onetape.cli import fleet

        return fleet.portfolio(args)
    from onetape.cli import backtest

    return backtest.main(verb, args)


def symbol_of(args: Sequence[str]) -> str:
    """What --symbol says, "" when it is not there."""
    for i, arg in enumerate(args):
        if arg.startswith("--symbol="):
            return arg.partition("=")[2]
        if arg == "--symbol" and i + 1 < len(args):
            return args[i + 1]
    return ""
