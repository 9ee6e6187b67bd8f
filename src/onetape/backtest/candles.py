"""Which candles a backtest runs on: signals on the timeframe that was asked for, fills on the finest stored one at or
below it. Reads through ports.CandleStore; nothing is written."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from onetape.domain.accounts import Terms
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.instrument import Instrument
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.results import BacktestSpec
from onetape.domain.units import Micros, Timeframe, rfc3339
from onetape.ports import CandleStore, Coverage

ENOUGH: Final = 0.99  # a series that covers this share of what the longest one covers is as good as that


class Chosen(NamedTuple):
    """`frame` for signals (it begins earlier than the period, to warm up), `fills` for orders, and what was recorded
    beside them."""

    frame: CandleFrame
    fills: CandleFrame
    recorded: Recorded = NOTHING


async def choose(store: CandleStore, spec: BacktestSpec, warmup: int) -> Chosen:
    """The candles for a spec. Raises NotFound saying what is stored, BadInput for a timeframe that cannot be built."""
    wanted = Timeframe.parse(spec.timeframe, "--timeframe")
    series = await stored(store, spec)
    usable = [one for one in series if builds(Timeframe.parse(one.timeframe), wanted)]
    if not usable:
        there = ", ".join(sorted({one.timeframe for one in series}))
        raise BadInput("--timeframe", str(wanted), f"not stored and not a multiple of what is: {there}")
    best = max(covered(one, spec) for one in usable)
    if best <= 0:
        there = "; ".join(f"{one.timeframe} {span(one.first_ts, one.last_ts)}" for one in usable)
        raise NotFound("--timerange", period(spec), f"no {spec.symbol} candle is stored in it", f"Stored: {there}.")
    good = [one for one in usable if covered(one, spec) >= ENOUGH * best]
    finest = min(good, key=lambda one: Timeframe.parse(one.timeframe).micros)
    early = None if spec.start_ts is None else spec.start_ts - (warmup + 1) * wanted.longest
    exchange = finest.exchange
    fine = await store.load(exchange, spec.symbol, Timeframe.parse(finest.timeframe), early, spec.end_ts)
    if any(one.timeframe == str(wanted) for one in good) and fine.timeframe != wanted:
        frame = await store.load(exchange, spec.symbol, wanted, early, spec.end_ts)
        return Chosen(frame, fine.between(spec.start_ts, None))
    return split(fine, spec)


def split(candles: CandleFrame, spec: BacktestSpec) -> Chosen:
    """The candles for a spec out of one series. Raises BadInput when the timeframe cannot be built from it."""
    cut = candles.between(None, spec.end_ts)
    frame = whole(cut, Timeframe.parse(spec.timeframe, "--timeframe"))
    fills = cut.between(spec.start_ts, None)
    if not len(frame) or not len(fills):
        there = span(int(candles.ts[0]), int(candles.ts[-1])) if len(candles) else "nothing"
        raise NotFound("--timerange", period(spec), "no whole candle lies in it", f"There is {there}.")
    return Chosen(frame, frame if frame.timeframe == fills.timeframe and spec.start_ts is None else fills)


def whole(candles: CandleFrame, timeframe: Timeframe) -> CandleFrame:
    """The candles of a longer timeframe that begin and end inside the data: none is cut in half."""
    longer = resample(candles, timeframe)
    if longer is candles or not len(longer):
        return longer
    first = int(candles.ts[0] != longer.ts[0])
    last = int(np.searchsorted(longer.close_ts, candles.close_ts[-1], side="right"))
    return longer.rows(first, max(first, last))


async def stored(store: CandleStore, spec: BacktestSpec) -> list[Coverage]:
    """The series of the symbol on one exchange. Raises NotFound or, when several exchanges have it, BadInput."""
    everything = await store.coverage()
    series = [
        one for one in everything if one.symbol == spec.symbol and spec.exchange in ("", one.exchange) and one.rows
    ]
    exchanges = sorted({one.exchange for one in series})
    if len(exchanges) > 1:
        raise BadInput("--exchange", "", f"needed: {spec.symbol} is stored for {', '.join(exchanges)}")
    if series:
        return series
    there = sorted({f"{one.symbol} ({one.exchange})" for one in everything})
    remedy = "Import a file (onetape data import FILE), start the demo (onetape demo), or give a file with --file."
    asked = f"{spec.symbol} on {spec.exchange}" if spec.exchange else spec.symbol
    raise NotFound(
        "--symbol", asked, "no candles of it are stored", f"Stored: {', '.join(there) or 'nothing'}. {remedy}"
    )


async def terms_of(store: CandleStore, exchange: str, symbol: str) -> Terms:
    """Steps and minima of the instrument; of one that is not known: lots of 1e-8."""
    return Terms.of(await instrument_of(store, exchange, symbol))


async def instrument_of(store: CandleStore, exchange: str, symbol: str) -> Instrument:
    """What is known of it; of one that is not known, what its name tells."""
    known = [one for one in await store.instruments() if (one.exchange, one.symbol) == (exchange, symbol)]
    return known[0] if known else Instrument.unknown(exchange, symbol)


def builds(fine: Timeframe, wanted: Timeframe) -> bool:
    return fine.divides(wanted)


def covered(one: Coverage, spec: BacktestSpec) -> Micros:
    """How much of the period a series covers, holes counted in."""
    end = one.last_ts + Timeframe.parse(one.timeframe).micros
    start = one.first_ts if spec.start_ts is None else max(one.first_ts, spec.start_ts)
    return (end if spec.end_ts is None else min(end, spec.end_ts)) - start


def period(spec: BacktestSpec) -> str:
    start = "the beginning" if spec.start_ts is None else rfc3339(spec.start_ts)
    return f"{start} to {'the end' if spec.end_ts is None else rfc3339(spec.end_ts)}"


def span(first_ts: Micros, last_ts: Micros) -> str:
    return f"{rfc3339(first_ts)} to {rfc3339(last_ts)}"
