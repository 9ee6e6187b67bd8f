"""Reasons to doubt the figures of a run, in plain words: one table of rules, each gives sentences about the facts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import numpy as np

from onetape.backtest import provenance
from onetape.backtest.holdout import sealed_note
from onetape.backtest.trades import bars
from onetape.core.state import ENTRY, F_BAR, F_PRICE, F_QTY, F_ROLE
from onetape.core.stats import T_ENTRY, T_OPEN, T_PROFIT
from onetape.domain.frame import Floats
from onetape.domain.report import Month
from onetape.domain.results import Result
from onetape.domain.units import DAY, MINUTE, rfc3339

FEW_TRADES: Final = 30
SHORT_PERIOD: Final = 90 * DAY
WARMING: Final = 0.05  # of the period
TOO_GOOD: Final = 3.0
IMPOSSIBLE: Final = 5.0
ONE_TRADE: Final = 0.5  # of the profit
THIN: Final = 0.001  # slippage a fill that nobody can be sure of: ten basis points
LARGE: Final = 0.1  # of a candle's volume
LARGE_SHARE: Final = 0.05  # of the entries
ONE_MONTH: Final = 0.5  # of the trades
MONTHS: Final = 6  # at least so many before one can have most of them
LATE: Final = 0.001  # of the candles may be missing


class Facts(NamedTuple):
    result: Result
    months: list[Month]

    @property
    def metrics(self) -> dict[str, Any]:
        return self.result.metrics

    @property
    def profits(self) -> Floats:
        trips = self.result.tape.trips
        found: Floats = trips[trips[:, T_OPEN] == 0.0, T_PROFIT]
        return found


def warnings(result: Result, months: list[Month]) -> list[str]:
    facts = Facts(result, months)
    return [text for rule in RULES for text in rule(facts) if text]


def sealed(facts: Facts) -> Iterable[str]:
    return sealed_note(facts.result.manifest)


def few_trades(facts: Facts) -> Iterable[str]:
    count = facts.metrics["trades"]
    if not count:
        yield "No trade was closed in the period: most figures cannot be worked out."
    elif count < FEW_TRADES:
        yield f"{count} trades are too few to tell skill from luck; {FEW_TRADES} are a bare minimum."


def too_good(facts: Facts) -> Iterable[str]:
    ratio = facts.metrics["sharpe"] or 0.0
    if ratio > IMPOSSIBLE:
        yield (
            f"A Sharpe ratio of {ratio:.1f} looks impossible: nobody is known to keep one above {IMPOSSIBLE:g}. Look "
            "for a look ahead, costs that are missing, or prices that nobody traded at."
        )
    elif ratio > TOO_GOOD:
        yield f"A Sharpe ratio above {TOO_GOOD:g} is more often a fault in the test than a discovery."


def one_trade(facts: Facts) -> Iterable[str]:
    profits = facts.profits
    total = float(profits.sum())
    if len(profits) < 2 or total <= 0.0:
        return
    best = float(profits.max())
    if best >= total:
        yield f"One trade makes the profit: without its {best:,.2f} the other {len(profits) - 1:,} lose together."
    elif best > ONE_TRADE * total:
        yield f"One trade makes {100 * best / total:.0f} % of the profit: {best:,.2f} of {total:,.2f}."


def within_cost_error(facts: Facts) -> Iterable[str]:
    """What slippage on top would eat the profit."""
    made = facts.metrics["final_equity"] - facts.metrics["initial_cash"]
    fills = facts.result.tape.fills
    turnover = float(np.sum(fills[:, F_QTY] * fills[:, F_PRICE]))
    if 0.0 < made < THIN * turnover:
        yield (
            f"The profit is within the error of the costs: {100 * made / turnover:.3g} % more slippage a fill would "
            "eat it."
        )


def free(facts: Facts) -> Iterable[str]:
    costs = facts.result.spec.costs
    if costs.taker <= 0.0 and not any((costs.slippage, costs.spread, costs.share_impact, costs.root_impact)):
        yield "Neither a taker fee nor slippage was charged."


def large_orders(facts: Facts) -> Iterable[str]:
    """Entries against the volume of their candle."""
    tape = facts.result.tape
    fills = tape.fills[tape.fills[:, F_ROLE] == ENTRY]
    volume = tape.candles.volume[bars(fills, F_BAR)]
    known = volume > 0.0
    if not known.any():
        return
    share = fills[known, F_QTY] / volume[known]
    large = int((share > LARGE).sum())
    if large > LARGE_SHARE * len(share):
        yield (
            f"{large:,} of {len(share):,} entries are larger than {100 * LARGE:.0f} % of the volume of their candle "
            f"(the largest is {100 * float(share.max()):,.0f} %): so much is not to be had at that price."
        )


def tight_stops(facts: Facts) -> Iterable[str]:
    """Stops against the spread and the range of the candles that they are checked on."""
    result = facts.result
    stops = (result.signals.stop, np.array([result.spec.exits.stop]))
    given = np.concatenate([column[column == column] for column in stops])
    if not len(given) or not len(result.tape.trips):
        return
    stop, candles = float(np.median(given)), result.tape.candles
    entered = bars(result.tape.trips, T_ENTRY)
    reach = float(np.median((candles.high[entered] - candles.low[entered]) / candles.close[entered]))
    spread = result.spec.costs.spread
    if spread > 0.0 and stop <= spread:
        yield f"Stops of {100 * stop:.3g} % lie inside the spread of {100 * spread:.3g} %: they are hit at once."
    elif stop < reach:
        yield (
            f"Stops of {100 * stop:.3g} % lie inside a usual candle of {candles.timeframe} ({100 * reach:.3g} %): what "
            "came first in it is a guess. Finer candles would tell."
        )


def one_month(facts: Facts) -> Iterable[str]:
    counts = [month.trades for month in facts.months]
    if len(counts) >= MONTHS and max(counts) > ONE_MONTH * sum(counts):
        month = facts.months[counts.index(max(counts))]
        yield (
            f"{max(counts):,} of {sum(counts):,} trades were closed in one month, {month.year}-{month.month:02d}: the "
            "result is that of one market."
        )


def still_open(facts: Facts) -> Iterable[str]:
    if facts.metrics["open_trades"]:
        yield "A position was open at the end: it is marked at the last close, not sold."


def refused(facts: Facts) -> Iterable[str]:
    what = "signals led to no order" if len(facts.result.signals) else "orders were not sent or not taken"
    for reason, count in facts.result.tape.rejected.items():
        yield f"{count:,} {what}: {reason}."


def halted(facts: Facts) -> Iterable[str]:
    if facts.result.tape.account.halted:
        yield "The drawdown limit was reached: nothing was entered after that."


def short_period(facts: Facts) -> Iterable[str]:
    if facts.metrics["end_ts"] - facts.metrics["start_ts"] < SHORT_PERIOD:
        yield "The period is shorter than three months: it shows one kind of market only."


def warming(facts: Facts) -> Iterable[str]:
    start, end = facts.metrics["start_ts"], facts.metrics["end_ts"]
    active = facts.metrics.get("trading_from_ts", start)
    if active - start > WARMING * (end - start):
        yield (
            f"The strategy was warming up until {rfc3339(active)[:10]}: nothing could trade before, and the figures "
            "count that time in. Earlier candles would shorten it."
        )


def missing(facts: Facts) -> Iterable[str]:
    frame = facts.result.candles
    if facts.result.manifest.get("candles", {}).get("fills", {}).get("missing"):
        return  # `origin` counts those that orders fill on
    if frame.timeframe.regular and len(frame) > 1:
        expected = (int(frame.ts[-1]) - int(frame.ts[0])) // frame.timeframe.micros + 1
        lacking = expected - len(frame)
        if lacking > LATE * expected:
            yield f"{lacking:,} of {expected:,} candles are missing ({100 * lacking / expected:.1f} %)."


def origin(facts: Facts) -> Iterable[str]:
    return provenance.doubts(facts.result.manifest)


def recorded(facts: Facts) -> Iterable[str]:
    """What is to be known of recorded trades, books and funding rates."""
    return facts.result.data.notes if facts.result.data is not None else ()


def coarse_exits(facts: Facts) -> Iterable[str]:
    spec, signals = facts.result.spec, facts.result.signals
    exits = any(len(column) and not np.isnan(column).all() for column in (signals.stop, signals.take, signals.trail))
    exits = exits or any(rate == rate for rate in spec.exits)
    if exits and facts.result.fill_timeframe == spec.timeframe and facts.result.candles.timeframe.micros > 5 * MINUTE:
        yield "Exits were checked on the signal's own candles; finer candles would make them more exact."


Rule = Callable[[Facts], Iterable[str]]
RULES: Final[tuple[Rule, ...]] = (
    sealed,
    too_good,
    few_trades,
    one_trade,
    within_cost_error,
    free,
    large_orders,
    tight_stops,
    one_month,
    still_open,
    refused,
    halted,
    short_period,
    warming,
    missing,
    origin,
    recorded,
    coarse_exits,
)
