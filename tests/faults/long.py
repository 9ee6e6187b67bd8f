"""The long form (`make faults`): minutes of random faults and deaths over tens of thousands of known trades.

    python tests/faults/long.py [--minutes 4] [--seed 1] [--symbols 3] [--speed 60]

Prints a table of what was counted and ends with 3 when something did not hold. The seed decides what breaks when.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import drill
import theatre
from tally import Check

from onetape import observe
from onetape.domain.errors import Transient
from onetape.venue.faults import Fault, Kind

NAMES = ("BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "ADA-USDT")
REPAIR_S = 120.0  # for what is still open when the exchange has no more to say
_QUIET_S = 15.0  # without faults at the end
_CHANNELS = ("", "", "trades", "trades-all", "books", "tickers", "candle")
_EVERY_S = (2.0, 6.0)  # from one fault to the next
_DEATH_EVERY_S = (8.0, 25.0)


def random_fault(dice: random.Random, at_s: float, symbols: Sequence[str]) -> Fault:
    """Any kind, anywhere, a few seconds long; a stream freezes for longer than a client's patience now and then."""
    kind = dice.choice(list(Kind))
    symbol = dice.choice(["", *symbols])
    channel = dice.choice(_CHANNELS)
    where = {"channel": channel, "symbol": symbol, "listener": dice.choice([-1, -1, 0])}
    if kind is Kind.REFUSE:
        code, status = dice.choice([("50011", 429), ("50001", 503), ("50013", 500), ("50026", 500)])
        return Fault(kind=kind, at_s=at_s, for_s=dice.uniform(1, 8), status=status, code=code)
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


def deaths(dice: random.Random, seconds: float) -> list[drill.Deed]:
    stage = theatre.Theatre
    kinds = [stage.kill_collector, stage.kill_collector, stage.kill_database, stage.kill_bus]
    found: list[drill.Deed] = []
    at_s = 5.0
    while at_s < seconds - _QUIET_S:
        found.append((at_s, dice.choice(kinds)))
        at_s += dice.uniform(*_DEATH_EVERY_S)
    return found


async def run(chosen: argparse.Namespace) -> list[Check]:
    dice = random.Random(chosen.seed)
    symbols = NAMES[: chosen.symbols]
    seconds = chosen.minutes * 60.0
    faults = script(dice, seconds, symbols)
    with tempfile.TemporaryDirectory(prefix="ot") as name:
        folder = Path(name)
        folder.chmod(0o711)
        async with theatre.opened(
            folder,
            symbols,
            minutes=int((seconds + 2 * REPAIR_S) * chosen.speed / 60),
            speed=chosen.speed,
            faults=faults,
            limits=True,
        ) as stage:
            began = time.monotonic()
            await drill.play(stage, deaths(dice, seconds))
            played, began = time.monotonic() - began, time.monotonic()
            checks = await drill.count(stage, REPAIR_S)
            repaired = time.monotonic() - began
            _tell(stage, played, repaired)
    return checks


def _tell(stage: theatre.Theatre, played: float, repaired: float) -> None:
    kinds = Counter(str(done.fault.kind) for done in stage.venue.injected)
    print(f"{played:.0f} s of trading, then {repaired:.0f} s until counted")
    print("faults: " + ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items())))
    collector, database, bus = stage.collector.deaths, stage.database.deaths, stage.bus.deaths
    print(f"killed with -9: collector {collector}, PostgreSQL {database}, Valkey {bus}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--symbols", type=int, default=3, choices=range(1, len(NAMES) + 1))
    parser.add_argument("--speed", type=float, default=60.0, help="venue seconds a second")
    chosen = parser.parse_args()
    observe.configure("error", "faults")
    try:
        checks = asyncio.run(run(chosen))
    except Transient as error:
        print(f"a server could not be started: {error}", file=sys.stderr)
        return 1
    print(drill.table(checks))
    return 0 if all(check.held for check in checks) else 3


if __name__ == "__main__":
    sys.exit(main())
