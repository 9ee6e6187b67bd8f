"""What is stored held against what the messages say, candle by candle."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec
import pytest

from onetape.domain.frame import CandleFrame
from onetape.domain.market import Candle, MarketEvent, Origin, RawFrame
from onetape.domain.units import MINUTE
from onetape.marketdata.proof import Proven, Tape, prove
from onetape.marketdata.replay import Wish
from onetape.ports import GapView
from onetape.storage.memory import MemoryCandleStore
from tests.unit.marketdata.conftest import candle

CHANNEL = "candles:1m"


class Said:
    """A message of each of these minutes, read `page` at a time; its text is the number of the minute."""

    def __init__(self, minutes: Sequence[int], later: int = 0, page: int = 1000) -> None:
        self.minutes, self.later, self.page = minutes, later, page

    async def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: int, end_ts: int
    ) -> AsyncIterator[list[RawFrame]]:
        frames = [
            RawFrame(exchange, symbol, channels[0], (m + self.later) * MINUTE, (m + 1) * MINUTE, m, str(m).encode())
            for m in self.minutes
            if start_ts <= (m + self.later) * MINUTE < end_ts
        ]
        for at in range(0, len(frames), self.page):
            yield frames[at : at + self.page]


def decode(frame: RawFrame) -> tuple[MarketEvent, ...]:
    return (candle(int(frame.data)),)


async def proven(
    said: Said,
    stored: Sequence[Candle],
    span: tuple[int, int],
    kept: tuple[int, int] = (0, 10**6),
    gaps: Sequence[GapView] = (),
) -> Proven:
    store = MemoryCandleStore()
    if stored:
        await store.append(CandleFrame.from_candles(stored))
    minutes = (kept[0] * MINUTE, kept[1] * MINUTE)
    tape = Tape(said, store, decode, None, gaps, {CHANNEL: minutes})  # type: ignore[arg-type]
    wish = Wish("okx", "BTC-USD", (CHANNEL,), span[0] * MINUTE, span[1] * MINUTE)
    return await prove(tape, wish, lambda _: None)


@pytest.mark.parametrize("page", [1, 7, 1000])
async def test_one_silent_candle_among_hundreds_is_found_however_the_messages_are_read(page: int) -> None:
    minutes = range(300)
    found = await proven(Said([m for m in minutes if m != 17], page=page), [candle(m) for m in minutes], (0, 300))
    assert (found.candles, found.differences, found.proved) == (299, 1, False)
    assert found.first.startswith("1970-01-01T00:17:00Z candle 1m: stored as received from the venue")


async def test_a_span_without_a_message_proves_nothing_and_its_candles_of_the_venue_are_told() -> None:
    empty = await proven(Said([]), [], (0, 10))
    assert (empty.frames, empty.differences, empty.proved) == (0, 0, False)
    silent = await proven(Said([]), [candle(m) for m in range(10)], (0, 10))
    assert (silent.differences, silent.proved) == (10, False)


async def test_what_came_later_is_counted_and_is_no_difference() -> None:
    later = [msgspec.structs.replace(candle(m), origin=Origin.BACKFILLED) for m in (3, 4)]
    stored = [*(candle(m) for m in (0, 1, 2)), *later, candle(5), candle(6)]
    gap = GapView(
        id=1, exchange="okx", symbol="BTC-USD", channel=CHANNEL, start_ts=5 * MINUTE, end_ts=6 * MINUTE, cause="lost"
    )
    found = await proven(Said([0, 1, 2, 6]), stored, (0, 7), gaps=[gap])
    assert (found.candles, found.backfilled, found.differences, found.proved) == (4, 3, 0, True)


async def test_the_end_of_a_running_recording_is_not_judged_before_its_messages_are_there() -> None:
    stored = [candle(m) for m in range(10)]
    running = await proven(Said(range(9)), stored, (0, 10), kept=(0, 10))
    assert (running.candles, running.differences) == (9, 0)
    over = await proven(Said(range(9)), stored, (0, 10), kept=(0, 60))
    assert over.differences == 1


async def test_candles_from_before_the_first_kept_message_are_not_judged() -> None:
    found = await proven(Said(range(5, 10)), [candle(m) for m in range(10)], (0, 10), kept=(5, 60))
    assert (found.candles, found.differences) == (5, 0)


async def test_a_venue_whose_messages_bear_the_time_of_the_next_candle_is_judged_as_far_as_they_reach() -> None:
    stored = [candle(m) for m in range(12)]
    found = await proven(Said(range(12), later=1), stored, (0, 10))
    assert (found.candles, found.differences) == (9, 0)  # the message of minute 9 is of minute 10
