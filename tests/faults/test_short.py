"""The short form: a dozen faults and three deaths in a few seconds."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import drill
import theatre

from onetape.venue.faults import Fault, Kind

FAULTS = [
    Fault(kind=Kind.NOISE, at_s=0.7, for_s=1.5),
    Fault(kind=Kind.DUPLICATE, at_s=0.9, for_s=1.5, channel="trades-all"),
    Fault(kind=Kind.DROP, at_s=1.2),
    Fault(kind=Kind.REFUSE, at_s=1.7, for_s=0.7, status=429, code="50011"),
    Fault(kind=Kind.SKEW, at_s=1.8, for_s=2.6, ms=45_000),
    Fault(kind=Kind.REORDER, at_s=4.8, for_s=0.7, channel="trades"),
    Fault(kind=Kind.GARBLE, at_s=5.0, channel="tickers", count=3),
    Fault(kind=Kind.SLOW, at_s=5.2, for_s=0.5, ms=2),
    Fault(kind=Kind.SKIP, at_s=5.4, channel="books", count=2),
    Fault(kind=Kind.REVISE, at_s=5.9, count=5, channel="candle1m"),
    Fault(kind=Kind.RESTART, at_s=7.2),
    Fault(kind=Kind.DROP, at_s=7.6, url="public"),
]
DEEDS: list[drill.Deed] = [
    (1.0, theatre.Theatre.kill_database),
    (1.5, theatre.Theatre.kill_bus),
    (2.4, theatre.Theatre.kill_collector),
    (5.8, theatre.Theatre.change_listing),
]


async def test_nothing_is_lost_doubled_or_changed_while_everything_breaks(tmp_path: Path) -> None:
    pairs, swaps = ["BTC-USDT"], ["BTC-USDT-SWAP"]
    async with theatre.opened(
        tmp_path, pairs, swaps=swaps, minutes=600, speed=180, faults=FAULTS, limits=False
    ) as stage:
        await drill.play(stage, DEEDS)
        checks = await drill.count(stage, 40.0)
        injected = len(stage.venue.injected)
    deaths = (stage.program.killed["collector"], stage.database.deaths, stage.bus.deaths)
    assert (injected, *deaths) == (len(FAULTS), 1, 1, 1)
    assert {check.name for check in checks} >= {"every trade is stored", "books equal the exchange's"}
    assert drill.held(checks), "\n" + drill.table(checks)
