"""The usual trade takes a shorter way through the session: what comes out is what the long way gives."""

from __future__ import annotations

import json
from typing import NamedTuple

import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onetape.domain.market import Channel, StreamState, Want
from onetape.exchanges.connection import Closed, Frame, Opened, Tick
from onetape.exchanges.ids import Ids
from onetape.exchanges.okx import names
from onetape.exchanges.okx.events import Stream
from onetape.exchanges.okx.session import Around, Link, Session

SYMBOL = "BTC-USDT"
LANES = ("one", "two")


class Step(NamedTuple):
    lane: str
    ids: tuple[int, ...]  # nothing: the lane is cut and comes back
    pause: float
    ts: int


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(LANES),
        st.one_of(st.integers(0, 40).map(lambda i: (i,)), st.lists(st.integers(0, 40), max_size=3).map(tuple)),
        st.sampled_from((0.0, 0.1, 3.0)),
        st.integers(0, 5),
    ),
    max_size=30,
)
RISING = st.lists(st.sampled_from(LANES), max_size=60).map(
    lambda lanes: [Step(lane, (sum(each == lane for each in lanes[:i]),), 0.1, i) for i, lane in enumerate(lanes)]
)  # each lane brings every trade once, in order


def message(step: Step, usual: bool) -> bytes:
    """As OKX writes it, or with its keys in another order, which is read in two steps and never the short way."""
    arg = {"channel": "trades-all", "instId": SYMBOL}
    rows = [
        {"instId": SYMBOL, "tradeId": str(i), "px": "5.5", "sz": "2", "side": "sell", "ts": str(step.ts)}
        for i in step.ids
    ]
    said = {"arg": arg, "data": rows} if usual else {"data": rows, "arg": arg}
    return json.dumps(said, separators=(",", ":")).encode()


def played(steps: list[Step], usual: bool) -> tuple[list[object], tuple[StreamState, ...]]:
    seconds, told = 100.0, []
    session = Session(Around(lambda: seconds, lambda _: None, lambda _: None))
    want = Want(SYMBOL, Channel.TRADES_ALL)
    series = {arg: Stream("okx", SYMBOL, want.channel, want.name, size=0.5) for arg in names.args(want)}
    session.add(series)
    for lane in LANES:
        session.open(lane, Link(lambda _: True, lambda _: None))
        session.carry(lane, series)
        tuple(session.on(Opened(lane), 0))
    for step in steps:
        seconds += step.pause
        now_ts = round(seconds * 1_000_000)
        items = (Frame(step.lane, message(step, usual), now_ts), Tick()) if step.ids else (Closed(step.lane, "cut"),)
        for item in items:
            for received in session.on(item, now_ts):
                raw = received.raw
                told.append((raw and (raw.ts, raw.recv_ts, raw.seq), received.events))
    return told, session.states(round(seconds * 1_000_000), 0)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(STEPS, RISING))
def test_short_way_says_what_the_long_way_says(steps: list[Step]) -> None:
    with structlog.testing.capture_logs():
        assert played(steps, usual=True) == played(steps, usual=False)


def test_trades_in_a_row_on_two_lanes_are_told_once() -> None:
    steps = [Step(lane, (i,), 0.1, 5 + i) for i in range(50) for lane in LANES]
    told, [state] = played(steps, usual=True)
    assert [event.id for _, events in told for event in events] == [str(i) for i in range(50)]  # type: ignore[attr-defined, misc]
    assert (state.messages, state.dropped, state.gaps, state.state) == (50, 50, 0, "silent")


@given(st.lists(st.integers(0, 60)), st.integers(1, 20))
def test_ids_are_told_apart_as_long_as_they_are_remembered(numbers: list[int], least: int) -> None:
    """Never is a new one dropped; and none of the `least` that were told last is told again."""
    ids, told = Ids(least), list[int]()
    for number in numbers:
        fresh = ids.add(number)
        assert fresh or number in told
        assert not (fresh and number in list(dict.fromkeys(reversed(told)))[:least])
        if fresh:
            told.append(number)


def test_ids_in_a_row_need_no_memory_and_jumps_a_bounded_one() -> None:
    ids = Ids(100)
    assert all(ids.add(number) for number in range(10_000))
    assert [number in ids for number in (9_999, 9_800, 9_799, 10_000)] == [True, True, False, False]
    assert all(ids.add(number) for number in range(20_000, 30_000, 2))
    assert [number in ids for number in (29_998, 29_800, 29_801, 9_999)] == [True, True, False, False]
    assert len(ids._lows) <= 200
