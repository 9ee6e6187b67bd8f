"""The ledger of trials in a file: shared by processes, whole after a crash, loud when it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.domain.errors import BadInput, Conflict
from onetape.domain.trials import DONE, DataKey, Seal, Settled, Trial
from onetape.domain.units import DAY
from onetape.storage.journal import FileTrialLedger

YEAR = DataKey("okx", "BTC-USDT", 0, 365 * DAY)


def a_trial(name: str, symbol: str = "BTC-USDT") -> Trial:
    return Trial(
        id=name,
        kind="backtest",
        family="ema_cross",
        fingerprint=name,
        data=YEAR._replace(symbol=symbol),
        timeframe="1h",
        who="me",
        started_ts=5,
    )


async def test_another_process_sees_every_entry_and_adds_its_own(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "trials.jsonl"
    first = FileTrialLedger(path)
    second = FileTrialLedger(path)
    await first.reserve([a_trial("a")])
    await second.reserve([a_trial("b")])
    await first.settle([Settled(id="b", state=DONE, ended_ts=9, sharpe=2.0)])
    for ledger in (first, second, FileTrialLedger(path)):
        view = await ledger.view(YEAR)
        assert (view.runs, view.sharpes.tolist()) == (2, [2.0])


async def test_a_line_that_a_dying_process_did_not_finish_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    await FileTrialLedger(path).reserve([a_trial("a")])
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type":"reserve","trials":[{"id":"b"')
    ledger = FileTrialLedger(path)
    assert (await ledger.view(YEAR)).runs == 1
    await ledger.reserve([a_trial("c")])
    assert (await FileTrialLedger(path).view(YEAR)).runs == 2
    assert path.read_bytes().startswith(whole)
    assert path.read_bytes().count(b"\n") == 2


async def test_a_damaged_line_is_named_and_nothing_is_counted_wrong(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    await FileTrialLedger(path).reserve([a_trial("a")])
    at = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"nonsense\n")
    with pytest.raises(BadInput, match=rf"trials.jsonl, byte {at} is 'nonsense.*not an entry of the ledger"):
        await FileTrialLedger(path).view(YEAR)


async def test_what_the_rules_refuse_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    ledger = FileTrialLedger(path)
    await ledger.seal(Seal(exchange="okx", symbol="BTC-USDT", from_ts=1, made_ts=2, who="me"))
    before = path.read_bytes()
    with pytest.raises(Conflict):
        await ledger.seal(Seal(exchange="okx", symbol="BTC-USDT", from_ts=9, made_ts=2, who="me"))
    assert path.read_bytes() == before


async def test_a_folder_that_cannot_be_written_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match=r"a run that is not counted is not run.*--data-dir"):
        FileTrialLedger(tmp_path / "file" / "trials.jsonl")


async def test_trials_of_one_market_are_handed_over_once(tmp_path: Path) -> None:
    file, other = FileTrialLedger(tmp_path / "trials.jsonl"), MemoryTrialLedger()
    await file.reserve([a_trial("a"), a_trial("e", "ETH-USDT")])
    await file.settle([Settled(id="a", state=DONE, ended_ts=9, sharpe=2.0), Settled(id="e", state=DONE, ended_ts=9)])
    for _ in range(2):
        await file.hand_over(other, "okx", "BTC-USDT")
    view = await other.view(YEAR)
    assert (view.runs, view.sharpes.tolist()) == (1, [2.0])
    assert (await other.view(YEAR._replace(symbol="ETH-USDT"))).runs == 0
