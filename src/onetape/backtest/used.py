"""What of a recording a run uses, and how that is told: trades and books by the detail that was asked for, funding
rates where they are charged."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from onetape.backtest.detail import Detail, detail_of, shares
from onetape.backtest.funding import PERPETUAL, counts
from onetape.domain.frame import CandleFrame
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.report import DataUsed
from onetape.domain.results import BacktestSpec


class Used(NamedTuple):
    """`detail` is None where every order fills on candles alone and no order book is known."""

    recorded: Recorded
    detail: Detail | None
    told: DataUsed | None


UNUSED: Final = Used(NOTHING, None, None)


def used_of(spec: BacktestSpec, fills: CandleFrame, recorded: Recorded) -> Used:
    """For a run over these fill candles."""
    start_ts, end_ts = int(fills.ts[0]), int(fills.rows(len(fills) - 1, len(fills)).close_ts[0])
    if not spec.funding:
        recorded = dataclasses.replace(recorded, funding_ts=NOTHING.funding_ts, funding_rate=NOTHING.funding_rate)
    detail = detail_of(fills, recorded, spec.detail) if len(recorded.print_ts) + len(recorded.depth_ts) else None
    if detail is not None and not detail.books and not detail.fine.any():
        detail = None
    prints, books = shares(detail) if detail is not None else (0.0, 0.0)
    paid, missing = counts(recorded, start_ts, end_ts) if spec.funding else (0, 0)
    told = DataUsed(
        timeframe=str(fills.timeframe),
        prints_share=prints,
        books_share=books,
        prints=int((detail.end - detail.begin)[detail.fine].sum()) if detail is not None else 0,
        funding=paid,
        funding_missing=missing,
        notes=notes(spec, fills, prints, (paid, missing), recorded.trouble),
    )
    return Used(recorded, detail, told)


def paying(spec: BacktestSpec, fills: CandleFrame, recorded: Recorded) -> Used:
    """Of what was recorded the funding alone: for the many runs of a search, whose orders fill on candles."""
    rates = Recorded(
        funding_ts=recorded.funding_ts, funding_rate=recorded.funding_rate, funding_every=recorded.funding_every
    )
    return used_of(msgspec.structs.replace(spec, detail="candles"), fills, rates)


def combined(parts: Sequence[tuple[DataUsed | None, CandleFrame]]) -> DataUsed | None:
    """Of several runs that are told as one, each with its fill candles: shares by the time of all of them together."""
    known = [(told, len(fills) * fills.timeframe.micros) for told, fills in parts if told is not None]
    whole = sum(length for _, length in known)
    if not whole:
        return None
    return DataUsed(
        timeframe=", ".join(sorted({told.timeframe for told, _ in known})),
        prints_share=sum(told.prints_share * length for told, length in known) / whole,
        books_share=sum(told.books_share * length for told, length in known) / whole,
        prints=sum(told.prints for told, _ in known),
        funding=sum(told.funding for told, _ in known),
        funding_missing=sum(told.funding_missing for told, _ in known),
        notes=list(dict.fromkeys(note for told, _ in known for note in told.notes)),
    )


def notes(
    spec: BacktestSpec, fills: CandleFrame, prints: float, payments: tuple[int, int], trouble: str = ""
) -> list[str]:
    """What a person should know of the data before believing the result."""
    paid, missing = payments
    found = [f"{trouble} So no recorded trade, book or rate was used."] if trouble else []
    if fills.symbol.endswith(PERPETUAL):
        if not spec.funding:
            found.append(f"{fills.symbol} pays funding, and none was charged (--funding off).")
        elif not paid:
            found.append(f"{fills.symbol} pays funding, but no rate of this time is recorded: none was charged.")
        elif missing:
            found.append(f"{missing:,} of {paid + missing:,} funding payments have no recorded rate and were left out.")
    if spec.detail == "prints" and not prints:
        found.append("No candle of this time has all of its trades recorded: all orders filled on candles.")
    if spec.limits.leverage:
        found.append(
            f"Positions are liquidated at a maintenance margin of {100 * spec.terms.maintenance:g} % of their value."
        )
    return found


def recorded_hash(used: Used) -> str:
    """Of all that the answer depends on beside the candles; empty = of nothing."""
    there, parts = used.recorded, [used.recorded.funding_ts, used.recorded.funding_rate]
    if used.detail is not None:
        parts += [there.print_ts, there.price, there.qty]
        if used.detail.books:
            parts += [there.depth_ts, there.depth]
    if not any(len(part) for part in parts):
        return ""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:32]


def told(used: Used) -> dict[str, Any]:
    """For the manifest, and with it for stored runs."""
    return {} if used.told is None else {"detail": msgspec.to_builtins(used.told)}


def rows(used: DataUsed) -> list[tuple[str, str]]:
    """What orders filled on and what was charged, row by row, as every report shows it."""
    found = [(f"Candles of {used.timeframe}", f"{100 * used.candles_share:.3g} % of the time")]
    if used.prints_share:
        found.append(("Single trades", f"{100 * used.prints_share:.3g} % of the time, {used.prints:,} of them"))
    if used.books_share:
        found.append(("Recorded order book", f"{100 * used.books_share:.3g} % of the time, beside them"))
    if used.funding or used.funding_missing:
        missing = f", {used.funding_missing:,} have no recorded rate" if used.funding_missing else ""
        found.append(("Funding payments", f"{used.funding:,} recorded{missing}"))
    return found


def told_line(used: DataUsed) -> str:
    """`rows` in one line."""
    return "; ".join(f"{name.lower()} {text}" for name, text in rows(used))


def line(manifest: dict[str, Any]) -> str:
    """`33.3 % of the time single trades (4 of them), 5 % with an order book`; empty where candles were all."""
    found = manifest.get("detail") or {}
    parts = []
    if found.get("prints_share"):
        parts.append(f"{100 * found['prints_share']:.3g} % of the time single trades ({found['prints']:,})")
    if found.get("books_share"):
        parts.append(f"{100 * found['books_share']:.3g} % with a recorded order book")
    if found.get("funding"):
        parts.append(f"{found['funding']:,} funding payments")
    return ", ".join(parts)
