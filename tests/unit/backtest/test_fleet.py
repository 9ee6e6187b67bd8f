"""Bots and portfolios over the past: each bot is what it is alone, the whole is their sum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from onetape.backtest import fleet, portfolio
from onetape.backtest.candles import Chosen
from onetape.backtest.report import report_of
from onetape.backtest.run import run as run_alone
from onetape.core.many import CommonLimits
from onetape.core.state import F_BAR, F_SIDE
from onetape.domain.accounts import Costs, RiskLimits, Sizing, Terms
from onetape.domain.bots import BotSpec, LimitsSpec
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.recorded import Recorded
from onetape.domain.results import BacktestSpec
from onetape.domain.units import Timeframe
from onetape.strategies.contract import Market
from onetape.strategies.portfolio import Portfolio, Weights
from onetape.strategies.rotation import Rotation
from onetape.strategies.sma_cross import SmaCross

MINUTE = 60_000_000
HOUR = 60 * MINUTE
TERMS = Terms(0.01, 1e-6)


def market(symbol: str, n: int, seed: int, start: int = 0, step: int = MINUTE, timeframe: str = "1m") -> CandleFrame:
    random = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(random.normal(0, 0.002, n))), 2)
    opens = np.concatenate((close[:1], close[:-1]))
    columns: dict[str, object] = {
        "ts": start + np.arange(n) * step, "open": opens, "high": np.maximum(opens, close),
        "low": np.minimum(opens, close), "close": close, "volume": np.full(n, 5.0),
    }  # fmt: skip
    return CandleFrame.of("x", symbol, timeframe, columns)


def bot(name: str, symbol: str, **more: object) -> BotSpec:
    plain: dict[str, object] = {"timeframe": "5m", "strategy": "sma_cross", "capital": 10_000.0}
    return BotSpec(name=name, exchange="x", symbol=symbol, **(plain | more)).check()  # type: ignore[arg-type]


def member(spec: BotSpec, fills: CandleFrame, strategy: SmaCross) -> fleet.Member:
    frame = resample(fills, Timeframe.parse(spec.timeframe))
    return fleet.member_of(spec.name, fleet.spec_of(spec, TERMS), Chosen(frame, fills), strategy, "hash")


def test_each_bot_of_a_fleet_is_what_it_is_alone_and_the_whole_is_their_sum() -> None:
    first, second = market("A-USD", 3_000, 1), market("B-USD", 2_400, 2, start=200 * MINUTE)
    bots = [
        bot("one", "A-USD"), bot("two", "B-USD", limits=LimitsSpec(stop=0.01, take=0.02)),
        bot("three", "A-USD", sizing="quote:2000", timeframe="1m"),
    ]  # fmt: skip
    strategies = [SmaCross(fast=3, slow=9), SmaCross(fast=2, slow=7), SmaCross(fast=10, slow=30)]
    members = [member(b, f, s) for b, f, s in zip(bots, (first, second, first), strategies, strict=True)]
    group = fleet.run(members, CommonLimits())
    for one, strategy in zip(members, strategies, strict=True):
        alone = run_alone(one.spec, one.frame, one.fills, strategy)
        mine = group.members[one.name]
        np.testing.assert_array_equal(mine.tape.fills, alone.tape.fills)
        np.testing.assert_allclose(mine.tape.equity, alone.tape.equity, rtol=1e-12)
        assert mine.tape.rejected == alone.tape.rejected
        assert mine.metrics["trades"] == alone.metrics["trades"] > 5
    whole = group.whole
    assert whole.metrics["trades"] == sum(result.metrics["trades"] for result in group.members.values())
    assert whole.metrics["fees"] == pytest.approx(sum(r.metrics["fees"] for r in group.members.values()))
    gain = sum(result.tape.equity[-1] - 10_000.0 for result in group.members.values())
    assert whole.tape.equity[-1] == pytest.approx(30_000.0 + gain, rel=1e-12)
    assert len(whole.tape.ts) == 3_000
    assert 0.0 < whole.metrics["exposure"] <= 1.0


def test_one_account_for_all_is_never_overdrawn() -> None:
    first, second = market("A-USD", 2_000, 3), market("B-USD", 2_000, 4)
    members = [
        member(bot(name, symbol, sizing="fraction:0.9"), frame, SmaCross(fast=2, slow=5))
        for name, symbol, frame in (("one", "A-USD", first), ("two", "B-USD", second))
    ]
    group = fleet.run(members, CommonLimits(), shared_cash=10_000.0)
    bought: dict[int, float] = {}
    cash, lowest = 10_000.0, 10_000.0
    for fill in group.whole.tape.fills[np.argsort(group.whole.tape.fills[:, 0], kind="stable")]:
        cash -= fill[2] * fill[5] * fill[6] + fill[7]
        lowest = min(lowest, cash)
        bought[int(fill[2])] = bought.get(int(fill[2]), 0) + 1
    assert lowest >= -1e-6
    assert min(bought.values()) > 10
    assert group.whole.tape.equity[0] == 10_000.0


def test_a_bot_with_too_few_candles_is_named() -> None:
    with pytest.raises(BadInput, match="bot small"):
        member(bot("small", "A-USD"), market("A-USD", 30, 1), SmaCross())


def spec(**more: object) -> BacktestSpec:
    plain: dict[str, object] = {
        "strategy": "any", "timeframe": "1h", "cash": 1_000.0, "costs": Costs(0.0, 0.0), "sizing": Sizing(),
    }  # fmt: skip
    return BacktestSpec(**(plain | more))  # type: ignore[arg-type]


class Halves(Portfolio, frozen=True, tag="halves"):
    """Equal shares from the first candle on, again at each."""

    def warmup(self) -> int:
        return 1

    def weights(self, markets: Mapping[str, Market]) -> Weights:
        n, k = len(next(iter(markets.values()))), len(markets)
        return Weights(np.full((n, k), 1.0 / k))


def test_a_portfolio_of_halves_is_worked_out_by_hand() -> None:
    up = CandleFrame.of("x", "A-USD", "1h", {
        "ts": np.arange(4) * HOUR, "open": [10.0, 10, 20, 20], "high": [10.0, 20, 20, 20], "low": [10.0, 10, 20, 20],
        "close": [10.0, 20, 20, 20], "volume": np.ones(4),
    })  # fmt: skip
    flat = CandleFrame.of("x", "B-USD", "1h", {
        "ts": np.arange(4) * HOUR, "open": [5.0] * 4, "high": [5.0] * 4, "low": [5.0] * 4, "close": [5.0] * 4,
        "volume": np.ones(4),
    })  # fmt: skip
    frames = {"A-USD": up, "B-USD": flat}
    terms = dict.fromkeys(frames, Terms(0.01, 0.01))
    group = portfolio.run(spec(), frames, frames, terms, Halves())
    # 50 at 10 and 100 at 5; at the close of candle 1 it is 1,500: 37.5 at 20 and 150 at 5
    signed = [(int(f[0]), float(f[2] * f[5])) for f in group.whole.tape.fills]
    assert signed == [(1, 50.0), (1, 100.0), (2, -12.5), (2, 50.0)]
    assert group.whole.tape.equity.tolist() == [1_000.0, 1_500.0, 1_500.0, 1_500.0]
    assert group.whole.metrics["total_return"] == 0.5
    assert sum(r.tape.equity[-1] - 1_000.0 for r in group.members.values()) == pytest.approx(500.0)


def test_changes_within_the_band_are_not_traded() -> None:
    frames = {
        "A-USD": market("A-USD", 300, 5, step=HOUR, timeframe="1h"),
        "B-USD": market("B-USD", 300, 6, step=HOUR, timeframe="1h"),
    }
    terms = dict.fromkeys(frames, TERMS)
    often = portfolio.run(spec(), frames, frames, terms, Halves())
    seldom = portfolio.run(spec(), frames, frames, terms, Halves(), band=0.05)
    assert len(seldom.whole.tape.fills) < len(often.whole.tape.fills) / 5


def test_candles_that_not_all_have_are_left_out() -> None:
    first = market("A-USD", 100, 5, step=HOUR, timeframe="1h")
    second = market("B-USD", 60, 6, start=20 * HOUR, step=HOUR, timeframe="1h")
    both = portfolio.common({"A-USD": first, "B-USD": second})
    assert both["A-USD"].ts.tolist() == both["B-USD"].ts.tolist() == second.ts.tolist()


def test_weights_beyond_the_limit_are_refused() -> None:
    class Much(Halves, frozen=True, tag="much"):
        """Twice everything."""

        def weights(self, markets: Mapping[str, Market]) -> Weights:
            return Weights(np.full((len(next(iter(markets.values()))), len(markets)), 1.0))

    frames = {name: market(name, 50, 1, step=HOUR, timeframe="1h") for name in ("A-USD", "B-USD")}
    with pytest.raises(BadInput, match="more than the limit of exposure"):
        portfolio.run(spec(), frames, frames, dict.fromkeys(frames, TERMS), Much())


def test_rotation_holds_what_rose_most_and_nothing_that_fell() -> None:
    # over 2 candles: A 10 -> 12, B 10 -> 11, C 10 -> 9; the change happens on the last hour of each pair
    def line(values: list[float]) -> Market:
        n = len(values)
        column = np.array(values)
        return Market(CandleFrame.of("x", "A", "1h", {
            "ts": np.arange(n) * HOUR, "open": column, "high": column, "low": column, "close": column,
            "volume": np.ones(n),
        }))  # fmt: skip

    markets = {"A": line([10, 10, 11, 12]), "B": line([10, 10, 10, 11]), "C": line([10, 10, 10, 9])}
    found = Rotation(look=2, hold=2, every=2, invest=0.8).weights(markets)
    assert np.isnan(found.values[:3]).all()
    assert found.values[3].tolist() == [0.4, 0.4, 0.0]
    assert Rotation(look=2, hold=1, every=2, invest=0.8).weights(markets).values[3].tolist() == [0.8, 0.0, 0.0]


# --- what was recorded beside the candles, and what all of it cost


def recorded_inside(frame: CandleFrame, upto: int, seed: int) -> Recorded:
    """Single trades that make the first candles again, a book a minute, a rate each hour."""
    random, rows = np.random.default_rng(seed), []
    for i in range(upto):
        inside = [frame.open[i], frame.high[i], frame.low[i], frame.close[i]]
        rows += [(frame.ts[i] + 1_000_000 * (k + 1), price, 1.25) for k, price in enumerate(inside)]
    table = np.array(rows)
    near = frame.open[:upto] * (1.0 + random.normal(0.0, 1e-4, upto))
    depth = np.stack([near * 0.9999, np.full(upto, 9.0), near * 1.0001, np.full(upto, 9.0)], axis=1)[:, None, :]
    hours = np.arange(int(frame.ts[0]) // HOUR + 1, int(frame.ts[-1]) // HOUR + 1) * HOUR
    return Recorded(
        print_ts=table[:, 0].astype(np.int64), price=table[:, 1], qty=table[:, 2], depth_ts=frame.ts[:upto] - 1,
        depth=depth, funding_ts=hours, funding_rate=random.normal(0.0, 1e-3, len(hours)), funding_every=HOUR,
    )  # fmt: skip


def test_a_bot_of_a_fleet_fills_on_what_was_recorded_and_pays_funding_as_it_does_alone() -> None:
    frames = {name: market(name, 1_500, seed) for name, seed in (("A-USD-SWAP", 1), ("B-USD-SWAP", 2))}
    books = {name: recorded_inside(frame, 900, 3) for name, frame in frames.items()}
    members = []
    for k, (name, fills) in enumerate(frames.items()):
        asked = bot(f"bot{k}", name, limits=LimitsSpec(stop=0.01, take=0.01))
        chosen = Chosen(resample(fills, Timeframe.parse("5m")), fills, books[name])
        members.append(fleet.member_of(asked.name, fleet.spec_of(asked, TERMS), chosen, SmaCross(fast=2, slow=5), "h"))
    group = fleet.run(members, CommonLimits())
    for one, name in zip(members, frames, strict=True):
        alone = run_alone(one.spec, one.frame, one.fills, SmaCross(fast=2, slow=5), "h", books[name])
        mine = group.members[one.name]
        np.testing.assert_array_equal(mine.tape.fills, alone.tape.fills)
        np.testing.assert_array_equal(mine.tape.fill_ts, alone.tape.fill_ts)
        np.testing.assert_allclose(mine.tape.equity, alone.tape.equity, rtol=1e-12)
        assert mine.tape.account.funding == alone.tape.account.funding != 0.0
        assert mine.data == alone.data
        assert mine.manifest["data"] == alone.manifest["data"]
    whole = group.whole
    assert whole.data is not None
    assert whole.data.prints_share == pytest.approx(0.6)  # 900 of 1,500 minutes of both
    assert whole.data.funding == 2 * 24  # 25 hours, the first payment after the beginning
    assert 0.5 < whole.data.books_share < 0.7
    assert whole.tape.account.funding == pytest.approx(sum(r.tape.account.funding for r in group.members.values()))
    np.testing.assert_array_equal(whole.tape.ts, frames["A-USD-SWAP"].ts)
    ends = sum(result.tape.equity for result in group.members.values())
    np.testing.assert_allclose(whole.tape.equity, ends, rtol=1e-12)


def test_a_fleet_is_told_with_its_twin_that_costs_nothing() -> None:
    frame = market("A-USD-SWAP", 1_500, 1)
    recorded = recorded_inside(frame, 2, 3)
    asked = bot("one", "A-USD-SWAP", sizing="qty:1", capital=100_000.0, slippage=0.001)
    chosen = Chosen(resample(frame, Timeframe.parse("5m")), frame, recorded)
    member = fleet.member_of("one", fleet.spec_of(asked, TERMS), chosen, SmaCross(fast=2, slow=5), "h")
    group = fleet.run([member], CommonLimits())
    for result in (group.whole, group.members["one"]):
        report = report_of(result)
        found = report.reality
        assert found is not None
        assert min(found.fees, found.slippage, abs(found.funding)) > 0.0
        paid = found.fees + found.slippage + found.funding  # of a fixed size: all that differs
        assert found.free_metrics["final_equity"] - result.metrics["final_equity"] == pytest.approx(paid, rel=1e-6)
        assert report.detail == result.data


def test_a_portfolio_pays_funding_on_what_it_holds_and_is_told_with_its_twin() -> None:
    # halves of 1,000 at 10 and 5 from candle 1 on: 50 and 100 units; at the open of candle 2 A pays 0.01 on 50 * 20
    prices = np.array([10.0, 10, 20, 20])
    columns: dict[str, object] = {
        "ts": np.arange(4) * HOUR, "open": prices, "high": prices, "low": prices, "close": prices,
        "volume": np.ones(4),
    }  # fmt: skip
    flat = columns | dict.fromkeys(("open", "high", "low", "close"), np.full(4, 5.0))
    frames = {"A-USD-SWAP": CandleFrame.of("x", "A-USD-SWAP", "1h", columns),
              "B-USD-SWAP": CandleFrame.of("x", "B-USD-SWAP", "1h", flat)}  # fmt: skip
    rates = Recorded(funding_ts=np.array([2 * HOUR]), funding_rate=np.array([0.01]), funding_every=4 * HOUR)
    group = portfolio.run(
        spec(), frames, frames, dict.fromkeys(frames, Terms(0.01, 0.01)), Halves(), recorded={"A-USD-SWAP": rates}
    )
    assert group.whole.tape.account.funding == pytest.approx(0.01 * 50 * 20)
    assert group.whole.tape.equity.tolist() == pytest.approx([1_000.0, 1_000.0, 1_490.0, 1_490.0])
    report = report_of(group.whole)
    assert report.reality is not None
    assert report.reality.free_metrics["final_equity"] == pytest.approx(1_500.0)
    assert group.members["A-USD-SWAP"].tape.equity[-1] == pytest.approx(1_490.0)
    assert any("no rate of this time" in text for text in report.warnings)  # of the other one


def test_the_drawdown_limit_of_a_portfolio_ends_it() -> None:
    falls = np.array([10.0, 10, 10, 7, 7, 7])
    columns: dict[str, object] = {
        "ts": np.arange(6) * HOUR, "open": falls, "high": falls, "low": falls, "close": falls, "volume": np.ones(6),
    }  # fmt: skip
    frames = {name: CandleFrame.of("x", name, "1h", columns) for name in ("A-USD", "B-USD")}
    limits = RiskLimits(max_drawdown=0.2)
    group = portfolio.run(spec(limits=limits), frames, frames, dict.fromkeys(frames, Terms(0.01, 0.01)), Halves())
    assert group.whole.tape.fills[:, [F_BAR, F_SIDE]].tolist() == [[1, 1], [1, 1], [4, -1], [4, -1]]
