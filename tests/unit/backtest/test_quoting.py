"""Quoting strategies in a run: when they are asked, what they see, and what then rests. Worked by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from onetape import Market, Quote, Quoting, View
from onetape.backtest import detail
from onetape.backtest.dispatch import run
from onetape.backtest.report import report_of
from onetape.backtest.trades import fill_times
from onetape.core.state import F_BAR, F_MAKER, F_PRICE, F_QTY, F_SIDE, PRICE, resting
from onetape.domain.accounts import Costs, Execution
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats, resample
from onetape.domain.orders import OrderKind, Side
from onetape.domain.recorded import Recorded
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import MINUTE, SECOND
from onetape.strategies.market_maker import MarketMaker

SEEN: list[View] = []
FREE = Costs(0.0, 0.0)


class Bid(Quoting, frozen=True, tag="bid"):
    """One bid at a fixed price."""

    price: float = 99.0
    life_s: float = 0.0

    def warmup(self) -> int:
        return 1

    def quotes(self, now: View) -> Sequence[Quote]:
        SEEN.append(now)
        return [Quote(Side.BUY, 1.0, self.price, life_s=self.life_s)]


class InAndOut(Quoting, frozen=True, tag="in_and_out"):
    """Buys when flat, sells when not, at the market."""

    def warmup(self) -> int:
        return 1

    def quotes(self, now: View) -> Sequence[Quote]:
        side = Side.BUY if now.account.qty == 0.0 else Side.SELL
        return [Quote(side, 1.0, kind=OrderKind.MARKET)]


class Faulty(Quoting, frozen=True, tag="faulty"):
    """Fails in the way that is asked for."""

    way: str = ""

    def warmup(self) -> int:
        return 1

    def prepare(self, market: Market) -> dict[str, Floats]:
        columns: dict[str, Any] = {
            "short": {"mean": market.close[1:]},
            "infinite": {"mean": np.where(market.close > 100.5, np.inf, 1.0)},
            "text": {"mean": ["a"] * len(market)},
            "list": [1.0],
        }
        return columns.get(self.way, {"nothing": np.full(len(market), np.nan)})  # type: ignore[no-any-return]

    def quotes(self, now: View) -> Sequence[Quote]:
        if self.way == "many":
            return [Quote(Side.BUY, 1.0, 50.0 + i) for i in range(17)]
        if self.way == "negative":
            return [Quote(Side.BUY, 1.0, 50.0), Quote(Side.BUY, -1.0, 51.0)]
        assert np.isnan(now.row["nothing"])
        return [Quote(Side.BUY, 1.0 / (now.account.qty - 0.0), 1.0)]


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


def frame_of(candles: Sequence[Sequence[float]], minutes: Sequence[int] | None = None) -> CandleFrame:
    rows = np.array(candles, np.float64)
    ts = np.array(range(len(rows)) if minutes is None else minutes, np.int64) * MINUTE
    prices = {name: rows[:, k] for k, name in enumerate(("open", "high", "low", "close"))}
    return CandleFrame.of("x", "A-B", "1m", {"ts": ts, **prices, "volume": np.ones(len(rows))})


def ran(strategy: Quoting, frame: CandleFrame, fills: CandleFrame | None = None, **parts: Any) -> Result:
    spec = BacktestSpec(
        strategy=strategy.name(),
        exchange="x",
        symbol="A-B",
        timeframe=str(frame.timeframe),
        **({"costs": FREE} | parts),
    )
    return run(spec, frame, fills, strategy)


def test_an_order_rests_from_the_close_at_which_it_was_answered() -> None:
    # candle 0 trades through 99 before anybody was asked; candle 1 does not reach it; candle 2 does
    result = ran(
        Bid(), frame_of([[100, 101, 98, 100], [100, 101, 99.5, 100], [100, 100, 98.5, 99.5]]), costs=Costs(0.001, 0.002)
    )
    [fill] = result.tape.fills
    assert (fill[F_BAR], fill[F_PRICE], fill[F_QTY], fill[F_MAKER]) == (2, 99.0, 1.0, 1.0)
    # cash 10,000 - 99 - 0.099 of fee, and one unit at 99.5
    np.testing.assert_allclose(result.tape.equity, [10_000, 10_000, 10_000 - 99 - 0.099 + 99.5])
    assert result.tape.trips[0][0] == 2.0
    assert resting(result.tape.book)[:, PRICE].tolist() == [99.0], "asked again at the last close"
    assert len(result.signals) == 0
    assert result.metrics["open_trades"] == 1
    assert result.metrics["fees"] == pytest.approx(0.099)


def test_a_view_holds_the_close_the_columns_and_the_account_of_that_moment() -> None:
    result = ran(Bid(), frame_of([[100, 101, 100, 100.5], [100, 100, 98, 99.5], [100, 101, 99.8, 100]]))
    assert [view.ts for view in SEEN] == [MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert [view.close for view in SEEN] == [100.5, 99.5, 100.0]
    assert [dict(view.row) for view in SEEN] == [{"close": 100.5}, {"close": 99.5}, {"close": 100.0}]
    assert [view.account.qty for view in SEEN] == [0.0, 1.0, 1.0]
    assert SEEN[1].account.cash == 10_000 - 99
    assert SEEN[1].equity == 10_000 - 99 + 99.5
    assert SEEN[0].terms == result.spec.terms


def test_nobody_is_asked_before_the_warm_up_or_the_start() -> None:
    class Late(Bid, frozen=True, tag="late"):
        def warmup(self) -> int:
            return 3

    candles = frame_of([[100, 101, 99.5, 100]] * 6)
    ran(Late(), candles)
    assert [view.ts for view in SEEN] == [3 * MINUTE, 4 * MINUTE, 5 * MINUTE, 6 * MINUTE]
    SEEN.clear()
    ran(Late(), candles, start_ts=4 * MINUTE)
    assert [view.ts for view in SEEN] == [5 * MINUTE, 6 * MINUTE]


def test_orders_fill_on_finer_candles_from_the_one_after_the_close() -> None:
    fine = frame_of([[100, 101, 99.5, 100]] * 5 + [[100, 101, 99.5, 100]] * 2 + [[100, 100, 98, 99.5]] * 3)
    result = ran(Bid(), resample(fine, "5m"), fine)
    assert [view.ts for view in SEEN] == [5 * MINUTE, 10 * MINUTE]
    assert result.tape.fills[:, F_BAR].tolist() == [7]
    assert result.fill_timeframe == "1m"


def test_closes_without_a_fill_candle_between_them_ask_once() -> None:
    # one-minute fill candles end at minute 5 and go on at minute 10: the closes of minutes 6 to 9 have none
    whole = frame_of([[100, 101, 99.5, 100]] * 12)
    fills = frame_of([[100, 101, 99.5, 100]] * 7, [0, 1, 2, 3, 4, 10, 11])
    ran(Bid(), whole, fills)
    assert [view.ts // MINUTE for view in SEEN] == [1, 2, 3, 4, 10, 11, 12]


def test_an_order_is_taken_back_when_its_life_is_over() -> None:
    # alive in minutes 5 and 6, gone in minute 7, in which its price is traded
    calm, low = [100, 101, 99.5, 100], [100, 100, 98, 100]
    fine = frame_of([calm] * 7 + [low] + [calm] * 2)
    result = ran(Bid(life_s=120.0), resample(fine, "5m"), fine)
    assert len(result.tape.fills) == 0
    assert result.tape.rejected == {"not filled within its time": 1}
    assert len(ran(Bid(life_s=180.0), resample(fine, "5m"), fine).tape.fills) == 1


def test_more_fills_than_the_first_buffer_holds_are_all_there() -> None:
    n = 6_000
    result = ran(InAndOut(), frame_of([[100, 101, 99, 100]] * n))
    assert result.tape.fills[:, F_BAR].tolist() == list(range(1, n))
    assert result.tape.fills[:4, F_SIDE].tolist() == [1, -1, 1, -1]
    assert result.metrics["trades"] == (n - 1) // 2
    np.testing.assert_allclose(result.tape.equity, 10_000.0)


def test_the_same_run_gives_the_same_bits() -> None:
    candles = frame_of([[100, 101, 98, 100], [100, 101, 99.5, 100], [100, 100, 98.5, 99.5]])
    one, two = ran(Bid(), candles), ran(Bid(), candles)
    assert one.tape.equity.tobytes() == two.tape.equity.tobytes()
    assert one.manifest["hash"] == two.manifest["hash"]


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("short", r"prepare\['mean'\].*not one number for each of 3 candles"),
        ("infinite", r"prepare\['mean'\]\[2\].*not finite"),
        ("text", "not a column of numbers"),
        ("list", "not what it must return"),
        ("many", "quotes of faulty at 1970-01-01T00:01:00Z.*17.*more than the 16 orders"),
        ("negative", "number 1, qty.*-1.*not a quantity from 0 on"),
        ("division", "quotes of faulty at .*line [0-9]+ of test_quoting.py: ZeroDivisionError"),
    ],
)
def test_what_is_no_answer_is_refused_with_a_sentence(way: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        ran(Faulty(way), frame_of([[100, 101, 98, 100], [100, 101, 99.5, 100], [100, 101, 98.5, 100.75]]))


def test_a_strategy_over_several_instruments_is_told_so() -> None:
    from onetape import Portfolio

    class Pair(Portfolio, frozen=True, tag="pair"):
        def warmup(self) -> int:
            return 1

    with pytest.raises(BadInput, match="several instruments"):
        run(BacktestSpec(strategy="pair"), frame_of([[1, 1, 1, 1]]), None, Pair())


# --- on what was recorded inside the candles


def trades(*rows: tuple[float, float, float]) -> Recorded:
    """Seconds, price, size."""
    table = np.array(rows, float)
    return Recorded(print_ts=(table[:, 0] * SECOND).astype(np.int64), price=table[:, 1], qty=table[:, 2])


def recorded_frame(recorded: Recorded, n: int) -> CandleFrame:
    """The one-minute candles that the trades make (each minute has one)."""
    minute = recorded.print_ts // MINUTE
    inside = [minute == k for k in range(n)]
    rows = [[(p := recorded.price[at])[0], p.max(), p.min(), p[-1], recorded.qty[at].sum()] for at in inside]
    table = np.array(rows, float)
    columns: dict[str, object] = dict(zip(("open", "high", "low", "close", "volume"), table.T, strict=True))
    return CandleFrame.of("x", "A-B", "1m", columns | {"ts": np.arange(n) * MINUTE})


def test_orders_fill_on_single_trades_between_the_closes() -> None:
    # asked at 60 s; the trade at 80 s goes through 99; asked again at 120 s, where the last trade was at 110 s
    recorded = trades((10, 100, 1), (65, 100, 1), (80, 98.5, 3), (110, 101, 1), (130, 101, 1))
    result = run(
        BacktestSpec(strategy="bid", timeframe="1m", costs=FREE), recorded_frame(recorded, 3), None, Bid(), "", recorded
    )
    assert result.tape.fills[:, [F_BAR, F_PRICE, F_QTY]].tolist() == [[1.0, 99.0, 1.0]]
    assert fill_times(result.tape).tolist() == [80 * SECOND]
    assert [view.ts for view in SEEN] == [MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert [view.close for view in SEEN] == [100.0, 101.0, 101.0]
    np.testing.assert_allclose(result.tape.equity, [10_000.0, 10_002.0, 10_002.0])
    assert result.data is not None
    assert result.data.prints_share == 1.0


def test_a_bid_that_rests_on_keeps_its_place_in_the_queue() -> None:
    # 2 wait at 99 before ours: 1.5 of them trade in the second minute, the rest and ours in the third
    recorded = trades(
        (10, 100, 1), (65, 100, 1), (80, 99, 1.5), (110, 100, 1), (130, 99, 1), (140, 99, 1), (170, 100, 1)
    )
    book = np.zeros((1, 20, 4))
    book[0, 0] = [99.0, 2.0, 101.0, 2.0]
    recorded = dataclasses.replace(recorded, depth_ts=np.array([55 * SECOND]), depth=book)
    result = run(
        BacktestSpec(strategy="bid", timeframe="1m", costs=FREE), recorded_frame(recorded, 3), None, Bid(), "", recorded
    )
    assert result.tape.fills[:, [F_PRICE, F_QTY]].tolist() == [[99.0, 0.5], [99.0, 0.5]]
    assert fill_times(result.tape).tolist() == [130 * SECOND, 140 * SECOND]


def test_a_quoting_run_is_told_with_its_twin_that_costs_nothing() -> None:
    # 1 bought at 99 for a fee of 0.99, and 1 of funding on it: 1.99 is all that the twin has more
    candles = frame_of([[100, 101, 99.5, 100], [100, 100, 98, 100], [100, 101, 99.5, 100]])
    rates = Recorded(funding_ts=np.array([2 * MINUTE]), funding_rate=np.array([0.01]))
    asked = BacktestSpec(strategy="bid", timeframe="1m", costs=Costs(0.01, 0.01))
    found = report_of(run(asked, candles, None, Bid(), "", rates)).reality
    assert found is not None
    assert (found.fees, found.funding) == pytest.approx((0.99, 1.0))
    assert found.free_metrics["final_equity"] == pytest.approx(10_001.0)


def test_funding_is_paid_for_what_is_held() -> None:
    # bought in candle 1 at 99; 1 % of the open of candle 2, 100
    candles = frame_of([[100, 101, 99.5, 100], [100, 100, 98, 100], [100, 101, 99.5, 100]])
    rates = Recorded(funding_ts=np.array([2 * MINUTE]), funding_rate=np.array([0.01]))
    result = run(BacktestSpec(strategy="bid", timeframe="1m", costs=FREE), candles, None, Bid(), "", rates)
    assert result.tape.account.funding == pytest.approx(1.0)


def test_pieces_of_any_size_give_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(5)
    prices = np.round(100.0 + np.cumsum(draw.normal(0.0, 0.3, 900)), 2)
    recorded = trades(
        *zip((np.arange(900) * 8 + 1).tolist(), prices.tolist(), draw.uniform(0.1, 2.0, 900), strict=True)
    )
    recorded = dataclasses.replace(
        recorded, funding_ts=np.arange(0, 120, 7) * MINUTE + 30 * SECOND, funding_rate=np.full(18, 0.001)
    )
    whole_frame = recorded_frame(recorded, 120)
    rough = dataclasses.replace(whole_frame, volume=np.where(np.arange(120) % 3, whole_frame.volume, 99.0))
    spec = BacktestSpec(strategy="market_maker", timeframe="1m", execution=Execution(latency=3.0 * SECOND))
    maker = MarketMaker(fair=2, length=5, width=0.5, least=0.0005)
    whole = run(spec, rough, None, maker, "", recorded).tape
    monkeypatch.setattr(detail, "PIECE", 10)
    parts = run(spec, rough, None, maker, "", recorded).tape
    np.testing.assert_array_equal(whole.fills, parts.fills)
    np.testing.assert_array_equal(whole.equity, parts.equity)
    np.testing.assert_array_equal(fill_times(whole), fill_times(parts))
    np.testing.assert_array_equal(whole.account, parts.account)
    assert len(whole.fills) > 10
    assert whole.account.funding != 0.0
