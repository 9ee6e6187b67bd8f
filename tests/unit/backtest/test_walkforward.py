"""Walk-forward: windows by the calendar, searches that see nothing of what is traded, one curve of what was."""

from __future__ import annotations

import asyncio

import msgspec
import numpy as np
import pytest

from onetape.backtest.candles import Chosen
from onetape.backtest.dispatch import run
from onetape.backtest.holdout import Allowed, data_of
from onetape.backtest.luck.memory import MemoryTrialLedger
from onetape.backtest.search.answer import Stores, prepared
from onetape.backtest.search.store import MemorySearchStore
from onetape.backtest.search.sweep import Step
from onetape.backtest.stitching import ending
from onetape.backtest.walkforward import kept, of_window, spans, walked
from onetape.clock import RealClock
from onetape.domain.errors import BadInput, Conflict
from onetape.domain.frame import CandleFrame
from onetape.domain.recorded import Recorded
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import SearchWish
from onetape.domain.units import DAY
from onetape.domain.walkforward import Span, WalkView, WalkWish
from onetape.strategies.registry import Registry

HOUR = 3_600_000_000
REGISTRY = Registry.load()


def frame_of(rows: int, seed: int = 1) -> CandleFrame:
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.006, rows))), 2)
    columns = {"ts": np.arange(rows) * HOUR, "open": close, "high": close + 1, "low": close - 1}
    return CandleFrame.of("t", "A-B", "1h", columns | {"close": close, "volume": np.ones(rows)})


SPEC = BacktestSpec(strategy="sma_cross", exchange="t", symbol="A-B", timeframe="1h")
SEARCH = SearchWish(spec=SPEC, spaces={"fast": "2:4:2", "slow": "8:12:4"}, jobs=1)


def wish(**more: object) -> WalkWish:
    plain: dict[str, object] = {"search": SEARCH, "train": 10 * DAY, "test": 5 * DAY}
    return WalkWish(**(plain | more))  # type: ignore[arg-type]


def in_days(found: list[Span]) -> list[tuple[float, ...]]:
    return [tuple(ts / DAY for ts in span) for span in found]


def test_windows_roll_by_what_is_traded() -> None:
    assert in_days(spans(0, 25 * DAY, wish())) == [(0, 10, 10, 15), (5, 15, 15, 20), (10, 20, 20, 25)]


def test_anchored_windows_all_begin_where_the_first_did() -> None:
    assert in_days(spans(0, 20 * DAY, wish(anchored=True))) == [(0, 10, 10, 15), (0, 15, 15, 20)]


def test_purge_shortens_what_is_searched_and_embargo_moves_what_is_traded() -> None:
    assert in_days(spans(0, 22 * DAY, wish(purge=DAY, embargo=2 * DAY))) == [(0, 9, 12, 17), (5, 14, 17, 22)]


def test_a_last_window_of_at_least_half_is_kept_and_cut() -> None:
    assert in_days(spans(0, 23 * DAY, wish()))[-1] == (10, 20, 20, 23)
    assert in_days(spans(0, 22 * DAY, wish()))[-1] == (5, 15, 15, 20)


@pytest.mark.parametrize("more", [{"train": 0}, {"test": 0}, {"purge": 10 * DAY}, {"embargo": -1}, {"train": 50 * DAY}])
def test_windows_that_cannot_be_are_refused(more: dict[str, int]) -> None:
    with pytest.raises(BadInput):
        spans(0, 30 * DAY, wish(**more))


def test_what_is_kept_is_the_mean_traded_over_the_mean_promised() -> None:
    assert kept([2.0, 1.0, None], [0.5, 1.0, 9.0]) == 0.5
    assert kept([-1.0, 0.5], [1.0, 1.0]) is None


async def test_each_window_trades_unseen_candles_with_what_its_search_recommends_and_the_money_goes_on() -> None:
    frame = frame_of(24 * 26)
    rates = Recorded(funding_ts=frame.ts[::8], funding_rate=np.full(len(frame.ts[::8]), 0.0005), funding_every=8 * HOUR)
    may = Allowed(Chosen(frame, frame, rates), SPEC, None, {})
    ledger = MemoryTrialLedger()
    stores = Stores(ledger, MemorySearchStore(), RealClock(), "me")
    walk = await walked(wish(), REGISTRY, may, stores)
    assert in_days([one.span for one in walk.windows]) == [(0, 10, 10, 15), (5, 15, 15, 20), (10, 20, 20, 25)]
    cash, at = 10_000.0, 0
    for window in walk.windows:
        asked = msgspec.structs.replace(
            SPEC, parameters=window.parameters, start_ts=window.span.test_start, end_ts=window.span.test_end, cash=cash
        )
        alone = run(asked, frame, frame, REGISTRY.build("sma_cross", window.parameters), recorded=rates)
        n = len(alone.tape.equity)
        curve = walk.whole.tape.equity[at : at + n]
        np.testing.assert_array_equal(curve[:-1], alone.tape.equity[:-1])
        assert curve[-1] == ending(alone) <= alone.tape.equity[-1]
        assert window.trials == 4
        cash, at = ending(alone), at + n
    whole = walk.whole
    assert at == len(whole.tape.equity) == 15 * 24
    assert int(whole.tape.ts[0]) == 10 * DAY
    assert whole.metrics["final_equity"] == cash
    assert whole.tape.account.funding > 0.0
    assert whole.data is not None
    assert (whole.data.timeframe, whole.data.funding) == ("1h", 3 * 15)
    assert whole.metrics["open_trades"] == 0
    assert whole.metrics["total_return"] == pytest.approx(cash / 10_000.0 - 1.0)
    assert "luck" in whole.metrics
    view = await ledger.view(may_data(may))
    assert view.runs == 3 * 4 + 3


def may_data(may: Allowed):  # type: ignore[no-untyped-def]
    from onetape.backtest.holdout import data_of

    return data_of(may.chosen, may.spec)


async def test_what_comes_after_a_search_does_not_change_what_it_recommends() -> None:
    frame = frame_of(24 * 26)
    other = frame_of(24 * 26, seed=2)
    mixed = {
        name: np.concatenate((getattr(frame, name)[: 24 * 10], getattr(other, name)[24 * 10 :]))
        for name in ("open", "high", "low", "close", "volume")
    }
    changed = CandleFrame.of("t", "A-B", "1h", mixed | {"ts": frame.ts})
    first = []
    for candles in (frame, changed):
        may = Allowed(Chosen(candles, candles), SPEC, None, {})
        stores = Stores(MemoryTrialLedger(), MemorySearchStore(), RealClock(), "me")
        walk = await walked(wish(), REGISTRY, may, stores)
        first.append((walk.windows[0].parameters, walk.windows[0].searched))
    assert first[0] == first[1]


async def test_a_walk_that_was_stopped_goes_on_with_what_it_has_found_and_ends_the_same() -> None:
    frame = frame_of(24 * 26)
    may = Allowed(Chosen(frame, frame), SPEC, None, {})
    stores = Stores(MemoryTrialLedger(), MemorySearchStore(), RealClock(), "me")

    def stop(window: int, windows: int, step: Step) -> None:
        if (window, step.done) == (1, 2):
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await walked(wish(), REGISTRY, may, stores, stop, "abc")
    view = msgspec.convert(await stores.searches.found("abc"), WalkView)
    assert (len(view.windows), view.planned) == (1, 3)
    done = dict(await stores.ledger.of_search(of_window("abc", 1)))
    assert any(done.values())
    walk = await walked(wish(), REGISTRY, may, stores, None, "abc")
    assert len(msgspec.convert(await stores.searches.found("abc"), WalkView).windows) == 3
    for name, settled in done.items():
        if settled:
            assert dict(await stores.ledger.of_search(of_window("abc", 1)))[name] == settled
    fresh = Stores(MemoryTrialLedger(), MemorySearchStore(), RealClock(), "me")
    alone = await walked(wish(), REGISTRY, may, fresh)
    assert walk.whole.tape.equity.tobytes() == alone.whole.tape.equity.tobytes()
    assert walk.windows == alone.windows
    data = data_of(may.chosen, SPEC)
    assert (await stores.ledger.view(data)).runs == (await fresh.ledger.view(data)).runs


async def test_a_walk_does_not_go_on_as_a_search() -> None:
    frame = frame_of(24 * 26)
    may = Allowed(Chosen(frame, frame), SPEC, None, {})
    stores = Stores(MemoryTrialLedger(), MemorySearchStore(), RealClock(), "me")
    await walked(wish(), REGISTRY, may, stores, None, "abc")
    with pytest.raises(Conflict, match="a walk-forward, not a search"):
        prepared(SEARCH, REGISTRY, may, stores, await stores.searches.get("abc"))
