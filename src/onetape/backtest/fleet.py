"""Bots as they are configured, together over the past: with an account each, or all on one, within common limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onetape.backtest import together
from onetape.backtest.run import first_row, period, rules_of
from onetape.backtest.together import Group, Member, Wrote
from onetape.core.fleet import COMMON_LIMIT, CommonLimits, account_rows, rule_rows, run_fleet
from onetape.domain.accounts import Account, Terms
from onetape.domain.bots import BotSpec
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec
from onetape.domain.units import Micros, Money
from onetape.strategies.contract import Strategy, evaluate
from onetape.strategies.market import Market


def spec_of(bot: BotSpec, terms: Terms, start_ts: Micros | None = None, end_ts: Micros | None = None) -> BacktestSpec:
    """The question that a bot's file asks of the past."""
    from onetape.domain.accounts import Sizing

    return BacktestSpec(
        strategy=bot.strategy,
        parameters=bot.parameters,
        exchange=bot.exchange,
        symbol=bot.symbol,
        timeframe=bot.timeframe,
        start_ts=start_ts,
        end_ts=end_ts,
        cash=float(bot.capital),
        costs=bot.costs,
        sizing=Sizing.parse(bot.sizing, "$.sizing"),
        limits=bot.risk,
        exits=bot.exits,
        terms=terms,
    )


def member_of(
    name: str, spec: BacktestSpec, candles: tuple[CandleFrame, CandleFrame], strategy: Strategy, source_hash: str
) -> Member:
    """A bot with its signals. Raises BadInput when its candles are too few."""
    frame = candles[0].between(None, spec.end_ts)
    fills = candles[1].between(spec.start_ts, spec.end_ts)
    first = first_row(frame, fills, spec, strategy)
    if first >= len(frame) or not len(fills):
        raise BadInput(
            f"bot {name}", period(frame),
            f"too short: {strategy.name()} needs {strategy.warmup()} {spec.timeframe} candles before its first signal",
            "Choose a longer period.",
        )  # fmt: skip
    return Member(name, spec, frame, fills, evaluate(strategy, Market(frame)), first, source_hash)


def run(members: Sequence[Member], limits: CommonLimits, shared_cash: Money | None = None) -> Group:
    """All bots in time order. With `shared_cash` they trade one account: what one has spent no other can, and a bot
    sizes by the cash of all and what it holds itself; its own limit of drawdown does not count then."""
    shared = shared_cash is not None
    start = shared_cash if shared_cash is not None else sum(member.spec.cash for member in members)
    rules = [rules_of(member.spec) for member in members]
    if shared:
        rules = [one._replace(limits=one.limits._replace(max_drawdown=1.0)) for one in rules]
    series = together.series_of(members, [together.columns_of(m.signals, m.first) for m in members])
    accounts = account_rows([Account(cash=m.spec.cash, peak=m.spec.cash) for m in members])
    books, fills = together.books_of(members), together.room_for(members)
    state = np.array([start, start, 0.0])
    at, row_at, counts = series.begin.copy(), series.rows[:-1].copy(), np.zeros(2, np.int64)
    equity = np.empty(len(series.known))
    whole = np.empty((together.longest(members), 2))
    rejected = np.zeros((len(members), COMMON_LIMIT + 1), np.int64)
    closes = np.zeros(len(members))
    while not run_fleet(
        series, accounts, rule_rows(rules), books, limits, shared, state, at, row_at, counts, closes, equity, whole,
        fills, rejected,
    ):  # fmt: skip
        fills = np.concatenate((fills, np.empty_like(fills)))
    wrote = Wrote(accounts, books, fills[: counts[0]], whole[: counts[1]], rejected)
    question = BacktestSpec(
        strategy="fleet",
        parameters={"bots": [m.name for m in members], **said(limits), **({"one_account": True} if shared else {})},
        timeframe=str(together.finest(members)),
        cash=float(start),
    )
    return together.group_of("fleet", question, members, float(start), wrote)


def said(limits: CommonLimits) -> dict[str, float]:
    """Those that limit anything, by name."""
    free = CommonLimits()._asdict()
    return {name: limit for name, limit in limits._asdict().items() if limit != free[name]}
