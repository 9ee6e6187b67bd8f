"""Bots and portfolios over the past: each bot is what it is alone, the whole is their sum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from onetape.backtest import fleet, portfolio
from onetape.backtest.run import run as run_alone
from onetape.core.fleet import CommonLimits
from onetape.domain.accounts import Costs, Sizing, Terms
from onetape.domain.bots import BotSpec, LimitsSpec
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, resample
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
    return fleet.member_of(spec.name, fleet.spec_of(spec, TERMS), (frame, fills), strategy, "hash")


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
