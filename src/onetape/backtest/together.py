"""Several books of one run: their candles in common columns, and what came out, for each and for the whole."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from onetape.backtest.index import index_of
from onetape.backtest.metrics import measure
from onetape.backtest.provenance import provenance
from onetape.backtest.run import known_rows, manifest_of, rules_of, run_id, span_of
from onetape.core.fleet import COMMON_LIMIT, F_BOOK, FILL_WIDTH, Series
from onetape.core.state import F_BAR, F_FEE, F_PRICE, F_QTY, F_SIDE, F_WIDTH, MAX_FILLS, REASONS, empty_book
from onetape.core.stats import T_ENTRY, T_EXIT, T_WIDTH, round_trips
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.report import Book
from onetape.domain.results import BacktestSpec, Result, Tape
from onetape.domain.signals import Signals
from onetape.domain.units import Micros, Money, Timeframe

REJECTED: Final = (*REASONS, "more than all bots together may have")


class Member(NamedTuple):
    """One book: a bot of a fleet, an instrument of a portfolio. `signals` are acted on from row `first` on."""

    name: str
    spec: BacktestSpec
    frame: CandleFrame  # of the strategy
    fills: CandleFrame  # that orders fill on
    signals: Signals
    first: int
    source_hash: str


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Group:
    """What several books did together. `whole` is a result like any other, its candles an index of their markets,
    equally weighted, 100 at the beginning; `members` are the books' own, by name."""

    whole: Result
    members: dict[str, Result]


class Wrote(NamedTuple):
    """What the kernel wrote down."""

    accounts: Floats
    books: Floats
    fills: Floats  # float64[n, FILL_WIDTH]
    whole: Floats  # float64[g, 2]: open time, equity of all
    rejected: Ints


def series_of(members: Sequence[Member], columns: Sequence[Floats]) -> Series:
    """Candles of all members, those that several use only once; `columns` float64[m, 5] are their signal rows."""
    unlike: dict[int, tuple[int, CandleFrame]] = {}
    length = 0
    for member in members:
        if id(member.fills) not in unlike:
            unlike[id(member.fills)] = (length, member.fills)
            length += len(member.fills)
    frames = [frame for _, frame in unlike.values()]
    begin = np.array([unlike[id(member.fills)][0] for member in members])
    sizes = np.array([len(member.fills) for member in members])
    known = [known_rows(member.fills, member.frame.close_ts[member.first :]) for member in members]
    sized = any(uses_volume(rules_of(member.spec)) for member in members)
    return Series(
        begin=begin,
        end=begin + sizes,
        own=np.concatenate(([0], np.cumsum(sizes)))[:-1],
        ts=np.concatenate([frame.ts for frame in frames]),
        open=np.concatenate([frame.open for frame in frames]),
        high=np.concatenate([frame.high for frame in frames]),
        low=np.concatenate([frame.low for frame in frames]),
        close=np.concatenate([frame.close for frame in frames]),
        volume=np.concatenate([frame.volume for frame in frames]) if sized else np.empty(0),
        length=np.array([float(member.fills.timeframe.micros) for member in members]),
        funding=np.empty(0),
        rows=np.concatenate(([0], np.cumsum([len(rows) for rows in columns]))).astype(np.int64),
        known=np.concatenate(known),
        signals=np.ascontiguousarray(np.concatenate(list(columns))) if len(columns) else np.empty((0, 5)),
    )


def uses_volume(rules: Rules) -> bool:
    return rules.costs.share_impact + rules.costs.root_impact + rules.execution.share > 0.0


def columns_of(signals: Signals, first: int) -> Floats:
    """float64[m, 5]: target, stop, take, trail, limit of the rows from `first` on."""
    names = ("target", "stop", "take", "trail", "limit")
    return np.column_stack([signals.column(name)[first:] for name in names])


def room_for(members: Sequence[Member]) -> Floats:
    """Rows for fills, to begin with."""
    return np.empty((65_536 + MAX_FILLS * len(members), FILL_WIDTH))


def books_of(members: Sequence[Member]) -> Floats:
    return np.stack([empty_book() for _ in members])


def group_of(name: str, spec: BacktestSpec, members: Sequence[Member], cash: Money, wrote: Wrote) -> Group:
    """The results of what was written. `cash` is what all had at the start."""
    results = {member.name: result_of(k, member, wrote) for k, member in enumerate(members)}
    return Group(whole_of(name, spec, members, cash, wrote, list(results.values())), results)


def result_of(k: int, member: Member, wrote: Wrote) -> Result:
    """One member's own result: its fills from its own cash, whoever else used the account."""
    fills = np.ascontiguousarray(wrote.fills[wrote.fills[:, F_BOOK] == k, :F_WIDTH])
    start, last = member.spec.cash, member.fills
    trips = np.empty((len(fills) + 1, T_WIDTH))
    count = round_trips(fills, len(last) - 1, float(last.close[-1]), member.spec.terms.lot, trips)
    equity = own_equity(fills, last.close, start)
    account = Account(*wrote.accounts[k])._replace(cash=float(equity[-1] - wrote.accounts[k, 1] * last.close[-1]))
    rejected = {REJECTED[i]: int(wrote.rejected[k, i]) for i in np.flatnonzero(wrote.rejected[k])}
    tape = Tape(last, equity, fills, trips[:count], account, wrote.books[k], rejected)
    manifest = manifest_of(member.spec, member.frame, last, member.source_hash)
    return Result(
        run_id=run_id(manifest["hash"]),
        spec=member.spec,
        candles=member.frame,
        fill_timeframe=str(last.timeframe),
        signals=member.signals,
        tape=tape,
        metrics=measure(member.frame, tape, start),
        manifest=manifest | {"candles": provenance(member.frame, last)},
    )


def own_equity(fills: Floats, closes: Floats, cash: Money) -> Floats:
    """The equity at each close that fills alone make of a cash."""
    paid, held = np.zeros(len(closes)), np.zeros(len(closes))
    at = fills[:, F_BAR].astype(np.int64)
    signed = fills[:, F_SIDE] * fills[:, F_QTY]
    np.add.at(paid, at, -signed * fills[:, F_PRICE] - fills[:, F_FEE])
    np.add.at(held, at, signed)
    equity: Floats = cash + np.cumsum(paid) + np.cumsum(held) * closes
    return equity


def whole_of(
    name: str, spec: BacktestSpec, members: Sequence[Member], cash: Money, wrote: Wrote, results: Sequence[Result]
) -> Result:
    """All members as one run."""
    ts = wrote.whole[:, 0].astype(np.int64)
    index = index_of([member.fills for member in members], ts)
    trips = np.concatenate([moved(result, ts) for result in results])
    order = np.argsort(trips[:, T_EXIT], kind="stable")
    trips = trips[order]
    owners = np.repeat([member.name for member in members], [len(result.tape.trips) for result in results])[order]
    rejected: dict[str, int] = {}
    for result in results:
        for reason, times in result.tape.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + times
    sums = wrote.accounts.sum(axis=0)
    equity = wrote.whole[:, 1].copy()
    names = Account._fields
    added = {field: float(sums[names.index(field)]) for field in ("realised", "fees", "slippage", "funding", "delay")}
    account = Account(cash=float(equity[-1]))._replace(**added)
    tape = Tape(index, equity, fills_of(members, wrote, ts), trips, account, empty_book(), rejected)
    manifest = whole_manifest(spec, members, results)
    empty = np.empty(0)
    return Result(
        run_id=run_id(manifest["hash"]),
        spec=msgspec.structs.replace(
            spec, strategy=name, symbol=joined(m.fills.symbol for m in members),
            exchange=joined(m.fills.exchange for m in members),
        ),
        candles=index,
        fill_timeframe=str(index.timeframe),
        signals=Signals(empty, empty),
        tape=tape,
        metrics=measure(index, tape, cash) | {"exposure": share_held(trips, len(ts))},
        manifest=manifest,
        books=[book_of(member, result) for member, result in zip(members, results, strict=True)],
        owners=owners.tolist(),
    )  # fmt: skip


def joined(names: Iterable[str]) -> str:
    return "+".join(sorted(set(names)))


def book_of(member: Member, result: Result) -> Book:
    return Book(
        name=member.name,
        strategy=member.spec.strategy,
        exchange=member.fills.exchange,
        symbol=member.fills.symbol,
        timeframe=member.spec.timeframe,
        metrics=result.metrics,
        rejected=result.tape.rejected,
    )


def fills_of(members: Sequence[Member], wrote: Wrote, ts: Ints) -> Floats:
    """All fills, their candles those of the index."""
    made = np.ascontiguousarray(wrote.fills[:, :F_WIDTH])
    books = wrote.fills[:, F_BOOK].astype(np.int64)
    for k, member in enumerate(members):
        mine = books == k
        made[mine, F_BAR] = np.searchsorted(ts, member.fills.ts[made[mine, F_BAR].astype(np.int64)])
    return made


def moved(result: Result, ts: Ints) -> Floats:
    """A member's round trips with the index' candles in place of its own."""
    trips = result.tape.trips.copy()
    for column in (T_ENTRY, T_EXIT):
        trips[:, column] = np.searchsorted(ts, result.tape.ts[trips[:, column].astype(np.int64)])
    return trips


def share_held(trips: Floats, bars: int) -> float:
    """The share of the candles at whose close anything was held."""
    change = np.zeros(bars + 1)
    np.add.at(change, trips[:, T_ENTRY].astype(np.int64), 1.0)
    np.add.at(change, trips[:, T_EXIT].astype(np.int64), -1.0)
    return float(np.count_nonzero(np.cumsum(change[:bars]) > 0.5) / bars) if bars else 0.0


def whole_manifest(spec: BacktestSpec, members: Sequence[Member], results: Sequence[Result]) -> dict[str, Any]:
    """What the whole depends on: the common question, and what each member does. `books` is what is needed to ask all
    of it again."""
    parts = [result.manifest for result in results]
    manifest: dict[str, Any] = {name: parts[0][name] for name in ("engine", "core", "versions")}
    manifest["spec"] = hashlib.sha256(msgspec.json.encode(spec, order="deterministic")).hexdigest()
    manifest["members"] = [part["hash"] for part in parts]
    manifest["hash"] = hashlib.sha256(msgspec.json.encode(manifest, order="deterministic")).hexdigest()
    return manifest | {
        "seed": int(manifest["hash"][:16], 16),
        "strategy": all_of(part["strategy"] for part in parts),
        "data": all_of(part["data"] for part in parts),
        "books": [asked(member) for member in members],
    }


def all_of(hashes: Iterable[str]) -> str:
    return hashlib.sha256("+".join(hashes).encode()).hexdigest()[:32]


def asked(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "spec": msgspec.to_builtins(member.spec),
        "strategy": member.source_hash,
        "fill_timeframe": str(member.fills.timeframe),
        "span": span_of(member.frame, member.fills),
    }


def longest(members: Sequence[Member]) -> int:
    """No more candles than these can close at different times."""
    return sum(len(frame) for frame in {id(member.fills): member.fills for member in members}.values())


def finest(members: Sequence[Member]) -> Timeframe:
    return min((member.fills.timeframe for member in members), key=lambda timeframe: timeframe.micros)


def span(members: Sequence[Member]) -> tuple[Micros, Micros]:
    """From the first candle's open to the last one's close."""
    return min(int(m.fills.ts[0]) for m in members), max(int(m.fills.close_ts[-1]) for m in members)


__all__ = ["COMMON_LIMIT", "Group", "Member", "Wrote", "group_of", "series_of"]
