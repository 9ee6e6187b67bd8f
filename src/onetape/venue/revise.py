"""A closed bar that the venue tells twice: at first without its last trades, and as it is when the next one closes."""

from __future__ import annotations

from onetape.venue import wire
from onetape.venue.channels import CANDLE
from onetape.venue.faults import Faults, Kind
from onetape.venue.journal import Revised
from onetape.venue.stream import Stream
from onetape.venue.traded import Row

_EVERYBODY = -1


def revised(faults: Faults, name: str, stream: Stream, row: Row) -> list[Row]:
    """What is told when `row` has closed: what is owed of the one before it, and the bar itself, right or wrong."""
    owed = stream.owed.pop(name, None)
    told = [owed] if owed else []
    wrong = any(
        fault.concerns("business", name, stream.symbol)
        and faults.counts(number, fault, (name, stream.symbol, _EVERYBODY))
        for number, fault in faults.active.items()
        if fault.kind is Kind.REVISE
    )
    if not wrong or row.lots < 2 or not name.startswith(CANDLE):
        return [*told, row]
    first = row._replace(close=row.open, lots=row.lots // 2, turnover=row.turnover / 2)
    stream.owed[name] = row
    if stream.journal:
        rows = (wire.candle(stream.tape.listing, each) for each in (first, row))
        stream.journal.revised.append(Revised(stream.symbol, name, *rows))
    return [*told, first]
