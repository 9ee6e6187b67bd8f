"""The long form (`make faults`): minutes of random faults and deaths around the whole platform, then a disk that fills.

    python tests/faults/long.py [--minutes 2.5] [--seed 1] [--pairs 2] [--speed 60] [--collector] [--no-spool] [--json]

Prints a table of what was counted and ends with 3 when something did not hold, 1 when a server could not be started.
The seed decides what breaks when. `--collector` runs the collector alone instead of `onetape up`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import disk
import drill
import theatre
from tally import Check

from onetape import observe
from onetape.domain.errors import Transient
from onetape.venue.faults import Fault, Kind

NAMES = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT")
REPAIR_S = 120.0  # for what is still open when the exchange has no more to say
_QUIET_S = 15.0  # without faults at the end
_CHANNELS = ("", "", "trades", "trades-all", "books", "books5", "bbo-tbt", "tickers", "mark-price", "candle")
_EVERY_S = (2.0, 6.0)  # from one fault to the next
_DEATH_EVERY_S = (10.0, 25.0)  # a program that dies more often is given up by its supervisor


def random_fault(dice: random.Random, at_s: float, symbols: Sequence[str]) -> Fault:
    """Any kind, anywhere, a few seconds long; a stream freezes for longer than a client's patience now and then."""
    kind = dice.choice(list(Kind))
    symbol = dice.choice(["", *symbols])
    channel = dice.choice(_CHANNELS)
    where = {"channel": channel, "symbol": symbol, "listener": dice.choice([-1, -1, 0])}
    if kind is Kind.REFUSE:
        code, status = dice.choice([("50011", 429), ("50001", 503), ("50013", 500), ("50026", 500)])
        return Fault(kind=kind, at_s=at_s, for_s=dice.uniform(1, 8), status=status, code=code)
    if kind is Kind.REVISE:
        return Fault(kind=kind, at_s=at_s, count=dice.randint(1, 5), symbol=symbol, channel="candle")
    if kind in (Kind.SKIP, Kind.GARBLE):
        return Fault(kind=kind, at_s=at_s, count=dice.randint(1, 20), **where)
    if kind in (Kind.SKEW, Kind.SLOW):
        ms = dice.randint(-90_000, 90_000) or 1 if kind is Kind.SKEW else dice.randint(1, 5)
        return Fault(kind=kind, at_s=at_s, for_s=dice.uniform(1, 8), ms=ms)
    if kind in (Kind.DROP, Kind.RESTART):
        return Fault(kind=kind, at_s=at_s, url=dice.choice(["", "public", "business"]) if kind is Kind.DROP else "")
    length = dice.choice([1.0, 3.0, 8.0, 40.0 if kind is Kind.FREEZE else 5.0])
    return Fault(kind=kind, at_s=at_s, for_s=length, **where)


def script(dice: random.Random, seconds: float, symbols: Sequence[str]) -> list[Fault]:
    found: list[Fault] = []
    at_s = 2.0
    while at_s < seconds - _QUIET_S:
        found.append(random_fault(dice, at_s, symbols))
        at_s += dice.uniform(*_EVERY_S)
    return found


def deaths(dice: random.Random, seconds: float, whole: bool) -> list[drill.Deed]:
    stage = theatre.Theatre
    kinds = [stage.kill_collector, stage.kill_collector, stage.kill_database, stage.kill_bus]
    kinds += [stage.kill_trader, stage.kill_web] if whole else []
    found: list[drill.Deed] = [(seconds * share, stage.change_listing) for share in (0.2, 0.5, 0.8)]
    at_s = 5.0
    while at_s < seconds - _QUIET_S:
        found.append((at_s, dice.choice(kinds)))
        at_s += dice.uniform(*_DEATH_EVERY_S)
    return found


async def run(chosen: argparse.Namespace) -> tuple[list[Check], dict[str, Any]]:
    dice = random.Random(chosen.seed)
    pairs = NAMES[: chosen.pairs]
    swaps = [f"{pairs[0]}-SWAP"]
    seconds = chosen.minutes * 60.0
    faults = script(dice, seconds, [*pairs, *swaps])
    with theatre.folder() as folder:
        async with theatre.opened(
            folder,
            pairs,
            swaps=swaps,
            minutes=int((seconds + 2 * REPAIR_S) * chosen.speed / 60),
            speed=chosen.speed,
            faults=faults,
            whole=not chosen.collector,
            limits=True,
        ) as stage:
            began = time.monotonic()
            await drill.play(stage, deaths(dice, seconds, not chosen.collector))
            played, began = time.monotonic() - began, time.monotonic()
            checks = await drill.count(stage, REPAIR_S)
            facts = _facts(stage, played, time.monotonic() - began)
    if not chosen.no_spool:
        checks += await disk.bounded() + await disk.full()
    return checks, facts


def _facts(stage: theatre.Theatre, played: float, repaired: float) -> dict[str, Any]:
    kinds = Counter(str(done.fault.kind) for done in stage.venue.injected)
    killed = {**stage.program.killed, "PostgreSQL": stage.database.deaths, "Valkey": stage.bus.deaths}
    return {
        "traded_s": round(played),
        "counted_s": round(repaired),
        "faults": dict(sorted(kinds.items())),
        "killed": killed,
    }


def _tell(checks: Sequence[Check], facts: dict[str, Any]) -> None:
    print(f"{facts['traded_s']} s of trading, then {facts['counted_s']} s until counted")
    print("faults: " + ", ".join(f"{kind} {n}" for kind, n in facts["faults"].items()))
    print("killed with -9: " + ", ".join(f"{name} {n}" for name, n in facts["killed"].items()))
    print(drill.table(checks))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pairs", type=int, default=2, choices=range(1, len(NAMES) + 1))
    parser.add_argument("--speed", type=float, default=60.0, help="venue seconds a second")
    parser.add_argument("--collector", action="store_true", help="the collector alone, its database without fsync")
    parser.add_argument("--no-spool", action="store_true", help="leave out the disk that fills")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of the table")
    chosen = parser.parse_args()
    observe.configure("critical", "faults")
    try:
        with redirect_stdout(sys.stderr):
            checks, facts = asyncio.run(run(chosen))
    except Transient as error:
        print(f"a server could not be started: {error}", file=sys.stderr)
        return 1
    ok = drill.held(checks)
    if chosen.json:
        rows = [check._asdict() for check in checks]
        print(json.dumps({"held": ok, "seed": chosen.seed, **facts, "checks": rows}, indent=2))
    else:
        _tell(checks, facts)
    return 0 if ok else 3


if __name__ == "__main__":
    sys.exit(main())
