"""Books: rebuilt from the stored messages by a dictionary, and compared with the exchange's own at chosen moments."""

from __future__ import annotations

import json
from typing import Any

from tally import Check, gap_spans, inside

from onetape.venue.journal import Moment

Sides = dict[str, dict[str, str]]


class Rebuilt:
    """One book, as the documentation of the exchange says how to keep it. `seq` None: not known."""

    def __init__(self) -> None:
        self.seq: int | None = None
        self._sides: Sides = {"bids": {}, "asks": {}}
        self._seeded = False

    def take(self, message: dict[str, Any]) -> tuple[int, str] | None:
        """The sequence number and the time of the book after the message."""
        row, action = message["data"][0], message.get("action", "seed")
        if action != "update":
            self._sides, self._seeded = {"bids": {}, "asks": {}}, action == "seed"
        elif not self._joins(row):
            self.seq = None
            return None
        else:
            self._seeded = False
        for name, side in self._sides.items():
            for price, size, *_ in row[name]:
                side[price] = size
                if float(size) == 0:
                    del side[price]
        self.seq = row["seqId"]
        return row["seqId"], row["ts"]

    def _joins(self, row: dict[str, Any]) -> bool:
        if self.seq is None:
            return False
        overlaps = self._seeded and row["prevSeqId"] <= self.seq < row["seqId"]
        return bool(row["prevSeqId"] == self.seq or overlaps)

    def levels(self, side: str) -> list[list[str]]:
        """From the best outwards."""
        return [
            [price, size]
            for price, size in sorted(
                self._sides[side].items(), key=lambda level: float(level[0]), reverse=side == "bids"
            )
        ]


async def of_books(database: Any, symbol: str, moments: list[Moment], until_ts: int) -> Check:
    """Each chosen moment of the exchange's book was reached and equal, or lies in a gap."""
    due = {(m.seq, m.told_ms): m for m in moments if m.symbol == symbol and int(m.told_ms) * 1_000 <= until_ts}
    chosen, equal, different, book = len(due), 0, 0, Rebuilt()
    rows = await database.fetch(
        "SELECT data::text AS data FROM raw_market_data WHERE symbol = $1 AND channel = 'book' ORDER BY recv_ts, seq",
        symbol,
    )
    for row in rows:
        place = book.take(json.loads(row["data"]))
        moment = due.pop(place, None) if place else None
        if moment is not None:
            same = (book.levels("bids"), book.levels("asks")) == (moment.bids, moment.asks)
            equal, different = equal + same, different + (not same)
    spans = await gap_spans(database, symbol, "book")
    lost = sum(not inside(spans, int(moment.told_ms) * 1_000) for moment in due.values())
    figures = {"moments": chosen, "equal": equal, "different": different, "in gaps": len(due) - lost, "lost": lost}
    return Check("books equal the exchange's", symbol, not different and not lost and equal > 0, figures)
