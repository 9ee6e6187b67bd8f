"""What really happened at the venue, for those who count afterwards: prints and bars as the wire would have shown them.

The tape is the same for ever, so nothing needs to be kept: the ledger is read from it, whatever faults did to messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from onetape.domain.units import Micros
from onetape.venue import wire
from onetape.venue.bars import BARS
from onetape.venue.traded import Market


def prints(tape: Market, after_ts: Micros, until_ts: Micros) -> list[dict[str, Any]]:
    """Prints in (after_ts, until_ts], oldest first, as `trades-all` shows them."""
    return [wire.trade(tape.listing, each) for each in tape.trades(after_ts, until_ts)]


def bars(tape: Market, name: str, start_ts: Micros, end_ts: Micros) -> list[list[str]]:
    """Bars that open and close in [start_ts, end_ts], oldest first, as `candle` channels show them."""
    bar = BARS[name]
    opens = bar.opens(start_ts, min(end_ts, tape.end_ts))
    closed = np.array([ts for ts in opens.tolist() if bar.next(ts) <= end_ts], np.int64)
    return [wire.candle(tape.listing, row) for row in tape.bars(bar, closed)]


def write(path: Path, tapes: Mapping[str, Market], listened: Mapping[str, Micros], until_ts: Micros) -> int:
    """One print a line, of every instrument whose prints somebody listened to, from then on. Returns how many."""
    count = 0
    with path.open("w", encoding="ascii") as file:
        for symbol, since_ts in listened.items():
            for row in prints(tapes[symbol], since_ts, until_ts):
                file.write(wire.encode(row) + "\n")
                count += 1
    return count
