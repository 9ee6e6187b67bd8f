"""Walk-forward: search on the past, trade what comes after it with what was found, move on; the pieces that were traded
unseen are one curve. Each window begins flat with the money that the last one left; what it still holds at its end is
sold at the last close, at the taker fee."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from onetape.backtest.counting import counted, judged, trial_of
from onetape.backtest.dispatch import run
from onetape.backtest.holdout import Allowed, data_of
from onetape.backtest.search.answer import Stores, begun_before, prepared
from onetape.backtest.search.objectives import objective_of
from onetape.backtest.search.sweep import Step, Sweep
from onetape.backtest.stitching import ending, figures_of, stitched
from onetape.domain import trials as kinds
from onetape.domain.errors import BadInput
from onetape.domain.results import Result
from onetape.domain.searches import Search
from onetape.domain.units import Micros, rfc3339
from onetape.domain.walkforward import Span, Walk, WalkView, WalkWish, Window
from onetape.strategies.registry import Registry

LEAST: Final = 2  # windows: fewer are no walk


def spans(start_ts: Micros, end_ts: Micros, wish: WalkWish) -> list[Span]:
    """All windows that lie in [start_ts, end_ts); the last one may be shorter, but not by more than half. Raises
    BadInput when there are not at least two."""
    for name in ("train", "test"):
        if getattr(wish, name) <= 0:
            raise BadInput(f"--{name}", getattr(wish, name), "not a length of time above 0", "Write 180d.")
    if wish.purge < 0 or wish.embargo < 0 or wish.purge >= wish.train:
        raise BadInput("--purge", wish.purge, "not shorter than what is searched")
    found = []
    cut = start_ts + wish.train
    while (test_start := cut + wish.embargo) + wish.test // 2 <= end_ts and test_start < end_ts:
        begin = start_ts if wish.anchored else cut - wish.train
        found.append(Span(begin, cut - wish.purge, test_start, min(test_start + wish.test, end_ts)))
        cut += wish.test
    if len(found) < LEAST:
        raise BadInput(
            "--train and --test", f"{wish.train / 86_400e6:g} and {wish.test / 86_400e6:g} days",
            f"too long for {rfc3339(start_ts)} to {rfc3339(end_ts)}: {len(found)} windows fit, {LEAST} are needed",
            "Choose shorter ones, or more data.",
        )  # fmt: skip
    return found


Say = Callable[[int, int, Step], None]


async def walked(
    wish: WalkWish, registry: Registry, may: Allowed, stores: Stores, say: Say | None = None, walk_id: str = ""
) -> Walk:
    """Every window's search and trade, each counted in the ledger, and the whole. With the id of a walk that was begun
    before it goes on: trials that are done are not run again. What there is is kept after each window.

    Raises BadInput; Conflict when a walk is gone on with and its code or data are others by now."""
    data, walk_id = data_of(may.chosen, may.spec), walk_id or secrets.token_hex(6)
    found = spans(data.start_ts, data.end_ts, wish)
    begun = Search(
        id=walk_id, wish=wish.search, source_hash=registry.source_hash(wish.search.spec.strategy), data=data,
        who=stores.who, created_ts=stores.clock.now(), walk=True,
    )  # fmt: skip
    await stores.searches.begin(begun)
    windows: list[Window] = []
    pieces: list[Result] = []
    cash = may.spec.cash
    for number, span in enumerate(found):
        search_id = of_window(walk_id, number)
        telling = _telling(say, number, len(found))
        window, piece = await _window(wish, registry, may, stores, span, cash, search_id, telling)
        windows.append(window)
        pieces.append(piece)
        await stores.searches.finish(walk_id, msgspec.to_builtins(view_of(wish, len(found), windows)))
        cash = ending(piece)
        if cash <= 0.0:
            break
    whole = stitched(may.spec, wish, windows, pieces)
    trial = trial_of(
        whole.spec, data, pieces[0].manifest["strategy"], kinds.WALK_FORWARD, stores.who, stores.clock.now()
    )
    view = view_of(wish, len(found), windows)
    whole = await judged(stores.ledger, trial, whole)
    return Walk(wish=wish, view=view, whole=whole)


def of_window(walk_id: str, number: int) -> str:
    """The id of the search of one window: the same each time, so that a walk goes on where it was."""
    return hashlib.sha256(f"{walk_id}/{number}".encode()).hexdigest()[:12]


def view_of(wish: WalkWish, planned: int, windows: list[Window]) -> WalkView:
    return WalkView(
        objective=wish.search.objectives[0],
        searched=list(wish.search.spaces or windows[0].parameters),
        planned=planned,
        windows=windows,
        kept=kept([one.searched for one in windows], [one.traded for one in windows]),
        kept_cagr=kept([one.searched_cagr for one in windows], [one.figures["cagr"] for one in windows]),
    )


def _telling(say: Say | None, number: int, total: int) -> Callable[[Step], None] | None:
    return None if say is None else lambda step: say(number, total, step)


def kept(searched: Sequence[float | None], traded: Sequence[float | None]) -> float | None:
    """Mean traded over mean searched, of the windows where both are known."""
    both = [(a, b) for a, b in zip(searched, traded, strict=True) if a is not None and b is not None]
    promised = sum(a for a, _ in both)
    return sum(b for _, b in both) / promised if promised > 0.0 else None


async def _window(
    wish: WalkWish, registry: Registry, may: Allowed, stores: Stores, span: Span, cash: float,
    search_id: str, say: Callable[[Step], None] | None,
) -> tuple[Window, Result]:  # fmt: skip
    past = may._replace(spec=msgspec.structs.replace(may.spec, start_ts=span.train_start, end_ts=span.train_end))
    made = prepared(wish.search, registry, past, stores, await begun_before(stores.searches, search_id), search_id)
    await stores.searches.begin(made.search)
    result = await Sweep(made.search, made.plan, stores.ledger, stores.clock, say).go(resumed=made.resumed)
    number = result.recommended if result.recommended is not None else result.peak
    assert number is not None  # a search in which nothing could be scored has raised
    best = result.trial(number)
    asked = msgspec.structs.replace(
        made.plan.ground.asked_of(best.parameters), start_ts=span.test_start, end_ts=span.test_end, cash=cash
    )
    strategy = made.plan.ground.strategy(best.parameters)
    chosen, source_hash = may.chosen, made.search.source_hash

    async def go() -> Result:
        return await asyncio.to_thread(run, asked, chosen.frame, chosen.fills, strategy, source_hash, chosen.recorded)

    trial = trial_of(asked, data_of(may.chosen, asked), source_hash, kinds.WALK_FORWARD, stores.who, stores.clock.now())
    trial = msgspec.structs.replace(trial, id=f"w{search_id}")  # traded again, it counts once
    await stores.ledger.reserve([trial])
    piece = await counted(stores.ledger, stores.clock, trial, go)
    objective = objective_of(wish.search.objectives[0])
    window = Window(
        span=span,
        parameters=strategy.parameters(),
        trials=len(result.trials),
        searched=best.values[0],
        traded=objective.value(piece.metrics, piece.tape),
        searched_cagr=best.figures.get("cagr"),
        figures=figures_of(piece),
    )
    return window, piece
