"""A portfolio strategy over the past: target weights in one batch, one account brought to them at the market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from onetape.backtest import together
from onetape.backtest.run import period, rules_of
from onetape.backtest.together import Group, Member, Wrote
from onetape.core.fleet import COMMON_LIMIT, account_rows, rule_rows, run_portfolio
from onetape.domain.accounts import Account, Terms
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.results import BacktestSpec
from onetape.domain.signals import Signals
from onetape.strategies.portfolio import Portfolio, weighed


def common(frames: Mapping[str, CandleFrame]) -> dict[str, CandleFrame]:
    """The candles that all have. Raises BadInput when there are none."""
    times: Ints | None = None
    for frame in frames.values():
        times = frame.ts if times is None else np.intersect1d(times, frame.ts, assume_unique=True)
    if times is None or not len(times):
        raise BadInput(
            "--symbol", ", ".join(frames), "without a candle that all of them have", "Choose another period."
        )
    return {name: frame if len(frame) == len(times) else only(frame, times) for name, frame in frames.items()}


def only(frame: CandleFrame, times: Ints) -> CandleFrame:
    """The candles of a frame that open at these times."""
    from onetape.domain.frame import COLUMNS

    rows = np.searchsorted(frame.ts, times)
    columns: dict[str, object] = {name: getattr(frame, name)[rows] for name in COLUMNS}
    return CandleFrame.of(frame.exchange, frame.symbol, frame.timeframe, columns)


def run(
    spec: BacktestSpec,
    frames: Mapping[str, CandleFrame],
    fills: Mapping[str, CandleFrame],
    terms: Mapping[str, Terms],
    strategy: Portfolio,
    source_hash: str = "",
    band: float = 0.0,
) -> Group:
    """Weights on the candles that all of `frames` have, orders on `fills`, both by symbol. A change of a position that
    is smaller than `band` of the equity is not traded. The sum of absolute weights may not exceed the limit of
    exposure."""
    seen = common({name: frame.between(None, spec.end_ts) for name, frame in frames.items()})
    timeline = next(iter(seen.values()))
    first = max(strategy.warmup() - 1, 0 if spec.start_ts is None else int(np.searchsorted(timeline.ts, spec.start_ts)))
    if first >= len(timeline):
        raise BadInput(
            "the period", period(timeline),
            f"too short: {strategy.name()} needs {strategy.warmup()} {spec.timeframe} candles that all symbols have",
            "Choose a longer period, or a shorter timeframe.",
        )  # fmt: skip
    wanted = weighed(strategy, seen).values[first:]
    within(strategy, wanted, spec)
    members = members_of(spec, seen, fills, terms, first, source_hash)
    return traded(spec, members, wanted, timeline.close_ts[first:], band)


def within(strategy: Portfolio, wanted: Floats, spec: BacktestSpec) -> None:
    total = np.nansum(np.abs(wanted), axis=1)
    over = int(np.argmax(total)) if len(total) else 0
    if len(total) and total[over] > spec.limits.max_exposure + 1e-9:
        raise BadInput(
            f"{strategy.name()}: weights", float(total[over]),
            f"together more than the limit of exposure, {spec.limits.max_exposure:g}",
            "Make them smaller, or allow more with --max-exposure.",
        )  # fmt: skip


def members_of(
    spec: BacktestSpec,
    seen: Mapping[str, CandleFrame],
    fills: Mapping[str, CandleFrame],
    terms: Mapping[str, Terms],
    first: int,
    source_hash: str,
) -> list[Member]:
    begin = int(next(iter(seen.values())).ts[first])
    made = []
    for name, frame in seen.items():
        own = msgspec.structs.replace(spec, symbol=name, exchange=frame.exchange, terms=terms[name])
        nothing = Signals.holding(np.full(len(frame), np.nan), 0.0)
        made.append(Member(name, own, frame, fills[name].between(begin, spec.end_ts), nothing, first, source_hash))
    return made


def traded(spec: BacktestSpec, members: Sequence[Member], wanted: Floats, known: Ints, band: float) -> Group:
    series = together.series_of(members, [np.empty((0, 5)) for _ in members])
    rules = [rules_of(m.spec) for m in members]
    rules = [one._replace(limits=one.limits._replace(max_drawdown=1.0)) for one in rules]
    accounts, books = account_rows([Account(cash=spec.cash) for _ in members]), together.books_of(members)
    fills, state = together.room_for(members), np.array([spec.cash, spec.cash, 0.0])
    at, counts = series.begin.copy(), np.zeros(3, np.int64)
    equity, whole = np.empty(len(series.known)), np.empty((together.longest(members), 2))
    rejected = np.zeros((len(members), COMMON_LIMIT + 1), np.int64)
    closes = np.zeros(len(members))
    while not run_portfolio(
        series, accounts, rule_rows(rules), books, np.ascontiguousarray(wanted), known, band, state, at, counts, closes,
        equity, whole, fills, rejected,
    ):  # fmt: skip
        fills = np.concatenate((fills, np.empty_like(fills)))
    wrote = Wrote(accounts, books, fills[: counts[0]], whole[: counts[1]], rejected)
    return together.group_of(spec.strategy, spec, members, spec.cash, wrote)
