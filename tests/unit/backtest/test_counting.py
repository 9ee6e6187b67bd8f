"""No run escapes the ledger of trials: not one that fails, not one that is cancelled; and what is sealed stays shut."""

from __future__ import annotations

import asyncio

import msgspec
import numpy as np
import pytest

from onetape.backtest import holdout
from onetape.backtest.candles import Chosen
from onetape.backtest.counting import counted, judged, scores_of, trial_of
from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.backtest.run import run
from onetape.clock import SimulatedClock
from onetape.domain.errors import BadInput, Conflict, NotFound
from onetape.domain.frame import CandleFrame, resample
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.trials import DataKey, Seal, fingerprint
from onetape.domain.units import DAY
from onetape.strategies.sma_cross import SmaCross

DAYS = 100
ALL = DataKey("t", "A-B", 0, DAYS * DAY)
SPEC = BacktestSpec(strategy="sma_cross", exchange="t", symbol="A-B", parameters={"fast": 10, "slow": 50})
CLOCK = SimulatedClock(7)


def candles() -> CandleFrame:
    n = 24 * DAYS
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.006, n))), 2)
    columns = {"ts": np.arange(n) * 3_600_000_000, "open": close, "high": close + 1, "low": close - 1, "close": close}
    return CandleFrame.of("t", "A-B", "1h", columns | {"volume": np.ones(n)})


def chosen() -> Chosen:
    frame = candles()
    return Chosen(frame, frame)


def a_trial(spec: BacktestSpec = SPEC, source: str = "code"):
    return trial_of(spec, ALL, source, "backtest", "me", 7)


async def test_a_run_is_counted_before_it_ends_and_has_its_block_afterwards() -> None:
    ledger = MemoryTrialLedger()
    seen = []

    async def go() -> Result:
        seen.append((await ledger.view(ALL)).runs)
        return run(SPEC, candles(), None, SmaCross())

    trial = a_trial()
    await ledger.reserve([trial])
    result = await judged(ledger, trial, await counted(ledger, CLOCK, trial, go))
    assert seen == [1]
    view = await ledger.view(ALL)
    assert view.sharpes.tolist() == [result.metrics["sharpe"]]
    [(first, returns)] = view.returns
    assert (first, len(returns)) == (0, DAYS)
    assert result.metrics["luck"]["trials"] == 1
    assert result.metrics["luck"]["deflated_sharpe"] == result.metrics["luck"]["probabilistic_sharpe"]


async def test_a_run_that_fails_counts_as_aborted() -> None:
    ledger = MemoryTrialLedger()

    async def go() -> Result:
        raise BadInput("the period", "x", "too short")

    trial = a_trial()
    await ledger.reserve([trial])
    with pytest.raises(BadInput):
        await counted(ledger, CLOCK, trial, go)
    view = await ledger.view(ALL)
    assert (view.runs, view.trials, len(view.sharpes)) == (1, 1, 0)


async def test_a_run_that_is_cancelled_counts_as_aborted() -> None:
    ledger = MemoryTrialLedger()
    begun = asyncio.Event()

    async def go() -> Result:
        begun.set()
        await asyncio.sleep(60)
        raise AssertionError

    trial = a_trial()
    await ledger.reserve([trial])
    task = asyncio.create_task(counted(ledger, CLOCK, trial, go))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await ledger.view(ALL)).runs == 1


def test_code_parameters_and_money_make_the_fingerprint_and_the_period_does_not() -> None:
    mine = fingerprint(SPEC, "code")
    assert fingerprint(SPEC, "other code") != mine
    for change in ({"parameters": {"fast": 11, "slow": 50}}, {"cash": 5.0}, {"timeframe": "4h"}):
        assert fingerprint(changed(change), "code") != mine
    assert fingerprint(changed({"start_ts": 5, "end_ts": 9}), "code") == mine


def changed(parts: dict[str, object]) -> BacktestSpec:
    return msgspec.structs.replace(SPEC, **parts)


# --- the seal

SEAL = Seal(exchange="t", symbol="A-B", from_ts=80 * DAY, made_ts=1, who="me")


async def sealed() -> MemoryTrialLedger:
    ledger = MemoryTrialLedger()
    await ledger.seal(SEAL)
    return ledger


@pytest.mark.parametrize(
    ("wish", "day"),
    [("0.2", 80), (".2", 80), ("0.25", 75), ("0.996", 0), ("1970-03-02", 60), ("1970-03-02T13:00Z", 60)],
)
def test_the_sealed_part_begins_at_a_midnight(wish: str, day: int) -> None:
    if day == 0:  # less than a day is left to work on
        with pytest.raises(BadInput, match="Both parts need at least one whole day"):
            holdout.boundary(wish, 0, DAYS * DAY)
    else:
        assert holdout.boundary(wish, 0, DAYS * DAY) == day * DAY


@pytest.mark.parametrize("wish", ["1.2", "0", "-0.2", "soon", "2", "1999-01-01", ""])
def test_a_part_that_makes_no_sense_is_refused(wish: str) -> None:
    with pytest.raises(BadInput, match="--holdout"):
        holdout.boundary(wish, 0, DAYS * DAY)


async def test_without_a_seal_everything_may_be_seen() -> None:
    mine = chosen()
    found = await holdout.allowed(MemoryTrialLedger(), mine, SPEC)
    assert (found.chosen, found.spec, found.seal, found.note) == (mine, SPEC, None, {})


async def test_no_candle_of_the_sealed_part_reaches_a_run() -> None:
    found = await holdout.allowed(await sealed(), chosen(), SPEC)
    assert int(found.chosen.fills.close_ts[-1]) == 80 * DAY
    assert int(found.chosen.frame.close_ts[-1]) == 80 * DAY
    assert found.spec.end_ts == 80 * DAY
    assert holdout.sealed_note({"holdout": found.note}) == [
        "The candles from 1970-03-22 on are sealed (--holdout): this run ends before them."
    ]


async def test_a_long_candle_that_reaches_into_the_sealed_part_is_sealed_too() -> None:
    frame = candles()
    weekly = resample(frame, "1w")
    found = await holdout.allowed(await sealed(), Chosen(weekly, frame), SPEC)
    assert int(found.chosen.frame.close_ts[-1]) <= 80 * DAY


async def test_a_period_inside_the_sealed_part_is_refused() -> None:
    with pytest.raises(Conflict, match=r"sealed from 1970-03-22.*--open-holdout"):
        await holdout.allowed(await sealed(), chosen(), changed({"start_ts": 85 * DAY}))


async def test_a_period_before_the_seal_is_as_it_was() -> None:
    spec = changed({"end_ts": 60 * DAY})
    found = await holdout.allowed(await sealed(), chosen(), spec)
    assert (found.spec, found.note) == (spec, {})


async def test_opened_the_run_sees_the_sealed_part_alone_with_candles_before_it_to_warm_up() -> None:
    mine = chosen()
    found = await holdout.allowed(await sealed(), mine, SPEC, opening=True)
    result = run(found.spec, found.chosen.frame, found.chosen.fills, SmaCross())
    assert result.metrics["start_ts"] == 80 * DAY
    assert result.metrics["trading_from_ts"] == 80 * DAY + 3_600_000_000
    assert holdout.data_of(found.chosen, found.spec) == DataKey("t", "A-B", 80 * DAY, 100 * DAY)


async def test_nothing_to_open_is_said_so() -> None:
    with pytest.raises(NotFound, match="not sealed"):
        await holdout.allowed(MemoryTrialLedger(), chosen(), SPEC, opening=True)


async def test_a_strategy_opens_once_and_is_told_what_came_out() -> None:
    ledger = await sealed()
    first, second = a_trial(), a_trial(changed({"parameters": {"fast": 3, "slow": 9}}))
    assert await holdout.enter_opening(ledger, first, SEAL) == first.id
    with pytest.raises(Conflict, match="with other code or parameters, and that run did not end"):
        await holdout.enter_opening(ledger, second, SEAL)
    assert await holdout.enter_opening(ledger, a_trial(), SEAL) == first.id  # killed, and repeated as it was
    result = run(SPEC, candles(), None, SmaCross())
    await ledger.opened(first.id, scores_of(result))
    total = f"{100 * result.metrics['total_return']:+.2f}"
    for trial in (second, a_trial()):
        with pytest.raises(Conflict) as refused:
            await holdout.enter_opening(ledger, trial, SEAL)
        assert f"return of {total} %" in str(refused.value)
        assert result.run_id in str(refused.value)
        assert "1970-01-01T00:00:00.000007Z" in str(refused.value)


async def test_a_share_leaves_a_seal_as_it_is_and_another_day_is_refused() -> None:
    ledger = await sealed()
    assert "sealed from 1970-03-22" in await holdout.seal(ledger, ALL, "0.5", 9, "me")
    assert await ledger.sealed("t", "A-B") == SEAL
    with pytest.raises(Conflict, match="sealed already"):
        await holdout.seal(ledger, ALL, "1970-02-01", 9, "me")


async def test_a_seal_over_what_was_seen_says_so() -> None:
    ledger = MemoryTrialLedger()
    await ledger.reserve([a_trial()])
    assert "1 run has seen that part before" in await holdout.seal(ledger, ALL, "0.2", 9, "me")
    assert "lifted for good" in await holdout.seal(ledger, ALL, "off", 9, "me")
    assert await ledger.sealed("t", "A-B") is None
