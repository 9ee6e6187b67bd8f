"""Walk-forward: search on the past, trade what comes after it with what was found, move on; the pieces that were traded
unseen are one curve. Each window begins flat with the money that the last one left; what it still holds at its end is
sold at the last close, at the taker fee."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from onetape.backtest.counting import counted, judged, trial_of
from onetape.backtest.dispatch import run
from onetape.backtest.holdout import Allowed, data_of
from onetape.backtest.metrics import measure
from onetape.backtest.provenance import provenance
from onetape.backtest.run import run_id
from onetape.backtest.search.answer import Stores, prepared
from onetape.backtest.search.objectives import objective_of
from onetape.backtest.search.sweep import Step, Sweep
from onetape.core.state import F_BAR, empty_book
from onetape.core.stats import T_ENTRY, T_EXIT, T_FEES, T_OPEN, T_PROFIT, T_ROLE
from onetape.domain import trials as kinds
from onetape.domain.accounts import Account
from onetape.domain.errors import BadInput
from onetape.domain.frame import concat
from onetape.domain.orders import Role
from onetape.domain.results import BacktestSpec, Result, Tape
from onetape.domain.searches import SearchWish
from onetape.domain.signals import Signals
from onetape.domain.units import Micros, rfc3339
from onetape.strategies.registry import Registry

LEAST: Final = 2  # windows: fewer are no walk
SUMMED: Final = ("realised", "fees", "slippage", "funding", "delay")


class WalkWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a walk goes. Times in micros. `train` is the length of the past that is searched (of the first one when
    `anchored`: then each begins where the first began), `test` of what is traded after it, and by which the walk moves
    on. `purge` is cut off the end of the searched part, `embargo` is left out between it and the traded one."""

    search: SearchWish
    train: Micros
    test: Micros
    anchored: bool = False
    purge: Micros = 0
    embargo: Micros = 0


class Span(NamedTuple):
    """One window: [train_start, train_end) is searched, [test_start, test_end) is traded."""

    train_start: Micros
    train_end: Micros
    test_start: Micros
    test_end: Micros


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one window. `searched` and `traded` are the first objective in both parts, None where it cannot be
    worked out there; `figures` the usual ones of the traded part; `trials` how many were run to find the parameters."""

    span: Span
    parameters: dict[str, Any]
    trials: int
    searched: float | None
    traded: float | None
    searched_cagr: float | None
    figures: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """`whole` is the stitched curve of all that was traded unseen. `kept` says how much of the first objective was left
    of what the searches promised: mean traded over mean searched, None where the mean searched is not above 0."""

    wish: WalkWish
    windows: list[Window]
    whole: Result
    kept: float | None
    kept_cagr: float | None


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


async def walked(wish: WalkWish, registry: Registry, may: Allowed, stores: Stores, say: Say | None = None) -> Walk:
    """Every window's search and trade, each counted in the ledger, and the whole."""
    data = data_of(may.chosen, may.spec)
    found = spans(data.start_ts, data.end_ts, wish)
    windows: list[Window] = []
    pieces: list[Result] = []
    cash = may.spec.cash
    for number, span in enumerate(found):
        window, piece = await _window(wish, registry, may, stores, span, cash, _telling(say, number, len(found)))
        windows.append(window)
        pieces.append(piece)
        cash = ending(piece)
        if cash <= 0.0:
            break
    whole = stitched(may.spec, wish, windows, pieces)
    trial = trial_of(
        whole.spec, data, pieces[0].manifest["strategy"], kinds.WALK_FORWARD, stores.who, stores.clock.now()
    )
    return Walk(
        wish=wish,
        windows=windows,
        whole=await judged(stores.ledger, trial, whole),
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
    say: Callable[[Step], None] | None,
) -> tuple[Window, Result]:  # fmt: skip
    past = may._replace(spec=msgspec.structs.replace(may.spec, start_ts=span.train_start, end_ts=span.train_end))
    made = prepared(wish.search, registry, past, stores)
    await stores.searches.begin(made.search)
    result = await Sweep(made.search, made.plan, stores.ledger, stores.clock, say).go()
    number = result.recommended if result.recommended is not None else result.peak
    assert number is not None  # a search in which nothing could be scored has raised
    best = result.trial(number)
    asked = msgspec.structs.replace(
        made.plan.ground.asked_of(best.parameters), start_ts=span.test_start, end_ts=span.test_end, cash=cash
    )
    strategy = made.plan.ground.strategy(best.parameters)
    chosen, source_hash = may.chosen, made.search.source_hash

    async def go() -> Result:
        return await asyncio.to_thread(run, asked, chosen.frame, chosen.fills, strategy, source_hash)

    trial = trial_of(asked, data_of(may.chosen, asked), source_hash, kinds.WALK_FORWARD, stores.who, stores.clock.now())
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


def figures_of(piece: Result) -> dict[str, Any]:
    names = ("total_return", "cagr", "max_drawdown", "sharpe", "trades", "win_rate", "profit_factor", "fees")
    return {name: piece.metrics[name] for name in names}


def closing_fee(piece: Result) -> float:
    """What it costs to sell at the last close what is still held."""
    tape = piece.tape
    return abs(tape.account.qty) * float(tape.candles.close[-1]) * piece.spec.costs.taker


def ending(piece: Result) -> float:
    """The money that a window leaves."""
    return float(piece.tape.equity[-1]) - closing_fee(piece)


def stitched(spec: BacktestSpec, wish: WalkWish, windows: Sequence[Window], pieces: Sequence[Result]) -> Result:
    """All pieces as one run over the candles that were traded."""
    candles = concat([piece.tape.candles for piece in pieces])
    starts = np.concatenate(([0], np.cumsum([len(piece.tape.candles) for piece in pieces])))
    curves, fills, trips = [], [], []
    for start, piece in zip(starts.tolist(), pieces, strict=False):
        equity, moved, rounds = piece.tape.equity.copy(), piece.tape.fills.copy(), piece.tape.trips.copy()
        fee = closing_fee(piece)
        equity[-1] -= fee
        moved[:, F_BAR] += start
        rounds[:, [T_ENTRY, T_EXIT]] += start
        if fee > 0.0 and len(rounds):
            rounds[-1, T_FEES] += fee
            rounds[-1, T_PROFIT] -= fee
            rounds[-1, T_OPEN], rounds[-1, T_ROLE] = 0.0, float(Role.EXIT)
        curves.append(equity)
        fills.append(moved)
        trips.append(rounds)
    rejected: dict[str, int] = {}
    for piece in pieces:
        for reason, times in piece.tape.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + times
    equity = np.concatenate(curves)
    sums = {name: sum(float(getattr(piece.tape.account, name)) for piece in pieces) for name in SUMMED}
    sums["fees"] += sum(closing_fee(piece) for piece in pieces)
    tape = Tape(
        candles=candles,
        equity=equity,
        fills=np.concatenate(fills),
        trips=np.concatenate(trips),
        account=Account(cash=float(equity[-1]))._replace(**sums),
        book=empty_book(),
        rejected=rejected,
    )
    question = msgspec.structs.replace(
        spec,
        strategy=wish.search.spec.strategy,
        parameters={"walk": f"{len(pieces)} windows", **spread(windows)},
        start_ts=windows[0].span.test_start,
        end_ts=windows[-1].span.test_end,
    )
    frame = concat([piece.candles.between(one.span.test_start, one.span.test_end)
                    for piece, one in zip(pieces, windows, strict=True)])  # fmt: skip
    manifest = manifest_of(wish, pieces)
    nothing = Signals.holding(np.full(len(frame), np.nan), 0.0)
    return Result(
        run_id=run_id(manifest["hash"]),
        spec=question,
        candles=frame,
        fill_timeframe=pieces[0].fill_timeframe,
        signals=nothing,
        tape=tape,
        metrics=measure(frame, tape, spec.cash),
        manifest=manifest | {"candles": provenance(frame, candles)},
    )


def spread(windows: Sequence[Window]) -> dict[str, str]:
    """Each parameter's lowest and highest value over all windows."""
    found = {}
    for name in windows[0].parameters:
        values = [one.parameters[name] for one in windows]
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        unlike = sorted(set(values)) if numbers else sorted({str(value) for value in values})
        found[name] = f"{unlike[0]} to {unlike[-1]}" if numbers and len(unlike) > 1 else ", ".join(map(str, unlike))
    return found


def manifest_of(wish: WalkWish, pieces: Sequence[Result]) -> dict[str, Any]:
    """What the whole depends on: how it walked, and every piece."""
    import hashlib

    first = pieces[0].manifest
    manifest: dict[str, Any] = {name: first[name] for name in ("engine", "core", "strategy", "versions")}
    manifest["walk"] = hashlib.sha256(msgspec.json.encode(wish, order="deterministic")).hexdigest()
    manifest["pieces"] = [piece.manifest["hash"] for piece in pieces]
    manifest["hash"] = hashlib.sha256(msgspec.json.encode(manifest, order="deterministic")).hexdigest()
    return manifest | {"seed": int(manifest["hash"][:16], 16)}
