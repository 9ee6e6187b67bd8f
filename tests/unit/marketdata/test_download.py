"""Downloads of several series, and downloads as jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import numpy as np
import pytest

from onetape.domain.errors import BadInput, Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.jobs import Progress
from onetape.domain.market import Received
from onetape.domain.units import DAY, HOUR, MINUTE, Micros, Timeframe, parse_time
from onetape.marketdata.download import DownloadWish, SeriesState, download, download_as_job, fresh
from onetape.ports import PastTrades
from onetape.storage.memory import MemoryCandleStore

M1 = Timeframe.parse("1m")
START = parse_time("2024-01-01")


class Market:
    """A venue that lists BTC-USD since `listed_ts`, without the minutes `lacks`; pages of 300."""

    exchange = "okx"
    timeframes = frozenset(("1m", "1h", "1d"))
    past: PastTrades | None = PastTrades(kept=None, page=100, per_second=10.0)

    def __init__(self, now_ts: Micros, listed_ts: Micros = START, lacks: tuple[int, ...] = ()) -> None:
        self.now_ts, self.listed_ts = now_ts, listed_ts
        self.lacks = {START + minute * MINUTE for minute in lacks}
        self.asked: list[tuple[str, str, Micros]] = []
        self.closed = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def now(self) -> Micros:
        return self.now_ts

    async def history(
        self, symbol: str, timeframe: Timeframe, start_ts: Micros, end_ts: Micros
    ) -> AsyncIterator[CandleFrame]:
        self.asked.append((symbol, str(timeframe), start_ts))
        if symbol not in ("BTC-USD", "ETH-USD"):
            raise Refused(f"okx has no instrument {symbol}.")
        first = max(timeframe.floor(start_ts), timeframe.floor(self.listed_ts))
        ts = np.arange(first, min(end_ts, timeframe.floor(self.now_ts)), timeframe.micros)
        ts = ts[~np.isin(ts, list(self.lacks))]
        for at in range(0, len(ts), 300):
            await self.gate.wait()
            columns: dict[str, object] = dict.fromkeys(
                ("open", "high", "low", "close", "volume"), np.ones(len(ts[at:][:300]))
            )
            yield CandleFrame.of("okx", symbol, timeframe, columns | {"ts": ts[at : at + 300]})

    async def past_trades(self, symbol: str, start_ts: Micros, end_ts: Micros) -> AsyncIterator[Received]:
        raise Refused("okx tells no past trades.")
        yield

    async def close(self) -> None:
        self.closed = True


def wish(symbols: str = "BTC-USD", timeframes: str = "1m", **more: str) -> DownloadWish:
    given = {"since": "2024-01-01", **more}
    return DownloadWish(
        exchange="okx", symbols=tuple(symbols.split(",")), timeframes=tuple(timeframes.split(",")), **given
    )


async def done(market: Any, store: MemoryCandleStore, wanted: DownloadWish) -> list[SeriesState]:
    states = fresh(wanted)
    await download(market, store, wanted, states, lambda _: None)
    return states


async def test_every_symbol_comes_in_every_timeframe_up_to_the_last_closed_candle() -> None:
    market, store = Market(START + 3 * HOUR + MINUTE // 2), MemoryCandleStore()
    states = await done(market, store, wish("BTC-USD,ETH-USD", "1m,1h"))
    assert [(s.symbol, s.timeframe, s.rows, s.stored, s.missing, s.sound) for s in states] == [
        ("BTC-USD", "1m", 180, 180, 0, True),
        ("BTC-USD", "1h", 3, 3, 0, True),
        ("ETH-USD", "1m", 180, 180, 0, True),
        ("ETH-USD", "1h", 3, 3, 0, True),
    ]
    assert states[0].end_ts == START + 3 * HOUR


async def test_what_is_stored_is_not_asked_for_again() -> None:
    market, store = Market(START + HOUR), MemoryCandleStore()
    await done(market, store, wish(until="2024-01-01T00:20"))
    market.asked.clear()
    (state,) = await done(market, store, wish())
    assert (state.rows, state.stored, state.progress) == (40, 60, 1.0)
    assert market.asked == [("BTC-USD", "1m", START + 20 * MINUTE)]


async def test_since_within_a_candle_begins_with_the_next_one() -> None:
    (state,) = await done(Market(START + HOUR), MemoryCandleStore(), wish(since="2024-01-01T00:10:30Z"))
    assert state.start_ts == START + 11 * MINUTE


async def test_candles_that_the_venue_lacks_are_told_apart_from_lost_ones() -> None:
    market, store = Market(START + HOUR, lacks=(7, 8, 30)), MemoryCandleStore()
    (state,) = await done(market, store, wish())
    assert (state.stored, state.missing, state.absent, state.sound) == (57, 3, 3, True)


async def test_time_before_the_listing_is_no_hole_and_is_not_asked_for() -> None:
    listed = START + 2 * DAY + 5 * HOUR
    market, store = Market(START + 4 * DAY, listed_ts=listed), MemoryCandleStore()
    (state,) = await done(market, store, wish())
    assert state.start_ts == START + 2 * DAY  # the day of the first candle
    assert state.missing == 5 * 60  # of that day only
    assert len(market.asked) == 2  # one look at days, one walk over minutes


async def test_a_series_that_the_venue_refuses_does_not_stop_the_others() -> None:
    states = await done(Market(START + HOUR), MemoryCandleStore(), wish("NO-SUCH,BTC-USD"))
    assert [(s.state, s.error) for s in states] == [("failed", "okx has no instrument NO-SUCH."), ("done", "")]


async def test_cancelled_it_leaves_whole_pages_and_the_next_one_goes_on() -> None:
    market, store = Market(START + 10 * HOUR), MemoryCandleStore()
    states = fresh(wish())
    first = asyncio.Event()

    def changed(state: SeriesState) -> None:
        if state.rows:
            market.gate.clear()
            first.set()

    task = asyncio.create_task(download(market, store, wish(), states, changed))  # type: ignore[arg-type]
    await first.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (states[0].state, states[0].rows) == ("cancelled", 300)
    assert len(await store.load("okx", "BTC-USD", M1, None, None)) == 300
    market.gate.set()
    (state,) = await done(market, store, wish())
    assert (state.rows, state.stored) == (300, 600)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"since": "yesterday"}, "$.since is 'yesterday': not a time"),
        ({"until": "2023-01-01"}, "$.until is '2023-01-01': not a span of time"),
        ({"since": "2030-01-01"}, "$.since is '2030-01-01': not a span of time"),
        ({"since": "2030-01-01", "until": "2031-01-01"}, "in the future"),
        ({"timeframes": "1m,fast"}, "$.timeframes is 'fast': not a timeframe"),
        ({"symbols": "BTC-USD,"}, "$.symbols is 'BTC-USD,': empty"),
    ],
)
async def test_a_wish_without_sense_is_refused_by_name(more: dict[str, str], says: str) -> None:
    with pytest.raises(BadInput) as refusal:
        await done(Market(START + HOUR), MemoryCandleStore(), wish(**more))
    assert says in str(refusal.value)


# --- as a job


async def test_as_a_job_it_tells_how_far_each_series_is_and_how_many_came() -> None:
    told: list[Progress] = []
    market, wanted = Market(START + 10 * HOUR), wish("BTC-USD,ETH-USD")
    result = await download_as_job(market, MemoryCandleStore(), wanted, told.append)  # type: ignore[arg-type]
    assert result == "1200 candles"
    first, last = told[0], told[-1]
    assert (first.fraction, first.text, first.counts["rows"]) == (0.0, "0 of 2 series", 0)
    assert (last.fraction, last.text, last.counts) == (
        1.0, "2 of 2 series", {"rows": 1200, "series": 2, "series_over": 2},
    )  # fmt: skip
    assert [progress.fraction for progress in told] == sorted(progress.fraction for progress in told)
    assert [one.rows for one in msgspec.convert(last.detail, list[SeriesState])] == [600, 600]


async def test_as_a_job_a_failed_series_fails_it_with_the_reason_after_the_others_came() -> None:
    told: list[Progress] = []
    market, wanted = Market(START + HOUR), wish("NO-SUCH,BTC-USD")
    with pytest.raises(Refused, match="1 of 2 series failed: okx has no instrument NO-SUCH"):
        await download_as_job(market, MemoryCandleStore(), wanted, told.append)  # type: ignore[arg-type]
    assert [one["state"] for one in told[-1].detail] == ["failed", "done"]


async def test_only_so_many_series_are_asked_for_at_once() -> None:
    market = Market(START + HOUR)
    market.gate.clear()
    wanted = wish("BTC-USD,ETH-USD", "1m,1h")
    task = asyncio.create_task(
        download(market, MemoryCandleStore(), wanted, fresh(wanted), lambda _: None, 3)  # type: ignore[arg-type]
    )
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(market.asked) == 3
    market.gate.set()
    await task
    assert len(market.asked) == 4
