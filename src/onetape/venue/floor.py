"""The trading floor: the clock, the tape of every instrument, what is announced, and the faults. Knows no network."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument
from onetape.domain.units import DAY, HOUR, MINUTE, Micros
from onetape.venue.book import DEPTH, Book, book_at, seq_of
from onetape.venue.chance import draw
from onetape.venue.clock import VenueClock
from onetape.venue.faults import Faults
from onetape.venue.listing import FUTURES, SPOT, SWAP, future_of, listing_of, swap_of
from onetape.venue.played import Played, by_instrument
from onetape.venue.recording import Push
from onetape.venue.split import in_minutes
from onetape.venue.tape import Tape
from onetape.venue.traded import Funding, Market, Notice

MOMENT_S: Final = 0.1  # real seconds between two states of a book
EXPIRED: Final = "expired"
FUNDING_EVERY: Final = 8 * HOUR
FUNDING_KEPT: Final = 90 * DAY
_RESTART_SEQ: Final = 3


@dataclasses.dataclass
class Floor:
    clock: VenueClock
    tapes: dict[str, Market]
    faults: Faults = dataclasses.field(default_factory=Faults)
    notices: list[Notice] = dataclasses.field(default_factory=list)
    members_only: set[str] = dataclasses.field(default_factory=set)  # public channels that want a login
    states: dict[str, str] = dataclasses.field(default_factory=dict)  # instruments that are not live
    expired: set[str] = dataclasses.field(default_factory=set)  # futures whose end was told
    restarted: dict[str, Micros] = dataclasses.field(default_factory=dict)  # when their sequence began again

    @property
    def moment_us(self) -> int:
        return max(1_000, int(MOMENT_S * self.clock.speed * 1e6))

    def now(self) -> Micros:
        """Venue time in whole milliseconds, as the wire carries it."""
        return self.clock.now() // 1_000 * 1_000

    def told(self) -> Micros:
        """The time that GET /public/time tells."""
        return self.now() + self.faults.skew_us

    def book(self, tape: Market, now: Micros, depth: int = DEPTH) -> Book:
        if isinstance(tape, Played):
            return tape.book(now, depth)
        assert isinstance(tape, Tape)
        book = book_at(tape, now, self.moment_us, depth)
        return book._replace(seq=self.seq(tape.listing.symbol, now), ts=now + self.faults.skew_us)

    def seq(self, symbol: str, ts: Micros) -> int:
        """The sequence number of an instrument at a time; small again after a restart."""
        since = self.restarted.get(symbol)
        return seq_of(ts) if since is None or ts < since else seq_of(ts) - seq_of(since) + _RESTART_SEQ

    def of_kind(self, kind: str) -> list[Market]:
        """Those that are listed: an expired future is none any more."""
        return [t for t in self.tapes.values() if t.listing.kind == kind and self.state(t) != EXPIRED]

    def expiring(self) -> list[Market]:
        """Futures whose time was over since the last call."""
        futures = [t for t in self.tapes.values() if t.listing.kind == FUTURES and t.listing.symbol not in self.expired]
        over = [tape for tape in futures if self.state(tape) == EXPIRED]
        self.expired |= {tape.listing.symbol for tape in over}
        return over

    def index(self, name: str) -> Market | None:
        """The tape that an index price is taken from: the pair's own, else its swap's."""
        found = [tape for tape in self.tapes.values() if tape.listing.pair == name]
        return min(found, key=lambda tape: tape.listing.kind != SPOT, default=None)

    def state(self, tape: Market) -> str:
        if 0 < tape.listing.expires_ts <= self.now():
            return EXPIRED
        return self.states.get(tape.listing.symbol, "live")

    def funding(self, tape: Market, now: Micros) -> Funding:
        """Paid every 8 hours; at most 0.05 % either way."""
        ts = (now // FUNDING_EVERY + 1) * FUNDING_EVERY
        chance = int(draw(tape.seed, 30 + tape.listing.code, np.array([ts // FUNDING_EVERY], np.int64))[0])
        return Funding(chance % 100_001 - 50_000, ts, ts + FUNDING_EVERY)


def open_floor(
    frames: Sequence[CandleFrame],
    *,
    speed: float,
    start_ts: Micros | None,
    instruments: Iterable[Instrument] | None,
    seed: int,
    futures: Sequence[str] = (),
) -> Floor:
    """Raises BadInput when the candles cannot feed a venue."""
    if not frames:
        raise BadInput("frames", 0, "no candles to replay", "Give at least one frame of candles.")
    _check_speed(speed)
    known = {instrument.symbol: instrument for instrument in instruments or ()}
    made: dict[str, Tape] = {}
    for number, frame in enumerate(frames):
        listing = listing_of(frame, number, known.get(frame.symbol))
        made[frame.symbol] = Tape(in_minutes(frame, listing, seed), listing, seed)
    for tape in tuple(made.values()):
        price = float(np.median(tape.minutes.close)) / 10.0**tape.listing.decimals
        swap = swap_of(tape.listing, price)
        if tape.listing.kind != SWAP and swap.symbol not in made:
            made[swap.symbol] = tape.beside(swap, seed + 1)
        for number, expiry in enumerate(futures if tape.listing.kind == SPOT else (), 2):
            future = future_of(tape.listing, price, expiry)
            made[future.symbol] = tape.beside(future, seed + number)
    begin, end = min(t.begin_ts for t in made.values()), max(t.end_ts for t in made.values())
    start = begin + (end - begin) // 3 // MINUTE * MINUTE if start_ts is None else start_ts
    if not begin <= start < end:
        raise BadInput("start_ts", start, "outside the candles", f"Use a time from {begin} to before {end}.")
    return Floor(VenueClock(start, end, speed), dict[str, Market](made))


def open_recording(pushes: Sequence[Push], speed: float) -> Floor:
    """Raises BadInput for a speed that is none."""
    _check_speed(speed)
    tapes = by_instrument(pushes)
    begin, end = min(t.begin_ts for t in tapes.values()), max(t.end_ts for t in tapes.values())
    return Floor(VenueClock(begin, end, speed), dict[str, Market](tapes))


def _check_speed(speed: float) -> None:
    if not 0 < speed <= 1e6:
        raise BadInput("--speed", speed, "not a speed", "1 is real time, 60 plays a minute every second.")
