"""Stored runs beside each other: what they have in common and what they have not, and the comparison of their days.

A long curve is stored thinned, so that its days may end a little early; what is run anew (comparing.py) is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onetape.backtest.beside import of_dated
from onetape.backtest.compare import given, market
from onetape.backtest.luck.block import seed_of
from onetape.backtest.trades import STRETCHES
from onetape.backtest.wish import MOST_COMPARED
from onetape.domain.comparison import Comparison
from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats, Ints
from onetape.domain.units import DAY, HOUR, Micros, Timeframe, rfc3339
from onetape.ports import FLEET, RunView, StoredRun


def checked(run_ids: Sequence[str]) -> list[str]:
    """The ids of a comparison. Raises BadInput for too few, too many, and one that is there twice."""
    ids = [run_id.strip() for run_id in run_ids if run_id.strip()]
    if not 2 <= len(ids) <= MOST_COMPARED:
        count = f"{len(ids)} run{'' if len(ids) == 1 else 's'}"
        raise BadInput("runs", ids, count, f"Two to {MOST_COMPARED} can be read beside each other.")
    if len(set(ids)) < len(ids):
        raise BadInput("runs", ids, "one of them twice", "Leave it out.")
    return ids


def names_of(views: Sequence[RunView]) -> list[str]:
    """A name for each run, told apart by what differs: parameters, then the market, then the number."""
    found = []
    for view in views:
        twins = [other for other in views if other.spec.strategy == view.spec.strategy]
        apart = {
            name: value
            for name, value in view.spec.parameters.items()
            if any(twin.spec.parameters.get(name) != value for twin in twins)
        }
        markets = {(twin.spec.symbol, twin.spec.timeframe) for twin in twins}
        where = f" on {market(view.spec.symbol)} {view.spec.timeframe}" if len(markets) > 1 else ""
        found.append(f"{view.spec.strategy} {given(apart)}".strip() + where)
    return [f"{name} (run {i + 1})" if found.count(name) > 1 else name for i, name in enumerate(found)]


def compare(runs: Sequence[StoredRun], names: Sequence[str]) -> Comparison:
    """As beside.compare; what keeps the runs from being compared like with like is said first."""
    dated = {name: days_of(run) for name, run in zip(names, runs, strict=True)}
    found = of_dated(dated, sum(seed_of(run.view.manifest) for run in runs))
    said = unlike([run.view for run in runs], names) + coarse(runs, names)
    return Comparison(
        **{name: getattr(found, name) for name in found.__struct_fields__} | {"notes": said + found.notes}
    )


def days_of(run: StoredRun) -> tuple[Ints, Floats]:
    """Numbers of the UTC days from 1970 on, and the return of each; no returns after a ruin."""
    days = (run.ts - 1) // DAY
    last = np.append(np.flatnonzero(np.diff(days)), len(days) - 1)
    closes = np.concatenate(([run.view.spec.cash], run.equity[last]))
    returns: Floats = np.empty(0) if closes.min() <= 0.0 else closes[1:] / closes[:-1] - 1.0
    return days[last], returns


def common_start(runs: Sequence[StoredRun]) -> Micros | None:
    """When the last of them begins; None where another one has ended by then."""
    start_ts = max(int(run.ts[0]) for run in runs)
    return start_ts if start_ts < min(int(run.ts[-1]) for run in runs) else None


def unlike(views: Sequence[RunView], names: Sequence[str]) -> list[str]:
    """Sentences about what differs beside the strategies: the time, the candles, the costs."""
    said = []
    starts = [view.metrics["start_ts"] for view in views]
    ends = [view.metrics["end_ts"] for view in views]
    if max(starts) >= min(ends):
        late, early = names[starts.index(max(starts))], names[ends.index(min(ends))]
        said.append(
            f"The runs have no time in common: {early} ends on {day(min(ends) - 1)}, "
            f"{late} begins on {day(max(starts))}."
        )
    elif len(set(starts)) > 1 or len(set(ends)) > 1:
        said.append(
            "The runs are of different periods. What is said of daily returns is of the time that all have, "
            f"{day(max(starts))} to {day(min(ends) - 1)}; the figures are those of each whole run."
        )
    markets = {f"{market(view.spec.exchange)} {market(view.spec.symbol)}" for view in views}
    if len(markets) > 1:
        said.append(f"The runs are on different markets: {', '.join(sorted(markets))}.")
    elif not said and len({(view.kind, view.spec.timeframe, view.manifest.get("data")) for view in views}) > len(
        {view.kind for view in views}
    ):
        said.append("The runs do not rest on the same candles: their timeframes differ, or some were corrected since.")
    costs = {costs_of(view) for view in views}
    if len(costs) > 1:
        said.append(f"The runs were not charged alike: {'; '.join(sorted(costs))}.")
    return said


def costs_of(view: RunView) -> str:
    if view.spec.strategy == FLEET:
        return "each bot its own"
    costs = view.spec.costs
    return f"fees {100 * costs.maker:.4g} and {100 * costs.taker:.4g} %, slippage {100 * costs.slippage:.4g} %"


def coarse(runs: Sequence[StoredRun], names: Sequence[str]) -> list[str]:
    """Of curves that were thinned when they were stored."""
    said = []
    for run, name in zip(runs, names, strict=True):
        bars, stretch = run.view.metrics["bars"], Timeframe.parse(fill_timeframe(run.view)).micros
        apart = -(-bars // STRETCHES) * stretch if bars > len(run.ts) else 0
        if apart > HOUR:
            said.append(
                f"The stored curve of {name} tells its values every {apart / HOUR:.1f} hours: "
                "its days end so much early."
            )
    return said


def fill_timeframe(view: RunView) -> str:
    return str(view.manifest.get("fill_timeframe", view.spec.timeframe))


def day(ts: Micros) -> str:
    return rfc3339(ts)[:10]
