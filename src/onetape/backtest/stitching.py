"""What was traded window by window as one run. Each begins with the money that the last one left, and what it still
holds at its end is sold at the last close, at the taker fee."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from onetape.backtest.metrics import measure
from onetape.backtest.provenance import provenance
from onetape.backtest.run import run_id
from onetape.backtest.trades import fill_times
from onetape.backtest.used import combined
from onetape.core.state import F_BAR, empty_book
from onetape.core.stats import T_ENTRY, T_EXIT, T_FEES, T_OPEN, T_PROFIT, T_ROLE
from onetape.domain.accounts import Account
from onetape.domain.frame import concat
from onetape.domain.orders import Role
from onetape.domain.results import BacktestSpec, Result, Tape
from onetape.domain.signals import Signals
from onetape.domain.walkforward import WalkWish, Window

SUMMED: Final = ("realised", "fees", "slippage", "funding", "delay")


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
        fill_ts=np.concatenate([fill_times(piece.tape) for piece in pieces]),
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
    data = combined([(piece.data, piece.tape.candles) for piece in pieces])
    manifest |= {"detail": msgspec.to_builtins(data)} if data else {}
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
        data=data,
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
    first = pieces[0].manifest
    manifest: dict[str, Any] = {name: first[name] for name in ("engine", "core", "strategy", "versions")}
    manifest["walk"] = hashlib.sha256(msgspec.json.encode(wish, order="deterministic")).hexdigest()
    manifest["pieces"] = [piece.manifest["hash"] for piece in pieces]
    manifest["hash"] = hashlib.sha256(msgspec.json.encode(manifest, order="deterministic")).hexdigest()
    return manifest | {"seed": int(manifest["hash"][:16], 16)}
