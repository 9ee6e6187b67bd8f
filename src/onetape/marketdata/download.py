"""Candles of several series from a venue into the store: what is missing of them, several series at once, and a last
look at what is stored then. Resumable: the store is its only memory, so that the same wish again asks for the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from onetape.domain.errors import BadInput, OnetapeError, Refused
from onetape.domain.jobs import Progress, Say
from onetape.domain.market import candle_channel
from onetape.domain.units import DAY, Micros, Timeframe, parse_time, rfc3339
from onetape.marketdata.backfill import backfill
from onetape.marketdata.quality import Span, missing, without
from onetape.marketdata.soundness import examine
from onetape.ports import CandleStore, MarketFeed

LONG: Final = 3_000  # candles from which on the venue is asked first since when it has any
MOST: Final = 200  # series of one wish
GRAIN: Final = Timeframe.parse("1d")


class DownloadWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which candles are wanted. Without `until`: up to the last closed one."""

    exchange: str
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    since: str
    until: str = ""

    def series(self) -> list[tuple[str, Timeframe]]:
        """Each symbol with each timeframe, once. Raises BadInput."""
        for field, values in (("exchange", self.exchange), ("symbols", self.symbols), ("timeframes", self.timeframes)):
            if not values or not all(text.strip() for text in values):
                raise BadInput(f"$.{field}", ",".join(values), "empty where at least one is needed")
        timeframes = [Timeframe.parse(text.strip(), "$.timeframes") for text in self.timeframes]
        found = list(dict.fromkeys((symbol.strip(), each) for symbol in self.symbols for each in timeframes))
        if len(found) > MOST:
            raise BadInput("$.symbols", len(found), f"more than {MOST} series at once", "Ask for them in parts.")
        return found

    def span(self, now_ts: Micros) -> Span:
        """[since, until), not beyond `now_ts`. Raises BadInput."""
        since = parse_time(self.since, "$.since")
        until = parse_time(self.until, "$.until") if self.until else now_ts
        if until <= since:
            raise BadInput("$.until" if self.until else "$.since", self.until or self.since, "not a span of time",
                           f"The venue's time is {rfc3339(now_ts)}.")  # fmt: skip
        if since >= now_ts:
            raise BadInput("$.since", self.since, f"in the future: the venue's time is {rfc3339(now_ts)}")
        return since, min(until, now_ts)


class SeriesState(msgspec.Struct, kw_only=True):
    """How far one series is. state: waiting, running, done, failed, cancelled. `progress` is a share of its span.

    `rows` came now. At the end: `stored` lie in the span, `missing` do not; `absent` of these the venue itself lacks,
    `synthetic` were made up because somebody asked for it.
    """

    symbol: str
    timeframe: str
    state: str = "waiting"
    progress: float = 0.0
    start_ts: Micros = 0
    end_ts: Micros = 0
    rows: int = 0
    stored: int = 0
    missing: int = 0
    absent: int = 0
    synthetic: int = 0
    impossible: int = 0
    outliers: int = 0
    error: str = ""

    @property
    def sound(self) -> bool:
        """Done, all that the venue has is there, and all of it is possible."""
        return self.state == "done" and self.missing == self.absent and not self.impossible


Changed = Callable[[SeriesState], None]


async def download(
    feed: MarketFeed,
    store: CandleStore,
    wish: DownloadWish,
    states: list[SeriesState],
    changed: Changed,
    at_once: int = 4,
) -> None:
    """Works on `states`, one for each of `wish.series()` in that order, and calls `changed` after each change.

    So many series `at_once`: the venue's budget is kept by the feed, whoever asks; more would only wait there.

    A series that fails says why in its state and does not stop the others. Cancelled, it leaves whole pages stored.
    Raises BadInput for a span that is none, Transient when the venue does not tell its time.
    """
    span = wish.span(await feed.now())
    turns = asyncio.Semaphore(at_once)

    async def one(state: SeriesState, symbol: str, timeframe: Timeframe) -> None:
        async with turns:
            state.state = "running"
            changed(state)
            try:
                await _series(feed, store, (symbol, timeframe, span), state, changed)
                state.state, state.progress = "done", 1.0
            except OnetapeError as error:
                state.state, state.error = "failed", str(error)
            finally:
                if state.state == "running":
                    state.state = "cancelled"
                changed(state)

    async with asyncio.TaskGroup() as group:
        for state, (symbol, timeframe) in zip(states, wish.series(), strict=True):
            group.create_task(one(state, symbol, timeframe))


async def download_as_job(feed: MarketFeed, store: CandleStore, wish: DownloadWish, say: Say, at_once: int = 4) -> str:
    """Fulfils a wish to the end and tells how far it is, series by series; gives how many candles came, as words.
    Raises Refused when a series failed, BadInput, Transient."""
    states = fresh(wish)

    def changed(_: SeriesState | None) -> None:
        rows = sum(state.rows for state in states)
        over = sum(state.state in ("done", "failed") for state in states)
        say(
            Progress(
                fraction=sum(state.progress for state in states) / len(states),
                text=f"{over} of {len(states)} series",
                counts={"rows": rows, "series": len(states), "series_over": over},
                detail=msgspec.to_builtins(states),
            )
        )

    changed(None)
    await download(feed, store, wish, states, changed, at_once)
    if failed := [state for state in states if state.state == "failed"]:
        raise Refused(f"{len(failed)} of {len(states)} series failed: {failed[0].error}")
    return f"{sum(state.rows for state in states)} candles"


def fresh(wish: DownloadWish) -> list[SeriesState]:
    """What `download` works on, before it does. Raises BadInput."""
    return [SeriesState(symbol=symbol, timeframe=str(timeframe)) for symbol, timeframe in wish.series()]


async def _series(
    feed: MarketFeed, store: CandleStore, what: tuple[str, Timeframe, Span], state: SeriesState, changed: Changed
) -> None:
    symbol, timeframe, (since, until) = what
    start, end = timeframe.floor(since), timeframe.floor(until)
    start = start if start == since else timeframe.next(start)
    start = await _listed(feed, symbol, timeframe, (start, end))
    state.start_ts, state.end_ts = start, end
    changed(state)
    if start >= end:
        return
    async for page in backfill(feed, store, symbol, timeframe, (start, end)):
        state.rows += len(page)
        state.progress = (int(page.close_ts[-1]) - start) / (end - start)
        changed(state)
    await _judge(feed.exchange, store, (symbol, timeframe, (start, end)), state)


async def _listed(feed: MarketFeed, symbol: str, timeframe: Timeframe, span: Span) -> Micros:
    """The start of a long span, or the day of the first candle of the venue where that is later: what was before the
    listing is no hole, and asking for its minutes would take thousands of requests."""
    start, end = span
    if timeframe.micros >= GRAIN.micros or (end - start) // timeframe.micros < LONG:
        return start
    async for page in feed.history(symbol, GRAIN, GRAIN.floor(start), end):
        return max(start, int(page.ts[0])) if len(page) else start
    return max(start, timeframe.floor(end - 2 * DAY))


async def _judge(exchange: str, store: CandleStore, what: tuple[str, Timeframe, Span], state: SeriesState) -> None:
    symbol, timeframe, (start, end) = what
    frame = await store.load(exchange, symbol, timeframe, start, end)
    holes = missing(frame, start, end)
    known = await store.absent(exchange, symbol, candle_channel(timeframe))
    unexplained = without(holes, [(gap.start_ts, gap.end_ts) for gap in known])
    state.stored = len(frame)
    state.missing = sum(timeframe.candles(*hole) for hole in holes)
    state.absent = state.missing - sum(timeframe.candles(*hole) for hole in unexplained)
    if len(frame):
        report = await asyncio.to_thread(examine, frame)
        state.impossible, state.outliers = report.impossible, report.outliers
