"""Signals on some candles, fills on others: what is known when is a matter of time, not of row numbers."""

from __future__ import annotations

import numpy as np

from onetape.backtest.run import run
from onetape.core.state import F_BAR, F_PRICE
from onetape.domain.accounts import Costs, Sizing
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import MINUTE
from onetape.strategies.contract import Signals, Strategy
from onetape.strategies.market import Market

HOUR = 60 * MINUTE


class InAt(Strategy, frozen=True, tag="other_candles_in_at"):
    """Long from the candle that opens at a minute (since 1970) on, flat before."""

    minute: int

    def warmup(self) -> int:
        return 1

    def signals(self, market: Market) -> Signals:
        return Signals.holding(np.where(market.ts >= self.minute * MINUTE, 1.0, 0.0))


def minutes(first: int, last: int, missing: tuple[int, ...] = ()) -> CandleFrame:
    """Candles of one price each, which is the number of the minute."""
    number = np.array([m for m in range(first, last) if m not in missing])
    price = number.astype(float)
    columns = dict.fromkeys(("open", "high", "low", "close"), price) | {"volume": np.ones(len(number))}
    return CandleFrame.of("test", "BTC-USD", "1m", columns | {"ts": number * MINUTE})


def ran(frame: CandleFrame, fills: CandleFrame | None, minute: int) -> Result:
    timeframe, sizing = str(frame.timeframe), Sizing.parse("qty:1")
    spec = BacktestSpec(
        strategy="other_candles_in_at", timeframe=timeframe, costs=Costs(0.0, 0.0, 0.0), sizing=sizing, cash=1e6
    )
    return run(spec, frame, fills, InAt(minute=minute))


def entries(result: Result) -> list[tuple[int, float]]:
    """Minute and price of each fill."""
    at = result.tape.ts[result.tape.fills[:, F_BAR].astype(int)] // MINUTE
    return list(zip(at.tolist(), result.tape.fills[:, F_PRICE].tolist(), strict=True))


def test_an_hour_is_known_when_its_last_minute_closes() -> None:
    fine = minutes(600, 1200)
    assert entries(ran(resample(fine, "1h"), fine, 720)) == [(780, 780.0)]  # the hour from 720 closes at 780


def test_a_row_known_inside_a_hole_fills_at_the_first_candle_after_it() -> None:
    fine = minutes(600, 1200, missing=tuple(range(770, 795)))
    assert entries(ran(resample(fine, "1h"), fine, 720)) == [(795, 795.0)]


def test_rows_from_before_the_first_fill_candle_are_past() -> None:
    fine = minutes(600, 1200)
    # the wish of 660 is old when fills begin at 905; the first row that counts is that of the hour from 900
    assert entries(ran(resample(fine, "1h"), minutes(905, 1200), 660)) == [(960, 960.0)]


def test_candles_of_one_timeframe_with_other_holes_are_matched_by_time() -> None:
    frame, fills = minutes(600, 700, missing=(610, 611, 612)), minutes(600, 700, missing=(650,))
    # the row of 640 closes at 641 and fills there, although it is row 37 of one and candle 41 of the other
    assert entries(ran(frame, fills, 640)) == [(641, 641.0)]
    assert entries(ran(frame, fills, 649)) == [(651, 651.0)]
