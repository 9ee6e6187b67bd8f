"""`onetape VERB ...`: finds the verb's module, runs it, turns errors into a sentence and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 3 a check did not hold, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple


class Verb(NamedTuple):
    name: str
    module: str
    says: str


GROUPS: Final[tuple[tuple[str, tuple[Verb, ...]], ...]] = (
    (
        "Run",
        (
            Verb("demo", "run", "the whole platform on recorded prices, nothing to configure: start here"),
            Verb("up", "run", "the whole platform on OKX's live market data"),
            Verb("bot", "bot", "list, create, show, start, pause, stop and delete bots"),
            Verb("logs", "logs", "what the services say"),
        ),
    ),
    (
        "Research",
        (
            Verb("data", "data", "download and import candles; list and check what is stored"),
            Verb("backtest", "past", "run one or several strategies over the past"),
            Verb("optimize", "optimize", "search a strategy's parameters, and see how far to trust what is found"),
            Verb("walkforward", "walkforward", "search, trade what follows unseen, move on"),
            Verb("compare", "compare", "strategies side by side: is one better, and what does a mix of them give"),
            Verb("fees", "fees", "what venues charge: presets for --fees"),
            Verb("runs", "runs", "list, show, compare, repeat and delete stored backtests"),
            Verb("replay", "replay", "recorded messages once more, at any speed, under another name"),
            Verb("verify", "verify", "prove that a strategy does not look ahead"),
        ),
    ),
    (
        "Tools",
        (Verb("venue", "venue", "a simulated exchange that speaks the OKX wire on a local port"),),
    ),
)
VERBS: Final = {verb.name: verb for _, verbs in GROUPS for verb in verbs}


def page() -> str:
    lines = [
        "onetape: test, develop and run crypto trading strategies.",
        "",
        "usage: onetape VERB [options]       onetape VERB --help says more",
    ]
    for title, verbs in GROUPS:
        lines += ["", f"{title}:"] + [f"  {verb.name:<11} {verb.says}" for verb in verbs]
    lines += [
        "",
        "Every command takes --json. Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 3 a check did not hold,",
        "130 stopped by Ctrl-C before it was done.",
        "Paper trading is the default everywhere; nothing here is a promise of profit.",
    ]
    return "\n".join(lines)


def version() -> str:
    from importlib.metadata import version as installed

    return f"onetape {installed('onetape')}"


def _about(first: Sequence[str]) -> str:
    """The page of all verbs, the version, or nothing."""
    if not first or first[0] in ("-h", "--help", "help"):
        return page()
    return version() if first[0] in ("-V", "--version") else ""


def main(argv: Sequence[str] | None = None) -> int:
    args = list(sys.argv[1:] if argv is None else argv)
    verb = VERBS.get(args[0]) if args else None
    if verb is None and (text := _about(args[:1])):
        with contextlib.suppress(BrokenPipeError):  # `| head` has read enough
            print(text, flush=True)
        return 0
    if verb is None:
        print(f"onetape: there is no verb {args[0]!r}. Use one of: {', '.join(VERBS)}.", file=sys.stderr)
        return 2
    interrupt = {signal.SIGINT}
    # While modules are imported it waits: in the middle of one it would come out as an error of some library.
    signal.pthread_sigmask(signal.SIG_BLOCK, interrupt)
    from onetape.cli.output import guarded

    def run(name: str, rest: Sequence[str]) -> int:
        try:
            module = importlib.import_module(f"onetape.cli.{verb.module}")
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupt)
        code: int = module.main(name, rest)
        return code

    return guarded(args[0], args[1:], run)


if __name__ == "__main__":
    sys.exit(main())
