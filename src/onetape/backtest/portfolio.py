"""A portfolio strategy over the past: target weights in one batch, one account brought to them at the market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from onetape.backtest import together
from onetape.backtest.run import period, rules_for
from onetape.backtest.together import Group, Member
from onetape.backtest.used import used_of
from onetape.core.many import Aim, CommonLimits
from onetape.domain.accounts import Account, Terms
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.recorded import NOTHING, Recorded
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
    recorded: Mapping[str, Recorded] | None = None,
) -> Group:
    """Weights on the candles that all of `frames` have, orders on `fills`, both by symbol. A change of a position that
    is smaller than `band` of the equity is not traded. The sum of absolute weights may not exceed the limit of
    exposure. `recorded` is what beside candles there is of each market."""
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
    members = members_of(spec, seen, fills, terms, first, source_hash, recorded or {})
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
    recorded: Mapping[str, Recorded],
) -> list[Member]:
    begin = int(next(iter(seen.values())).ts[first])
    made = []
    for name, frame in seen.items():
        own = msgspec.structs.replace(spec, symbol=name, exchange=frame.exchange, terms=terms[name])
        nothing = Signals.holding(np.full(len(frame), np.nan), 0.0)
        mine = fills[name].between(begin, spec.end_ts)
        used = used_of(own, mine, recorded.get(name, NOTHING))
        made.append(Member(name, own, frame, mine, nothing, first, source_hash, used))
    return made


def traded(spec: BacktestSpec, members: Sequence[Member], wanted: Floats, known: Ints, band: float) -> Group:
    aim = Aim(np.ascontiguousarray(wanted), known, band)
    limits = CommonLimits(max_drawdown=spec.limits.max_drawdown)

    def go(members: Sequence[Member]) -> Group:
        rules = [rules_for(m.spec, m.used) for m in members]
        rules = [one._replace(limits=one.limits._replace(max_drawdown=1.0)) for one in rules]
        accounts = [Account(cash=spec.cash) for _ in members]
        wrote = together.traded(members, rules, accounts, limits, True, spec.cash, aim)
        return together.group_of(spec.strategy, spec, members, spec.cash, wrote)

    return together.with_twin(go, members)
