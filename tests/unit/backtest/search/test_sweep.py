"""A search from its wish to its result: every trial equals a single backtest and is counted, whatever becomes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import numpy as np
import pytest

from onetape.backtest.holdout import Allowed, data_of
from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.backtest.run import run
from onetape.backtest.search.answer import Prepared, Stores, prepared, searched
from onetape.backtest.search.store import FileSearchStore, MemorySearchStore
from onetape.backtest.search.sweep import Step, Sweep
from onetape.clock import SimulatedClock
from onetape.domain.errors import BadInput, Conflict
from onetape.domain.recorded import Recorded
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import SearchWish
from onetape.domain.trials import unpack_returns
from onetape.strategies.registry import Registry
from onetape.strategies.sma_cross import SmaCross

REGISTRY = Registry.load(None)


def stores() -> Stores:
    return Stores(MemoryTrialLedger(), MemorySearchStore(), SimulatedClock(7), "me")


def wish_of(spec: BacktestSpec, **parts) -> SearchWish:
    return SearchWish(spec=spec, spaces={"fast": "2:10:2", "slow": "6:30:6"}, jobs=2, **parts)


def made_of(spec: BacktestSpec, may: Allowed, at: Stores, **parts) -> Prepared:
    return prepared(wish_of(spec, **parts), REGISTRY, may, at)


async def test_every_trial_of_a_grid_is_the_single_backtest_to_the_last_bit(spec, may, frame) -> None:
    at = stores()
    made = made_of(spec, may, at)
    found = await searched(made, may, at)
    assert len(found.result.trials) == 22  # 5 x 5 less the three whose fast mean is not the faster one
    for one in found.result.trials:
        alone = run(spec, frame, None, SmaCross(**one.parameters))
        assert one.values == (alone.metrics["sharpe"],)
        assert one.figures == {name: alone.metrics[name] for name in one.figures}


async def test_trials_pay_funding_on_candles_and_the_recommended_one_is_run_on_all_that_is_recorded(
    spec, may, frame
) -> None:
    ts, hours = frame.ts, frame.timeframe.micros
    rows = [(int(ts[i]) + k + 1, price, frame.volume[i] / 4.0) for i in range(200, 300)
            for k, price in enumerate((frame.open[i], frame.high[i], frame.low[i], frame.close[i]))]  # fmt: skip
    table = np.array(rows)
    recorded = Recorded(
        print_ts=table[:, 0].astype(np.int64), price=table[:, 1], qty=table[:, 2], funding_ts=ts[::8] + 1,
        funding_rate=np.full(len(ts[::8]), 0.001), funding_every=8 * hours,
    )  # fmt: skip
    may = may._replace(chosen=may.chosen._replace(recorded=recorded))
    at = stores()
    found = await searched(made_of(spec, may, at), may, at)
    coarse = msgspec.structs.replace(spec, detail="candles")
    for one in found.result.trials:
        alone = run(coarse, frame, None, SmaCross(**one.parameters), recorded=recorded)
        assert alone.tape.account.funding > 0.0
        assert one.figures == {name: alone.metrics[name] for name in one.figures}
    used = found.result.detail
    assert used is not None
    assert (used.prints_share, used.funding) == (0.0, len(recorded.funding_ts))
    assert found.best is not None
    whole = run(found.best.spec, frame, None, SmaCross(**found.best.spec.parameters), recorded=recorded)
    assert found.best.data == whole.data
    assert whole.data is not None
    assert whole.data.prints_share > 0.0
    np.testing.assert_array_equal(found.best.tape.equity, whole.tape.equity)


async def test_a_function_of_ones_own_is_shown_the_very_trades_of_the_single_backtest(
    spec, may, frame, tmp_path
) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("def score(figures, tape):\n    return tape.equity.sum() + tape.fills.sum() + tape.trips.sum()\n")
    at = stores()
    found = await searched(made_of(spec, may, at, objectives=(f"{mine}:score",)), may, at)
    assert len(found.result.trials) == 22
    for one in found.result.trials:
        tape = run(spec, frame, None, SmaCross(**one.parameters)).tape
        assert one.values == (tape.equity.sum() + tape.fills.sum() + tape.trips.sum(),)


async def test_what_the_strategy_or_a_rule_refuses_is_no_trial(spec, may) -> None:
    at = stores()
    found = await searched(made_of(spec, may, at, constraints=("slow - fast > 10",)), may, at)
    pairs = [(one.parameters["fast"], one.parameters["slow"]) for one in found.result.trials]
    assert all(slow - fast > 10 for fast, slow in pairs)
    assert len(pairs) + found.result.refused == 25
    assert (await at.ledger.view(data_of(may.chosen, spec))).runs == len(pairs)


@pytest.mark.parametrize("method", ["grid", "random", "tpe"])
async def test_every_trial_is_in_the_ledger_once_with_its_parameters(spec, may, method) -> None:
    at = stores()
    made = made_of(spec, may, at, method=method, trials=0 if method == "grid" else 12)
    found = await searched(made, may, at)
    view = await at.ledger.view(data_of(may.chosen, spec))
    assert view.runs == view.trials == len(found.result.trials)
    for _, settled in await at.ledger.of_search(made.search.id):
        assert settled is not None
        assert set(settled.scores["parameters"]) == {"fast", "slow"}


async def test_the_recommended_trial_is_run_in_full_and_judged_with_all_trials(spec, may) -> None:
    at = stores()
    found = await searched(made_of(spec, may, at), may, at)
    assert found.best is not None
    assert found.best.metrics["luck"]["runs"] == len(found.result.trials)
    recommended = found.result.trial(found.result.recommended)
    assert {name: found.best.spec.parameters[name] for name in ("fast", "slow")} == recommended.parameters
    assert found.best.metrics["sharpe"] == recommended.values[0]
    assert found.result.luck is not None
    assert found.result.luck.overfitting is not None


async def test_a_cancelled_search_goes_on_without_losing_or_repeating_a_trial(spec, may) -> None:
    at = stores()
    made = made_of(spec, may, at)
    seen: list[Step] = []

    def stop(step: Step) -> None:
        seen.append(step)
        if step.done >= 5:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await searched(made, may, at, stop)
    entered = await at.ledger.of_search(made.search.id)
    kept = {name: one for name, one in entered if one is not None}
    assert 5 <= len(kept) < 22
    again = prepared(made.search.wish, REGISTRY, may, at, made.search)
    steps: list[Step] = []
    found = await searched(again, may, at, steps.append)
    assert len(found.result.trials) == 22
    assert steps[0].done > len(kept)
    after = dict(await at.ledger.of_search(made.search.id))
    assert {name: after[name] for name in kept} == kept
    assert (await at.ledger.view(data_of(may.chosen, spec))).runs == 22
    fresh = stores()
    whole = await searched(made_of(spec, may, fresh), may, fresh)
    assert [one.values for one in found.result.trials] == [one.values for one in whole.result.trials]


async def test_a_guided_search_goes_on_from_what_is_settled(spec, may) -> None:
    at = stores()
    made = made_of(spec, may, at, method="tpe", trials=14)

    def stop(step: Step) -> None:
        if step.done >= 6:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await searched(made, may, at, stop)
    found = await searched(prepared(made.search.wish, REGISTRY, may, at, made.search), may, at)
    keys = [tuple(one.parameters.values()) for one in found.result.trials]
    assert len(keys) == len(set(keys)) == 14


async def test_a_search_does_not_go_on_with_other_data_or_code(spec, may) -> None:
    at = stores()
    made = made_of(spec, may, at)
    shorter = may._replace(chosen=type(may.chosen)(may.chosen.frame.rows(0, 900), may.chosen.fills.rows(0, 900)))
    with pytest.raises(Conflict, match="other data"):
        prepared(made.search.wish, REGISTRY, shorter, at, made.search)


async def test_several_objectives_give_the_trials_that_no_other_beats(spec, may) -> None:
    at = stores()
    found = await searched(made_of(spec, may, at, objectives=("sharpe", "max_drawdown")), may, at)
    by_number = {one.number: one.values for one in found.result.trials}
    assert found.result.front
    for number in found.result.front:
        sharpe, drawdown = by_number[number]
        assert not any(s >= sharpe and d <= drawdown and (s, d) != (sharpe, drawdown) for s, d in by_number.values())


async def test_a_function_of_ones_own_is_an_objective(spec, may, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def score(figures, tape):\n    return figures['trades'] + len(tape.fills)\n")
    at = stores()
    found = await searched(made_of(spec, may, at, objectives=(f"{file}:score",)), may, at)
    for one in found.result.trials:
        assert one.values[0] > one.figures["trades"] > 0


async def test_a_function_that_fails_is_told_with_its_line(spec, may, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def score(figures, tape):\n    return figures['nothing']\n")
    at = stores()
    with pytest.raises(BadInput, match=r"all of them failed.*nothing"):
        await searched(made_of(spec, may, at, objectives=(f"{file}:score",)), may, at)


async def test_a_search_without_one_combination_is_refused(spec, may) -> None:
    at = stores()
    with pytest.raises(BadInput, match="not one combination is left"):
        await searched(made_of(spec, may, at, constraints=("fast > slow",)), may, at)


async def test_daily_returns_that_are_kept_are_those_of_the_run(spec, may, frame) -> None:
    at = stores()
    made = made_of(spec, may, at)
    result = await Sweep(made.search, made.plan, at.ledger, at.clock).go()
    one = result.trials[3]
    equity = run(spec, frame, None, SmaCross(**one.parameters)).tape.equity
    ends = np.append(equity[23::24], equity[-1:] if len(equity) % 24 else [])
    expected = np.append(ends[:1] / spec.cash, ends[1:] / ends[:-1]) - 1.0
    np.testing.assert_allclose(unpack_returns(one.returns), expected, atol=1e-6)


async def test_searches_are_kept_as_files(spec, may, tmp_path: Path) -> None:
    at = stores()._replace(searches=FileSearchStore(tmp_path / "searches"))
    made = made_of(spec, may, at)
    found = await searched(made, may, at)
    again = await at.searches.get(made.search.id)
    assert msgspec.json.encode(again) == msgspec.json.encode(made.search)
    assert again.wish.spec.exits.stop != again.wish.spec.exits.stop  # NaN, which JSON has not
    kept = await at.searches.found(made.search.id)
    assert kept is not None
    assert kept["recommended"] == found.result.recommended
    with pytest.raises(BadInput, match="not a search"):
        await at.searches.get("ff00")


@pytest.mark.parametrize("method", ["random", "tpe"])
async def test_a_search_for_more_trials_than_there_are_says_how_many_that_is(spec, may, method) -> None:
    at, steps = stores(), list[Step]()
    made = made_of(spec, may, at, method=method, trials=500)
    found = await searched(made, may, at, steps.append)
    assert steps[0].total <= 25  # 5 x 5
    assert (steps[-1].done, steps[-1].total) == (len(found.result.trials),) * 2
