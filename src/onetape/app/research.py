"""What the platform gives those who run strategies over the past."""

from __future__ import annotations

from onetape.app.recorded import recording
from onetape.app.wiring import Platform
from onetape.backtest.counting import Counter
from onetape.backtest.means import Means
from onetape.clock import RealClock


def means_of(platform: Platform, who: str) -> Means:
    """`who` is how the ledger of trials names those who ask."""
    counter = Counter(platform.ledger, RealClock(), who)
    return Means(platform.candles, platform.runs, platform.registry, counter, recording(platform))


async def proved(platform: Platform) -> frozenset[str]:
    """The keys (Registry.proof_key) of what has passed the gate."""
    return frozenset(key for key, report in (await platform.strategies.load()).items() if report.ok)
