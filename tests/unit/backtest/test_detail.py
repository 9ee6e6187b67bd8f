"""Fills on what was recorded: single trades in the place of candles, order books, funding rates."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest

from onetape.backtest import detail
from onetape.backtest.funding import counts, payments
from onetape.backtest.recorded import Recorder
from onetape.backtest.run import simulate
from onetape.backtest.trades import fill_times
from onetape.backtest.used import recorded_hash, used_of
from onetape.core.state import F_BAR, F_MAKER, F_PRICE, F_QTY
from onetape.domain.accounts import Costs, Execution, Sizing, Terms
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Book, Funding, Print, Quote
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.results import BacktestSpec, Tape
from onetape.domain.signals import Signals
from onetape.domain.units import HOUR, MINUTE, SECOND

NAN = math.nan
T0 = 1_700_000_040_000_000  # on a minute


def frame(rows: list[tuple[float, float, float, float, float]], symbol: str = "BTC-USDT") -> CandleFrame:
    table = np.array(rows, float)
    columns: dict[str, object] = dict(zip(("open", "high", "low", "close", "volume"), table.T, strict=True))
    return CandleFrame.of("okx", symbol, "1m", columns | {"ts": T0 + np.arange(len(rows)) * MINUTE})


def trades(*rows: tuple[float, float, float]) -> Recorded:
    """Seconds after T0, price, size."""
    table = np.array(rows, float)
    return Recorded(print_ts=(T0 + table[:, 0] * SECOND).astype(np.int64), price=table[:, 1], qty=table[:, 2])


def spec(**parts: Any) -> BacktestSpec:
    plain: dict[str, Any] = {
        "strategy": "x", "timeframe": "1m", "costs": Costs(0.0, 0.0), "sizing": Sizing.parse("qty:1"),
        "terms": Terms(0.01, 0.01),
    }  # fmt: skip
    return BacktestSpec(**(plain | parts))


def traded(asked: BacktestSpec, candles: CandleFrame, recorded: Recorded, target: list[float], **more: Any) -> Tape:
    signals = dataclasses.replace(Signals.holding(np.array(target)), **more)
    return simulate(asked, candles, candles, signals, 0, used_of(asked, candles, recorded))


CANDLES = frame([(100, 100, 100, 100, 1), (100, 102, 99, 101, 4), (101, 101, 101, 101, 1), (101, 103, 101, 103, 2)])
# the second candle: 100, 102, 99, 101, one of each
INSIDE = trades((65, 100, 1), (80, 102, 1), (95, 99, 1), (110, 101, 1))


def test_a_market_order_meets_the_first_trade_after_it_has_arrived() -> None:
    # known at 60 s, 25 s on its way: the trades of 65 and 80 s are over, that of 95 s is the first
    tape = traded(spec(execution=Execution(latency=25.0 * SECOND)), CANDLES, INSIDE, [1.0, 1.0, 1.0, 1.0])
    assert tape.fills[:, [F_BAR, F_PRICE]].tolist() == [[1.0, 99.0]]
    assert fill_times(tape).tolist() == [T0 + 95 * SECOND]


def test_equity_is_told_at_the_close_of_each_candle() -> None:
    tape = traded(spec(), CANDLES, INSIDE, [1.0, 1.0, 1.0, 1.0])
    assert tape.equity.tolist() == [10_000.0, 10_001.0, 10_001.0, 10_003.0]  # bought at 100


def test_a_signal_is_known_at_its_close_not_at_its_last_trade() -> None:
    # the row of candle 1 is known at 120 s, its last trade was at 110 s: with 15 s of delay it is there at 135 s, a
    # quarter of candle 2 later, and not at 125 s
    candles = frame([(100, 100, 100, 100, 1), (100, 102, 99, 101, 4), (101, 105, 101, 101, 1), (101, 101, 101, 101, 1)])
    tape = traded(spec(execution=Execution(latency=15.0 * SECOND)), candles, INSIDE, [NAN, 1.0, 1.0, 1.0])
    assert tape.fills[:, [F_BAR, F_PRICE]].tolist() == [[2.0, 102.0]]  # 101 and a quarter of the way up to 105


@pytest.mark.parametrize(
    "recorded",
    [
        trades((65, 100, 1), (80, 102, 1), (95, 99, 1)),
        trades((65, 100, 1), (80, 102, 1), (95, 99, 1), (110, 101, 0.5)),
        trades((65, 100, 1), (80, 101.5, 1), (95, 99, 1), (110, 101, 1)),
    ],
    ids=["one is missing", "the volume differs", "the high differs"],
)
def test_a_candle_whose_trades_do_not_make_it_again_stays_a_candle(recorded: Recorded) -> None:
    assert not detail.detail_of(CANDLES, recorded, "auto").fine.any()


def test_without_a_complete_candle_the_result_is_that_of_candles_to_the_bit() -> None:
    asked = spec(costs=Costs(0.0008, 0.001, 0.0003))
    some = trades((65, 100, 1))
    plain = traded(asked, CANDLES, NOTHING, [1.0, 0.0, 1.0, 0.0])
    also = traded(asked, CANDLES, some, [1.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(plain.fills, also.fills)
    np.testing.assert_array_equal(plain.equity, also.equity)
    assert also.fill_ts is None


def test_candles_alone_are_used_when_they_are_asked_for() -> None:
    asked = spec(detail="candles")
    assert used_of(asked, CANDLES, INSIDE).detail is None
    assert recorded_hash(used_of(asked, CANDLES, INSIDE)) == ""
    assert recorded_hash(used_of(spec(), CANDLES, INSIDE)) != ""


def test_pieces_of_any_size_give_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(7)
    rows, prints = [], []
    price = 100.0
    for i in range(200):
        steps = np.round(price + np.cumsum(generator.normal(0.0, 0.3, 6)), 2)
        sizes = np.round(generator.uniform(0.1, 2.0, 6), 2)
        if i % 3:
            at = i * 60 + np.sort(generator.integers(0, 60, 6))
            prints += list(zip(at, steps, sizes, strict=True))
        rows.append((steps[0], steps.max(), steps.min(), steps[-1], sizes.sum()))
        price = float(steps[-1])
    candles, recorded = frame(rows), trades(*prints)
    recorded = dataclasses.replace(
        recorded, funding_ts=T0 + np.arange(0, 200, 7) * MINUTE + 30 * SECOND, funding_rate=np.full(29, 0.001)
    )
    target = np.repeat(generator.choice([0.0, 1.0, NAN], 50), 4).tolist()
    asked = spec(execution=Execution(latency=3.0 * SECOND, share=0.5))
    whole = traded(asked, candles, recorded, target)
    monkeypatch.setattr(detail, "PIECE", 10)
    parts = traded(asked, candles, recorded, target)
    np.testing.assert_array_equal(whole.fills, parts.fills)
    np.testing.assert_array_equal(whole.equity, parts.equity)
    assert whole.account == parts.account
    assert len(whole.fills) > 10
    assert whole.account.funding != 0.0
    np.testing.assert_array_equal(fill_times(whole), fill_times(parts))


def test_a_limit_waits_in_the_queue_of_the_recorded_book() -> None:
    # 1.5 wait at 99 before ours; the trades at 99 of 1, 1 and 1: half of the second one and half of the third are ours
    recorded = trades((65, 100, 1), (80, 99, 1), (95, 99, 1), (100, 99, 1), (110, 101, 1))
    book = np.zeros((1, 20, 4))
    book[0, 0] = [99.0, 1.5, 101.0, 2.0]
    recorded = dataclasses.replace(recorded, depth_ts=np.array([T0 + 55 * SECOND]), depth=book)
    candles = frame([(100, 100, 100, 100, 1), (100, 101, 99, 101, 5), (101, 101, 101, 101, 1)])
    tape = traded(spec(), candles, recorded, [1.0, 1.0, 1.0], limit=np.full(3, 99.0))
    assert tape.fills[:, [F_QTY, F_PRICE, F_MAKER]].tolist() == [[0.5, 99.0, 1.0], [0.5, 99.0, 1.0]]
    assert fill_times(tape).tolist() == [T0 + 95 * SECOND, T0 + 100 * SECOND]


def test_an_order_book_older_than_a_minute_says_nothing() -> None:
    book = np.zeros((1, 20, 4))
    book[0, 0] = [99.0, 9.0, 101.0, 9.0]
    for age, paid in ((10, 101.0), (70, 100.0)):
        recorded = Recorded(depth_ts=np.array([T0 + (60 - age) * SECOND]), depth=book)
        tape = traded(spec(), CANDLES, recorded, [1.0, 1.0, 1.0, 1.0])
        assert tape.fills[0, F_PRICE] == pytest.approx(paid)


def test_the_shares_of_time_are_told() -> None:
    told = used_of(spec(), CANDLES, INSIDE).told
    assert told is not None
    assert (told.timeframe, told.prints_share, told.candles_share, told.prints) == ("1m", 0.25, 0.75, 4)


def test_events_become_columns_and_the_last_book_of_a_second_is_kept() -> None:
    recorder = Recorder()
    for event in (
        Print("okx", "BTC-USDT", "1", T0, 100.0, 1.0, 1),
        Print("okx", "BTC-USDT", "2", T0, 100.0, 2.0, 1),
        Print("okx", "BTC-USDT", "4", T0 + 9, 101.0, 1.0, 1),
        Print("okx", "BTC-USDT", "3", T0 + 5, 102.0, 1.0, 1),
        Book("okx", "BTC-USDT", T0, [(99.0, 1.0)], [(101.0, 1.0)]),
        Book("okx", "BTC-USDT", T0 + 1, [(99.0, 3.0), (98.0, 4.0)], [(101.0, 1.0)]),
        Book("okx", "BTC-USDT", T0 + 2, [], [], valid=False),
        Quote("okx", "BTC-USDT", T0 + SECOND, 99.5, 7.0, 100.5, 8.0, 100.0),
        Funding("okx", "BTC-USDT-SWAP", T0 + HOUR, 0.0001, next_ts=T0 + 9 * HOUR),
        Funding("okx", "BTC-USDT-SWAP", T0 + HOUR, 0.0002, next_ts=T0 + 9 * HOUR),
    ):
        recorder.take(event)
    found = recorder.recorded()
    assert list(zip(found.print_ts - T0, found.price, found.qty, strict=True)) == [
        (0, 100, 3),
        (5, 102, 1),
        (9, 101, 1),
    ]
    assert (found.depth_ts - T0).tolist() == [1, SECOND]
    assert found.depth[0, :2].tolist() == [[99.0, 3.0, 101.0, 1.0], [98.0, 4.0, 0.0, 0.0]]
    assert found.depth[1, 0].tolist() == [99.5, 7.0, 100.5, 8.0]
    assert (found.funding_rate.tolist(), found.funding_every) == ([0.0002], 8 * HOUR)


# --- funding


RATES = Recorded(
    funding_ts=T0 + np.array([0, 8, 24, 32]) * HOUR, funding_rate=np.array([0.1, 0.2, 0.3, 0.4]), funding_every=8 * HOUR
)


def test_payments_in_a_hole_are_due_at_the_first_candle_after_it() -> None:
    opens = T0 + np.array([-1, 7, 9, 25]) * HOUR
    due = payments(RATES, opens)
    assert due.at.tolist() == [1, 2, 3]
    assert due.rate.tolist() == [0.1, 0.2, 0.3]


def test_a_payment_at_the_open_of_an_entry_is_not_paid_by_it_and_the_next_one_is() -> None:
    # bought at the open of candle 1, when the first payment is due; 1 % of 101 at candle 2
    candles = frame([(100, 100, 100, 100, 1), (100, 101, 100, 101, 1), (101, 101, 101, 101, 1)], "BTC-USDT-SWAP")
    rates = Recorded(funding_ts=T0 + np.array([1, 2]) * MINUTE, funding_rate=np.array([0.5, 0.01]))
    tape = traded(spec(), candles, rates, [1.0, 1.0, 1.0])
    assert tape.account.funding == pytest.approx(1.01)
    assert traded(spec(funding=False), candles, rates, [1.0, 1.0, 1.0]).account.funding == 0.0


def test_missing_payments_are_counted_by_the_rhythm_of_the_venue() -> None:
    assert counts(RATES, T0, T0 + 33 * HOUR) == (4, 1)
    assert counts(RATES, T0 + 1, T0 + 24 * HOUR) == (1, 1)
    assert counts(RATES, T0 - 16 * HOUR, T0 + 1) == (1, 2)
    assert counts(RATES, T0 + 100 * HOUR, T0 + 117 * HOUR) == (0, 2)
    assert counts(NOTHING, T0, T0 + 33 * HOUR) == (0, 0)


def test_a_perpetual_without_recorded_rates_says_so() -> None:
    candles = frame([(100, 100, 100, 100, 1)] * 3, "BTC-USDT-SWAP")
    told = used_of(spec(), candles, NOTHING).told
    assert told is not None
    assert told.notes == ["BTC-USDT-SWAP pays funding, but no rate of this time is recorded: none was charged."]
    spot = used_of(spec(), CANDLES, NOTHING).told
    assert spot is not None
    assert spot.notes == []
