"""Missed trades are told in their place, each once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence

import pytest

from onetape.domain.market import Gap, MarketEvent, Print, RawFrame
from onetape.domain.units import SECOND
from onetape.marketdata.missed import Mended
from onetape.marketdata.replay import Wish

Row = tuple[int, float]  # id, second of its trade


class Stored:
    """Streamed messages and answers; each tells the trades in its text. Two messages a page."""

    def __init__(self, *frames: RawFrame) -> None:
        self.frames = sorted(frames, key=lambda frame: frame.recv_ts)

    async def read(
        self, exchange: str, symbol: str, channels: Sequence[str], start_ts: int, end_ts: int
    ) -> AsyncIterator[list[RawFrame]]:
        found = [one for one in self.frames if one.channel in channels and start_ts <= one.ts < end_ts]
        for at in range(0, len(found), 2):
            yield found[at : at + 2]


def frame(channel: str, *rows: Row, recv: float | None = None) -> RawFrame:
    newest = round(rows[-1][1] * SECOND)
    received = newest + 3_000 if recv is None else round(recv * SECOND)
    return RawFrame("okx", "A-B", channel, newest, received, 1, json.dumps(rows).encode())


def decode(one: RawFrame) -> tuple[MarketEvent, ...]:
    return tuple(
        Print("okx", "A-B", str(n), round(s * SECOND), 100.0 + n // 10, 1.0, 1) for n, s in json.loads(one.data)
    )


def gap(start: float, end: float, channel: str = "trades_all") -> Gap:
    return Gap("okx", "A-B", channel, round(start * SECOND), round(end * SECOND), "connection lost")


async def told(stored: Stored, *gaps: Gap, channel: str = "trades_all", until: float = 100) -> tuple[list[int], Mended]:
    wish = Wish("okx", "A-B", (channel,), 0, round(until * SECOND))
    mended = Mended(stored, decode, wish, gaps)  # type: ignore[arg-type]
    found: list[int] = []
    async for page in mended.read("okx", "A-B", (channel,), wish.start_ts, wish.end_ts):
        for one in page:
            found += [int(event.id) for event in mended(one) if isinstance(event, Print)]
    return found, mended


def streamed(*rows: Row, channel: str = "trades_all") -> list[RawFrame]:
    return [frame(channel, row) for row in rows]


ANSWER = frame("trades_rest", (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), recv=60)


async def test_a_hole_is_told_between_the_trades_around_it() -> None:
    stored = Stored(*streamed((1, 1), (2, 2), (5, 5), (6, 6), (7, 7)), ANSWER)
    found, mended = await told(stored, gap(2, 5))
    assert found == [1, 2, 3, 4, 5, 6, 7]
    assert mended.repaired == 2


async def test_without_a_gap_on_record_nothing_is_mended() -> None:
    stored = Stored(*streamed((1, 1), (2, 2), (5, 5)), ANSWER)
    assert (await told(stored))[0] == [1, 2, 5]
    assert (await told(stored, gap(2, 5, "book")))[0] == [1, 2, 5]


async def test_a_trade_that_is_streamed_late_is_not_told_twice() -> None:
    late = frame("trades_all", (3, 3), recv=6.5)
    stored = Stored(*streamed((1, 1), (2, 2), (5, 5), (6, 6)), late, frame("trades_all", (7, 7)), ANSWER)
    found, mended = await told(stored, gap(2, 5))
    assert (found, mended.repaired) == ([1, 2, 3, 4, 5, 6, 7], 2)


async def test_some_trades_lost_under_a_live_connection_are_put_between_those_that_came() -> None:
    answer = frame("trades_rest", *((n, n) for n in range(1, 9)), recv=60)
    stored = Stored(*streamed((1, 1), (3, 3), (4, 4), (7, 7), (9, 9)), answer)
    assert (await told(stored, gap(0, 8)))[0] == [1, 2, 3, 4, 5, 6, 7, 8, 9]


async def test_matches_of_one_message_are_not_told_again_one_by_one() -> None:
    both = frame("trades_rest", (11, 2), (12, 2), (23, 3), (31, 5), (32, 5), recv=60)  # price by tens
    stored = Stored(*streamed((12, 2), (32, 5), channel="trades"), both)
    found, mended = await told(stored, gap(2, 5, "trades"), channel="trades")
    assert (found, mended.repaired) == ([12, 23, 32], 1)


async def test_two_answers_about_one_trade_tell_it_once_and_two_holes_keep_their_order() -> None:
    again = frame("trades_rest", (4, 4), (5, 5), (6, 6), (8, 8), (9, 9), recv=61)
    stored = Stored(*streamed((1, 1), (5, 5), (6, 6), (9, 9)), ANSWER, again)
    assert (await told(stored, gap(6, 9), gap(1, 5)))[0] == [1, 2, 3, 4, 5, 6, 8, 9]


@pytest.mark.parametrize("until", [4, 5])
async def test_of_a_hole_in_which_the_span_ends_the_rest_is_left(until: float) -> None:
    stored = Stored(*streamed((1, 1), (2, 2), (5, 5)), ANSWER)
    found, mended = await told(stored, gap(2, 5), until=until)
    assert found == [1, 2]
    assert [int(trade.id) for trade in mended.left()] == [3, 4][: int(until) - 3]
