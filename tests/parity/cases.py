"""Small markets and rules as hypothesis draws them, on coarse steps, so that prices meet exactly as often as they can;
and how a case is put to the kernels and to the exact reference."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import numpy as np
from exact import FOK, IOC, POST_ONLY, STAYS, Candle, D, Level, Wish, World
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference import Reference

from onetape.core.state import F_BAR, F_FEE, F_MAKER, F_PART, F_PRICE, F_QTY, F_ROLE, F_SIDE
from onetape.domain.accounts import Account, Costs, Execution, Exits, RiskLimits, Rules, Sizing, Terms

SECOND = 1_000_000
MINUTE = 60 * SECOND
NAN = float("nan")
FORCES = {STAYS: 0.0, IOC: 1.0, FOK: 2.0, POST_ONLY: 3.0}


def tenths(low: int, high: int) -> st.SearchStrategy[D]:
    return st.integers(low, high).map(lambda k: D(k) / 10)


def rates(*texts: str) -> st.SearchStrategy[D]:
    return st.sampled_from([D(text) for text in texts])


def maybe(strategy: st.SearchStrategy[D]) -> st.SearchStrategy[D | None]:
    return st.none() | strategy


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Rules of all kinds. Limits are uneven: a tie of computed amounts is decided by the last bit of a float."""
    margin = draw(st.booleans())
    exits = [draw(maybe(rates("0.01", "0.02", "0.03", "0.05"))) for _ in range(3)]
    mode, value = draw(
        st.sampled_from([("qty", "1"), ("qty", "4"), ("quote", "300"), ("fraction", "0.93"), ("risk", "0.007")])
    )
    return World(
        maker=draw(rates("0", "0.001", "-0.0001")),
        taker=draw(rates("0", "0.002")),
        slippage=draw(rates("0", "0.001")),
        mode=mode,
        value=D(value),
        max_exposure=draw(rates("3.07", "5.03") if margin else rates("1", "0.57")),
        max_notional=draw(maybe(rates("811.3"))),
        max_drawdown=draw(rates("1", "0.0317", "0.1093")),
        shorts=draw(st.booleans()),
        stop=exits[0],
        take=exits[1],
        trail=exits[2],
        tick=D("0.5"),
        lot=D("0.1"),
        min_qty=draw(rates("0", "0.2")),
        min_notional=draw(rates("0", "31.7")),
        spread=draw(rates("0", "0.002")),
        impact_share=draw(rates("0", "0.5")),
        impact_root=draw(rates("0", "0.1")),
        latency=draw(st.sampled_from([0, 0, 15 * SECOND, MINUTE, 90 * SECOND])),
        share=draw(rates("0", "0.1", "0.5")),
        force=draw(st.sampled_from(list(FORCES))),
        life=draw(st.sampled_from([0, MINUTE, 3 * MINUTE])),
        stop_limit=draw(rates("0", "0.01")),
        leverage=draw(rates("5", "20")) if margin else D(0),
        maintenance=D("0.0107") if margin else D(0),
        band=draw(rates("0", "0.0153")),
    )


@st.composite
def markets(draw: st.DrawFn, n: int) -> list[Candle]:
    """Candles of a minute around 100 on steps of 0.5, with gaps, and little volume."""
    step, last, made = D("0.5"), draw(st.integers(190, 210)), []
    for i in range(n):
        opened = max(last + draw(st.integers(-4, 4)), 20)
        close = max(opened + draw(st.integers(-6, 6)), 20)
        high = max(opened, close) + draw(st.integers(0, 4))
        low = min(opened, close) - draw(st.integers(0, 4))
        volume = D(draw(st.sampled_from([0, 1, 2, 5, 10, 20, 40, 100])))
        made.append(Candle(opened * step, high * step, low * step, close * step, volume, i * MINUTE, MINUTE))
        last = close
    return made


@st.composite
def trades(draw: st.DrawFn, n: int) -> list[Candle]:
    """Single trades, some with the order book that was recorded before them; sizes are halves, which floats hold."""
    step, last, depth, made = D("0.5"), draw(st.integers(195, 205)), (), []
    for i in range(n):
        last = max(last + draw(st.sampled_from([-2, -1, 0, 0, 1, 2])), 20)
        price, volume = last * step, D(draw(st.integers(0, 8))) / 2
        if draw(st.booleans()):
            depth = draw(depths(last))
        made.append(Candle(price, price, price, price, volume, (i + 1) * MINUTE, 0, depth))
    return made


@st.composite
def depths(draw: st.DrawFn, last: int) -> tuple[Level, ...]:
    """Three levels a side around a price; a size of 0 ends a side."""
    sizes = st.integers(0, 6).map(lambda k: D(k) / 2)
    bid = last - draw(st.integers(0, 1))
    step = D("0.5")
    return tuple(Level((bid - k) * step, draw(sizes), (bid + 1 + k) * step, draw(sizes)) for k in range(3))


@st.composite
def wishes(draw: st.DrawFn, candles: list[Candle]) -> list[Wish]:
    near = maybe(rates("0.01", "0.02", "0.04"))
    targets = st.sampled_from([None, None, None, D(1), D("0.5"), D(0), D(-1), D("-0.5")])
    made, limits = [], draw(st.booleans())
    for candle in candles:
        limit = candle.close + D(draw(st.integers(-6, 6))) / 2 if limits and draw(st.booleans()) else None
        made.append(Wish(draw(targets), draw(near), draw(near), draw(near), limit))
    return made


def rules_of(world: World) -> Rules:
    def number(x: Decimal | None, none: float = NAN) -> float:
        return none if x is None else float(x)

    return Rules(
        Costs(*map(float, (world.maker, world.taker, world.slippage, world.spread)), float(world.impact_share),
              float(world.impact_root)),
        Sizing.parse(f"{world.mode}:{world.value}"),
        RiskLimits(float(world.max_exposure), number(world.max_notional, float("inf")), float(world.max_drawdown),
                   float(world.shorts), float(world.leverage)),
        Exits(number(world.stop), number(world.take), number(world.trail)),
        Terms(*map(float, (world.tick, world.lot, world.min_qty, world.min_notional, world.maintenance, world.band))),
        Execution(float(world.latency), float(world.share), FORCES[world.force], float(world.life),
                  float(world.stop_limit), float(world.queue)),
    )  # fmt: skip


def column(values: list[D | None]) -> NDArray[np.float64]:
    return np.array([NAN if x is None else float(x) for x in values])


@dataclasses.dataclass(frozen=True)
class Played:
    """What the kernels made of a case."""

    account: Account
    fills: NDArray[np.float64]
    equity: NDArray[np.float64]
    refused: dict[str, int]


def agree(made: Played, exact: Reference, marks: list[D]) -> None:
    """Every fill in time, reason, size, price, fee and part, every equity, every refusal."""
    told = [tuple(int(x) for x in f[[F_BAR, F_ROLE, F_SIDE, F_MAKER, F_PART]]) for f in made.fills]
    assert told == [(f.bar, f.role, f.side, int(f.maker), f.part) for f in exact.fills]
    for at, name in ((F_QTY, "qty"), (F_PRICE, "price"), (F_FEE, "fee")):
        wanted = np.array([float(getattr(f, name)) for f in exact.fills])
        np.testing.assert_allclose(made.fills[:, at], wanted, rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(made.equity, np.array([float(x) for x in marks]), rtol=1e-9, atol=1e-9)
    assert abs(made.account.qty - float(exact.held)) < 1e-9
    assert made.refused == exact.refused
