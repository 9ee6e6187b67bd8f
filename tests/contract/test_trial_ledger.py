"""Every ledger of trials: what was entered counts for ever, what is sealed is sealed once, what was opened is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import numpy as np
import pytest

from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.domain.errors import Conflict, NotFound
from onetape.domain.trials import ABORTED, BACKTEST, DONE, DataKey, Opening, Seal, Settled, Trial, pack_returns
from onetape.domain.units import DAY
from onetape.ports import TrialLedger
from onetape.storage.journal import FileTrialLedger
from onetape.storage.pool import open_pool
from onetape.storage.trials import PgTrialLedger

YEAR = DataKey("okx", "BTC-USDT", 0, 365 * DAY)


@pytest.fixture(params=["memory", "file", "postgres"])
def where(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("database_url") if request.param == "postgres" else request.param)


@pytest.fixture
async def ledger(where: str, tmp_path: Path) -> AsyncIterator[TrialLedger]:
    if where == "memory":
        yield MemoryTrialLedger()
    elif where == "file":
        yield FileTrialLedger(tmp_path / "trials.jsonl")
    else:
        pool = await open_pool(where)
        yield PgTrialLedger(pool)
        await pool.close()


def a_trial(name: str, data: DataKey = YEAR, family: str = "ema_cross", fingerprint: str = "") -> Trial:
    return Trial(
        id=name,
        kind=BACKTEST,
        family=family,
        fingerprint=fingerprint or name,
        data=data,
        timeframe="1h",
        who="me",
        started_ts=5,
    )


def done(name: str, sharpe: float | None = 1.0, ended_ts: int = 9, returns: tuple[float, ...] = ()) -> Settled:
    packed = pack_returns(np.array(returns))
    return Settled(id=name, state=DONE, ended_ts=ended_ts, sharpe=sharpe, first_day=3, returns=packed)


async def test_an_empty_ledger_has_seen_nothing(ledger: TrialLedger) -> None:
    view = await ledger.view(YEAR)
    assert (view.runs, view.trials, len(view.sharpes), view.returns) == (0, 0, 0, ())
    assert await ledger.sealed("okx", "BTC-USDT") is None


async def test_a_trial_counts_from_the_moment_it_is_reserved(ledger: TrialLedger) -> None:
    await ledger.reserve([a_trial("a"), a_trial("b"), a_trial("c")])
    view = await ledger.view(YEAR)
    assert (view.runs, view.trials, len(view.sharpes)) == (3, 3, 0)
    await ledger.settle([done("a", 1.5), Settled(id="b", state=ABORTED, ended_ts=9)])
    view = await ledger.view(YEAR)
    assert (view.runs, view.trials, view.sharpes.tolist()) == (3, 3, [1.5])


async def test_a_sweep_is_written_in_one_batch(ledger: TrialLedger) -> None:
    await ledger.reserve([a_trial(f"{i:04}") for i in range(1_000)])
    assert (await ledger.view(YEAR)).trials == 1_000
    await ledger.settle([done(f"{i:04}", i / 1_000) for i in range(1_000)])
    assert np.sort((await ledger.view(YEAR)).sharpes).tolist() == [i / 1_000 for i in range(1_000)]


async def test_the_same_trial_repeated_is_one_trial_and_two_runs(ledger: TrialLedger) -> None:
    await ledger.reserve([a_trial("a", fingerprint="x"), a_trial("b", fingerprint="x"), a_trial("c", fingerprint="y")])
    await ledger.settle([done("a", 1.0), Settled(id="b", state=ABORTED, ended_ts=99), done("c", 2.0)])
    view = await ledger.view(YEAR)
    assert (view.runs, view.trials) == (3, 2)
    assert sorted(view.sharpes.tolist()) == [1.0, 2.0]


async def test_another_strategy_another_code_and_another_period_are_other_trials(ledger: TrialLedger) -> None:
    half = YEAR._replace(end_ts=100 * DAY)
    trials = [a_trial("a", fingerprint="x"), a_trial("b", family="sma_cross", fingerprint="x")]
    await ledger.reserve([*trials, a_trial("c", fingerprint="y"), a_trial("d", half, fingerprint="x")])
    assert (await ledger.view(YEAR)).trials == 4


async def test_only_data_that_overlap_count_together(ledger: TrialLedger) -> None:
    spans = {"touch": (365, 400), "over": (364, 400), "in": (100, 101), "around": (-10, 999), "before": (-9, 0)}
    for name, (start, end) in spans.items():
        await ledger.reserve([a_trial(name, YEAR._replace(start_ts=start * DAY, end_ts=end * DAY))])
    await ledger.reserve([a_trial("e", YEAR._replace(symbol="ETH-USDT")), a_trial("f", YEAR._replace(exchange="x"))])
    assert (await ledger.view(YEAR)).trials == 3


async def test_the_first_word_about_a_trial_stands(ledger: TrialLedger) -> None:
    await ledger.reserve([a_trial("a")])
    await ledger.settle([done("a", 1.0)])
    await ledger.settle([done("a", 9.0), done("nobody", 3.0)])
    await ledger.reserve([a_trial("a")])
    view = await ledger.view(YEAR)
    assert (view.runs, view.sharpes.tolist()) == (1, [1.0])


async def test_daily_returns_come_back_newest_first_and_without_those_that_were_not_kept(ledger: TrialLedger) -> None:
    await ledger.reserve([a_trial("a"), a_trial("b"), a_trial("c")])
    await ledger.settle([done("a", 1.0, 7, (0.5, -0.25)), done("b", 1.0, 8), done("c", None, 9, (0.125,))])
    found = (await ledger.view(YEAR)).returns
    assert [(first, returns.tolist()) for first, returns in found] == [(3, [0.125]), (3, [0.5, -0.25])]


SEAL = Seal(exchange="okx", symbol="BTC-USDT", from_ts=300 * DAY, made_ts=7, who="me")


async def test_a_market_is_sealed_once_until_it_is_lifted(ledger: TrialLedger) -> None:
    await ledger.seal(SEAL)
    assert await ledger.sealed("okx", "BTC-USDT") == SEAL
    assert await ledger.sealed("okx", "ETH-USDT") is None
    await ledger.seal(SEAL)
    later = msgspec.structs.replace(SEAL, from_ts=310 * DAY)
    with pytest.raises(Conflict, match=r"sealed already, from 1970-10-28.*--holdout off"):
        await ledger.seal(later)
    assert await ledger.sealed("okx", "BTC-USDT") == SEAL
    await ledger.lift("okx", "BTC-USDT", 9, "me")
    assert await ledger.sealed("okx", "BTC-USDT") is None
    await ledger.seal(later)
    assert await ledger.sealed("okx", "BTC-USDT") == later


async def test_what_is_not_sealed_cannot_be_lifted(ledger: TrialLedger) -> None:
    with pytest.raises(NotFound, match="not sealed"):
        await ledger.lift("okx", "BTC-USDT", 9, "me")


def an_opening(trial_id: str, family: str = "ema_cross", from_ts: int = 300 * DAY) -> Opening:
    return Opening(
        exchange="okx",
        symbol="BTC-USDT",
        family=family,
        trial_id=trial_id,
        fingerprint="x",
        from_ts=from_ts,
        opened_ts=8,
    )


async def test_a_second_opening_gives_the_first_with_what_came_out(ledger: TrialLedger) -> None:
    assert await ledger.open(an_opening("a")) == an_opening("a")
    assert await ledger.open(an_opening("b")) == an_opening("a")
    await ledger.opened("a", {"total_return": 0.25})
    await ledger.opened("a", {"total_return": 9.0})
    assert await ledger.open(an_opening("c")) == msgspec.structs.replace(
        an_opening("a"), outcome={"total_return": 0.25}
    )
    assert (await ledger.open(an_opening("d", "sma_cross"))).trial_id == "d"
    assert (await ledger.open(an_opening("e", from_ts=310 * DAY))).trial_id == "e"


async def test_of_two_openings_at_once_one_is_first(ledger: TrialLedger) -> None:
    found = await asyncio.gather(*(ledger.open(an_opening(name)) for name in "abcd"))
    assert len({one.trial_id for one in found}) == 1


async def test_the_trials_of_a_search_come_in_order_with_what_became_of_them(ledger: TrialLedger) -> None:
    await ledger.reserve([a_trial(f"a1-{i:06d}") for i in (2, 10, 1)] + [a_trial("a1b-000001"), a_trial("a1")])
    scores = {"parameters": {"fast": 5, "exit": "none"}, "values": [1.5, None], "error": ""}
    await ledger.settle([msgspec.structs.replace(done("a1-000002", 1.5, returns=(0.5,)), scores=scores)])
    found = await ledger.of_search("a1")
    assert [name for name, _ in found] == ["a1-000001", "a1-000002", "a1-000010"]
    [settled] = [one for _, one in found if one]
    assert (settled.scores, settled.returns) == (scores, pack_returns(np.array([0.5])))
    assert await ledger.of_search("b") == []
    await ledger.settle([done("a1-000010", ended_ts=20)])
    assert [name for name, _ in await ledger.of_search("a1", 9)] == ["a1-000002", "a1-000010"]
    assert [name for name, _ in await ledger.of_search("a1", 10)] == ["a1-000010"]
