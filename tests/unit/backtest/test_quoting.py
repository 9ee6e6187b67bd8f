"""Quoting strategies in a run: when they are asked, what they see, and what then rests. Worked by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from onetape import Market, Quote, Quoting, View
from onetape.backtest.dispatch import run
from onetape.core.state import F_BAR, F_MAKER, F_PRICE, F_QTY, F_SIDE, PRICE, resting
from onetape.domain.accounts import Costs
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats, resample
from onetape.domain.orders import OrderKind, Side
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import MINUTE

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
