"""Answers about the venue as a whole: its clock, its instruments, what it announces; marks, indices and funding."""

from __future__ import annotations

from typing import Final

from onetape.venue import wire
from onetape.venue.floor import FUNDING_EVERY, FUNDING_KEPT, Floor
from onetape.venue.listing import SPOT, SWAP
from onetape.venue.query import Query, Refusal, kind_of, limit_of, missing, tape_of, unknown, whole, wrong
from onetape.venue.traded import Market

Data = list[object]

_ANNOUNCED: Final = ("scheduled", "ongoing", "pre_open")  # what is shown when no state is asked for
_STATES: Final = (*_ANNOUNCED, "completed", "canceled")
_FAR_MS: Final = 10**14


def time_(floor: Floor, _: Query) -> Data:
    return [{"ts": wire.millis(floor.told())}]


def instruments(floor: Floor, query: Query) -> Data:
    kind = kind_of(query)
    if kind == "OPTION" and not (query.get("instFamily") or query.get("uly")):
        missing("instFamily")
    tapes = floor.of_kind(kind)
    if query.get("instId"):
        tapes = [tape for tape in tapes if tape is tape_of(floor, query)]
    return [wire.instrument(tape.listing, floor.state(tape)) for tape in tapes]


def mark_price(floor: Floor, query: Query) -> Data:
    kind = kind_of(query)
    if query.get("instId"):
        return [wire.mark_price(tape_of(floor, query), floor.now())]
    tapes = floor.of_kind(SPOT if kind == "MARGIN" else kind) if kind != SPOT else []
    return [wire.mark_price(tape, floor.now()) for tape in tapes]


def index_tickers(floor: Floor, query: Query) -> Data:
    """Of one index (`instId`), or of all with one quote currency (`quoteCcy`)."""
    name, quote, now = query.get("instId"), query.get("quoteCcy"), floor.now()
    if name:
        tape = floor.index(name)
        if tape is None or now < tape.begin_ts:
            unknown()
        return [wire.index_ticker(tape, now)]
    if not quote:
        missing("instId")
    names = dict.fromkeys(tape.listing.pair for tape in floor.tapes.values() if tape.listing.quote == quote)
    tapes = [tape for tape in map(floor.index, names) if tape and now >= tape.begin_ts]
    return [wire.index_ticker(tape, now) for tape in tapes]


def funding_rate(floor: Floor, query: Query) -> Data:
    """The rate that will be paid next; `instId=ANY` gives all swaps."""
    now = floor.now()
    tapes = floor.of_kind(SWAP) if query.get("instId") == "ANY" else [_swap(floor, query)]
    return [wire.funding_rate(tape.listing, floor.funding(tape, now), now) for tape in tapes]


def funding_rate_history(floor: Floor, query: Query) -> Data:
    """What was paid in the last three months, newest first."""
    tape, now, limit = _swap(floor, query), floor.now(), limit_of(query, 400, 400)
    after, before = whole(query, "after", _FAR_MS), whole(query, "before", -1)
    ts = now // FUNDING_EVERY * FUNDING_EVERY
    found: Data = []
    while ts >= max(tape.begin_ts, now - FUNDING_KEPT) and len(found) < limit:
        if before < ts // 1_000 < after:
            found.append(wire.funding_paid(tape.listing, floor.funding(tape, ts - 1)))
        ts -= FUNDING_EVERY
    return found


def status(floor: Floor, query: Query) -> Data:
    wanted = query.get("state")
    if wanted and wanted not in _STATES:
        wrong("state")
    shown = (wanted,) if wanted else _ANNOUNCED
    return [wire.notice(said) for said in reversed(floor.notices) if said.state in shown]


def currencies(floor: Floor, _: Query) -> Data:
    names = dict.fromkeys(c for tape in floor.tapes.values() for c in (tape.listing.base, tape.listing.quote))
    no = dict.fromkeys(("canDep", "canWd", "canInternal", "mainNet", "needTag"), False)
    zero = dict.fromkeys(("fee", "minFee", "maxFee", "minDep", "minWd", "maxWd", "wdTickSz"), "0")
    return [{"ccy": name, "name": name, "chain": name, "logoLink": "", **no, **zero} for name in names]


def no_trading(_: Floor, __: Query) -> Data:
    raise Refusal("54072", "The simulated venue has market data only: it takes no orders.")


def _swap(floor: Floor, query: Query) -> Market:
    tape = tape_of(floor, query)
    if tape.listing.kind != SWAP:
        wrong("instId")
    return tape
