"""The trading floor: the clock, every listed instrument's tape, and the faults a test has put in. Knows no network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.units import MINUTE, Micros
from onetape.venue.book import DEPTH, Book, book_at
from onetape.venue.clock import VenueClock
from onetape.venue.listing import listing_of
from onetape.venue.split import in_minutes
from onetape.venue.tape import Tape

MOMENT_S: Final = 0.1  # real seconds between two states of a book


@dataclasses.dataclass
class Faults:
    """What a test makes go wrong."""

    silent: bool = False  # sockets stay open, nothing is sent, nothing is answered
    skip_books: set[str] = dataclasses.field(default_factory=set)  # symbols whose next book update is lost
    refusals: int = 0  # REST requests still to refuse
    refusal_status: int = 503
    refusal_code: str = "50001"
    delay_s: float = 0.0  # before each REST answer


@dataclasses.dataclass
class Floor:
    clock: VenueClock
    tapes: dict[str, Tape]
    faults: Faults = dataclasses.field(default_factory=Faults)

    @property
    def moment_us(self) -> int:
        return max(1_000, int(MOMENT_S * self.clock.speed * 1e6))

    def now(self) -> Micros:
        """Venue time in whole milliseconds, as the wire carries it."""
        return self.clock.now() // 1_000 * 1_000

    def book(self, tape: Tape, now: Micros, depth: int = DEPTH) -> Book:
        return book_at(tape, now, self.moment_us, depth)


def open_floor(
    frames: Sequence[CandleFrame],
    *,
    speed: float,
    start_ts: Micros | None,
    instruments: Iterable[Instrument] | None,
    seed: int,
) -> Floor:
    """Raises BadInput when the candles cannot feed a venue."""
    if not frames:
        raise BadInput("frames", 0, "no candles to replay", "Give at least one frame of candles.")
    if not 0 < speed <= 1e6:
        raise BadInput("--speed", speed, "not a speed", "1 is real time, 60 plays a minute every second.")
    known = {instrument.symbol: instrument for instrument in instruments or ()}
    tapes = {}
    for number, frame in enumerate(frames):
        listing = listing_of(frame, number, known.get(frame.symbol))
        tapes[frame.symbol] = Tape(in_minutes(frame, listing, seed), listing, seed)
    begin, end = min(t.begin_ts for t in tapes.values()), max(t.end_ts for t in tapes.values())
    start = begin + (end - begin) // 3 // MINUTE * MINUTE if start_ts is None else start_ts
    if not begin <= start < end:
        raise BadInput("start_ts", start, "outside the candles", f"Use a time from {begin} to before {end}.")
    return Floor(VenueClock(start, end, speed), tapes)
