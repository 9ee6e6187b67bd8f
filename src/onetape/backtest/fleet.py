"""Bots as they are configured, together over the past: with an account each, or all on one, within common limits."""

from __future__ import annotations

from collections.abc import Sequence

from onetape.backtest import together
from onetape.backtest.candles import Chosen
from onetape.backtest.run import first_row, period, rules_for
from onetape.backtest.together import Group, Member
from onetape.backtest.used import used_of
from onetape.core.many import CommonLimits
from onetape.domain.accounts import Account, Sizing, Terms
from onetape.domain.bots import BotSpec
from onetape.domain.errors import BadInput
from onetape.domain.reality import Named
from onetape.domain.results import BacktestSpec
from onetape.domain.units import Micros, Money
from onetape.strategies.contract import Strategy, evaluate
from onetape.strategies.market import Market


def spec_of(bot: BotSpec, terms: Terms, start_ts: Micros | None = None, end_ts: Micros | None = None) -> BacktestSpec:
    """The question that a bot's file asks of the past."""
    how = bot.reality
    return BacktestSpec(
        strategy=bot.strategy,
        parameters=bot.parameters,
        exchange=bot.exchange,
        symbol=bot.symbol,
        timeframe=bot.timeframe,
        start_ts=start_ts,
        end_ts=end_ts,
        cash=float(bot.capital),
        costs=how.costs,
        execution=how.execution,
        sizing=Sizing.parse(bot.sizing, "$.sizing"),
        limits=bot.risk,
        exits=bot.exits,
        terms=terms._replace(maintenance=how.maintenance or terms.maintenance, band=how.band),
    )


def member_of(name: str, spec: BacktestSpec, chosen: Chosen, strategy: Strategy, source_hash: str) -> Member:
    """A bot with its signals, and what of the recording it uses. Raises BadInput when its candles are too few."""
    frame = chosen.frame.between(None, spec.end_ts)
    fills = chosen.fills.between(spec.start_ts, spec.end_ts)
    first = first_row(frame, fills, spec, strategy)
    if first >= len(frame) or not len(fills):
        raise BadInput(
            f"bot {name}", period(frame),
            f"too short: {strategy.name()} needs {strategy.warmup()} {spec.timeframe} candles before its first signal",
            "Choose a longer period.",
        )  # fmt: skip
    used = used_of(spec, fills, chosen.recorded)
    return Member(name, spec, frame, fills, evaluate(strategy, Market(frame)), first, source_hash, used)


def run(members: Sequence[Member], limits: CommonLimits, shared_cash: Money | None = None) -> Group:
    """All bots in time order. With `shared_cash` they trade one account: what one has spent no other can, and a bot
    sizes by the cash of all and what it holds itself; its own limit of drawdown does not count then."""
    shared = shared_cash is not None
    start = float(shared_cash if shared_cash is not None else sum(member.spec.cash for member in members))
    question = BacktestSpec(
        strategy="fleet",
        parameters={
            "bots": [m.name for m in members],
            **said(limits),
            **({"one_account": True} if shared else {}),
        },
        timeframe=str(together.finest(members)),
        cash=start,
    )

    def go(members: Sequence[Member]) -> Group:
        rules = [rules_for(member.spec, member.used) for member in members]
        if shared:
            rules = [one._replace(limits=one.limits._replace(max_drawdown=1.0)) for one in rules]
        accounts = [Account(cash=m.spec.cash, peak=m.spec.cash) for m in members]
        wrote = together.traded(members, rules, accounts, limits, shared, start)
        return together.group_of("fleet", question, members, start, wrote)

    return together.with_twin(go, members)


def said(limits: CommonLimits) -> dict[str, float]:
    """Those that limit anything, by name."""
    free = CommonLimits()._asdict()
    return {name: limit for name, limit in limits._asdict().items() if limit != free[name]}


def limits_of(
    max_exposure: float | None, max_positions: int | None, max_drawdown: float | None, named: Named
) -> CommonLimits:
    """The common limits as a person asks for them, None = no limit. Raises BadInput naming the field as `named` calls
    it."""
    if max_exposure is not None and not 0 < max_exposure <= 100:
        raise BadInput(named("max_exposure"), max_exposure, "not in (0, 100]", "1 is the whole equity.")
    if max_positions is not None and max_positions < 1:
        raise BadInput(named("max_positions"), max_positions, "not a number from 1 on")
    if max_drawdown is not None and not 0 < max_drawdown < 1:
        raise BadInput(named("max_drawdown"), max_drawdown, "not a rate between 0 and 1", "0.02 is 2 %.")
    given = {"max_exposure": max_exposure, "max_positions": max_positions, "max_drawdown": max_drawdown}
    return CommonLimits(**{name: float(limit) for name, limit in given.items() if limit is not None})


def cash_of(one_account: float | None, named: Named) -> Money | None:
    if one_account is not None and not 0 < one_account < 1e15:
        raise BadInput(named("one_account"), one_account, "not a positive amount of money")
    return one_account
