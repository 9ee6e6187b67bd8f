"""The short form: a dozen faults and three deaths in a few seconds."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import drill
import theatre

from onetape.venue.faults import Fault, Kind

FAULTS = [
    Fault(kind=Kind.DUPLICATE, at_s=0.3, for_s=1.5),
    Fault(kind=Kind.NOISE, at_s=0.5, for_s=1.5),
    Fault(kind=Kind.DROP, at_s=1.2),
    Fault(kind=Kind.SKIP, at_s=1.6, channel="books", count=2),
    Fault(kind=Kind.REORDER, at_s=1.8, for_s=0.7, channel="trades"),
    Fault(kind=Kind.RESTART, at_s=2.2),
    Fault(kind=Kind.REFUSE, at_s=2.4, for_s=1.0, status=429, code="50011"),
    Fault(kind=Kind.SKEW, at_s=2.5, for_s=1.5, ms=45_000),
    Fault(kind=Kind.GARBLE, at_s=2.6, channel="tickers", count=3),
    Fault(kind=Kind.SLOW, at_s=3.0, for_s=0.7, ms=2),
    Fault(kind=Kind.DROP, at_s=4.5, url="public"),
]
DEEDS: list[drill.Deed] = [
    (1.0, theatre.Theatre.kill_database),
    (1.5, theatre.Theatre.kill_bus),
    (2.2, theatre.Theatre.kill_collector),
]


async def test_nothing_is_lost_doubled_or_changed_while_everything_breaks(tmp_path: Path) -> None:
    symbols = ["BTC-USDT", "ETH-USDT"]
    async with theatre.opened(tmp_path, symbols, minutes=1_200, speed=600, faults=FAULTS, limits=False) as stage:
        await drill.play(stage, DEEDS)
        checks = await drill.count(stage, 60.0)
        injected = len(stage.venue.injected)
    assert (injected, stage.collector.deaths, stage.database.deaths, stage.bus.deaths) == (len(FAULTS), 1, 1, 1)
    assert len(checks) == 12
    assert all(check.held for check in checks), "\n" + drill.table(checks)
