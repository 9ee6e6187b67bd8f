"""Strategies over the same days: how they move together, whether one is better than another, what a mix of them gives.

Daily returns float64[days, strategies] in, structs out.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from onetape.backtest.luck.block import FEW_DAYS, PAIRS, YEAR, interval, numbers, seed_of
from onetape.backtest.luck.bootstrap import Histories, block_length, draws_for, resample_together
from onetape.backtest.luck.drawdowns import of_equity
from onetape.backtest.metrics import YEAR_DAYS, daily_returns, day_ends, growth, of_days
from onetape.domain.comparison import Comparison, DayFigures, Difference, Mix, Pair
from onetape.domain.frame import Floats, Ints
from onetape.domain.results import Result
from onetape.domain.units import DAY

SIGNIFICANT: Final = 0.05
DRAWS_A_PAIR: Final = 100  # enough that a clear difference stays one after the correction for many pairs


def compare(results: Sequence[Result], names: Sequence[str]) -> Comparison:
    """Of the runs as they are named; a run whose equity was used up is left out and told of."""
    dated = {name: days_of(result) for name, result in zip(names, results, strict=True)}
    return of_dated(dated, sum(seed_of(result.manifest) for result in results))


def of_dated(dated: Mapping[str, tuple[Ints, Floats]], seed: int) -> Comparison:
    """Of days and their returns, by name."""
    notes = [f"{name} used up its equity: it has no daily returns and is left out here."
             for name, (_, returns) in dated.items() if not len(returns)]  # fmt: skip
    there = {name: found for name, found in dated.items() if len(found[1])}
    found = beside(common(list(there.values())), list(there), seed)
    return Comparison(
        **{name: getattr(found, name) for name in found.__struct_fields__} | {"notes": notes + found.notes}
    )


def days_of(result: Result) -> tuple[Ints, Floats]:
    """Numbers of the UTC days from 1970 on, and the return of each; no returns after a ruin."""
    length = result.tape.candles.timeframe.micros
    rows = day_ends(result.tape.candles)
    return (result.tape.ts[rows] + length - 1) // DAY, daily_returns(result.tape, result.spec.cash)


def common(dated: Sequence[tuple[Ints, Floats]]) -> Floats:
    """The returns of the days that all have, float64[days, series]."""
    if not dated:
        return np.empty((0, 0))
    days = dated[0][0]
    for other, _ in dated[1:]:
        days = np.intersect1d(days, other)
    return np.column_stack([returns[np.searchsorted(own, days)] for own, returns in dated])


def beside(returns: Floats, names: Sequence[str], seed: int) -> Comparison:
    """The whole comparison of the columns of `returns`."""
    n, count = returns.shape
    why = ""
    if count < 2:
        why = f"{count} of the strategies has daily returns: two are needed to compare."
    elif n < FEW_DAYS:
        why = f"{n} common days are too few to compare; {FEW_DAYS} are the least."
    if why:
        return Comparison(names=list(names), days=n, notes=[why])
    block = max(block_length(column) for column in returns.T)
    draws = max(draws_for(n), DRAWS_A_PAIR * count * (count - 1) // 2)
    drawn = resample_together(returns, block, draws, numbers(seed, PAIRS))
    return Comparison(
        names=list(names),
        days=n,
        draws=draws,
        block_days=block,
        correlation=correlation(returns),
        pairs=pairs(returns, names, drawn),
        each=[day_figures(name, column) for name, column in zip(names, returns.T, strict=True)],
        mixes=[
            mix("equal weights", returns, np.full(returns.shape, 1.0 / count), names),
            mix("inverse volatility", returns, inverse_volatility(returns), names),
        ],
    )


def correlation(returns: Floats) -> list[list[float | None]]:
    """Of each column with each; None with one that never moved."""
    off = returns - returns.mean(0)
    size = np.sqrt(np.square(off).sum(0))
    still = np.ptp(returns, axis=0) == 0.0
    unit = off / np.where(still, 1.0, size)
    found = np.clip(unit.T @ unit, -1.0, 1.0)
    return [
        [None if still[i] or still[j] else 1.0 if i == j else float(found[i, j]) for j in range(len(found))]
        for i in range(len(found))
    ]


# --- differences


def pairs(returns: Floats, names: Sequence[str], drawn: Sequence[Histories]) -> list[Pair]:
    """Every pair; `drawn` are the redrawn histories of each column, all over the same days."""
    n = len(returns)
    years = yearly(np.log1p(returns).sum(0), n)
    real = [(year, YEAR * sharpe(column)) for year, column in zip(years.tolist(), returns.T, strict=True)]
    redrawn = [(yearly(np.log1p(one.total), n), YEAR * one.sharpe) for one in drawn]
    both = list(itertools.combinations(range(len(names)), 2))
    told = [
        corrected([difference(real[i][k] - real[j][k], redrawn[i][k] - redrawn[j][k]) for i, j in both])
        for k in range(2)
    ]
    return [
        Pair(first=names[i], second=names[j], cagr=cagr, sharpe=ratio)
        for (i, j), cagr, ratio in zip(both, *told, strict=True)
    ]


def yearly(grown: Floats, days: int) -> Floats:
    """The yearly rate of so much log growth in so many days."""
    rates: Floats = np.expm1(np.minimum(grown * (YEAR_DAYS / days), 700.0))
    return rates


def sharpe(returns: Floats) -> float:
    """Per day; 0 where nothing moved, as in the redrawn histories."""
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation if np.ptp(returns) > 0.0 else 0.0


def difference(real: float, redrawn: Floats) -> Difference:
    """Not corrected yet. The p-value is never 0: of so many draws one more could have turned the order."""
    ties = 0.5 * float((redrawn == 0.0).sum())
    above = float((redrawn > 0.0).sum()) + ties
    draws = len(redrawn)
    ahead = above / draws
    p = min(1.0, 2.0 * (min(above, draws - above) + 1.0) / (draws + 1.0))
    turned = ahead if real < 0.0 else 1.0 - ahead
    return Difference(real=float(real), interval=interval(redrawn), ahead=ahead, turned=turned, p=p, adjusted=p)


def corrected(found: Sequence[Difference]) -> list[Difference]:
    return [
        Difference(real=one.real, interval=one.interval, ahead=one.ahead, turned=one.turned, p=one.p, adjusted=p)
        for one, p in zip(found, holm([one.p for one in found]), strict=True)
    ]


def holm(p: Sequence[float]) -> list[float]:
    """Holm (1979): p-values that hold for all of them together, in the order given."""
    out, worst = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        out[i] = worst
    return out


def verdict(first: str, second: str, found: Difference) -> str:
    """In words: the one that is really ahead, and how often it stays so."""
    ahead, behind = (second, first) if found.real < 0.0 else (first, second)
    said = f"{ahead} beats {behind} in {100 * (1.0 - found.turned):.0f} % of the redrawn histories: "
    if found.adjusted >= SIGNIFICANT:
        return said + "no difference to speak of"
    return said + "more than chance would easily give"


# --- mixes


def inverse_volatility(returns: Floats) -> Floats:
    """Weights of each day by the volatility of all days before it, float64[days, series].

    Equal until there are FEW_DAYS of them; a column that has not moved yet weighs nothing, unless none has.
    """
    n, count = returns.shape
    before = np.arange(n)[:, None]
    total = np.vstack((np.zeros(count), np.cumsum(returns, axis=0)[:-1]))
    squares = np.vstack((np.zeros(count), np.cumsum(np.square(returns), axis=0)[:-1]))
    variance = squares / np.maximum(before, 1) - np.square(total / np.maximum(before, 1))
    known = (variance > 1e-18) & (before >= FEW_DAYS)
    weights = np.where(known, 1.0 / np.sqrt(np.where(known, variance, 1.0)), 0.0)
    weights[~known.any(1)] = 1.0
    shares: Floats = weights / weights.sum(1, keepdims=True)
    return shares


def mix(name: str, returns: Floats, weights: Floats, names: Sequence[str]) -> Mix:
    """A portfolio of the columns, brought to its weights at the beginning of each day."""
    figures = day_figures(name, (returns * weights).sum(1))
    mean = weights.mean(0)
    parts = [day_figures("", column) for column in returns.T]
    volatility = float(mean @ [part.volatility or 0.0 for part in parts])
    fall = float(mean @ [part.max_drawdown for part in parts])
    return Mix(
        figures=figures,
        weights=dict(zip(names, mean.tolist(), strict=True)),
        calmer=1.0 - (figures.volatility or 0.0) / volatility if volatility > 0.0 else None,
        shallower=1.0 - figures.max_drawdown / fall if fall > 0.0 else None,
    )


def day_figures(name: str, returns: Floats) -> DayFigures:
    total = float(np.expm1(np.log1p(returns).sum()))
    ratios = of_days(returns)
    return DayFigures(
        name=name,
        total_return=total,
        cagr=growth(total, len(returns) * DAY),
        volatility=ratios["volatility"],
        sharpe=ratios["sharpe"],
        max_drawdown=of_equity(returns),
    )
