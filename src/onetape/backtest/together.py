"""Several books of one run: their candles in common columns, and what came out, for each and for the whole."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from onetape.backtest.costs import free_of_costs
from onetape.backtest.index import index_of
from onetape.backtest.laid import Laid
from onetape.backtest.metrics import measure
from onetape.backtest.provenance import provenance
from onetape.backtest.run import manifest_of, run_id, span_of
from onetape.backtest.series import Member, series_of
from onetape.backtest.used import combined, recorded_hash, told, used_of
from onetape.core.bars import Funding
from onetape.core.fleet import run_together
from onetape.core.many import (
    F_BOOK,
    FILL_WIDTH,
    MADE,
    TOLD,
    Aim,
    CommonLimits,
    going,
    no_aim,
)
from onetape.core.state import F_BAR, F_FEE, F_PRICE, F_QTY, F_SIDE, F_WIDTH, MAX_FILLS, REASONS, empty_book
from onetape.core.stats import T_ENTRY, T_EXIT, T_WIDTH, round_trips
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats, Ints
from onetape.domain.report import Book
from onetape.domain.results import BacktestSpec, Result, Tape
from onetape.domain.signals import Signals
from onetape.domain.units import Micros, Money, Timeframe

REJECTED: Final = (*REASONS, "more than all bots together may have")


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Group:
    """What several books did together. `whole` is a result like any other, its candles an index of their markets,
    equally weighted, 100 at the beginning; `members` are the books' own, by name."""

    whole: Result
    members: dict[str, Result]


class Wrote(NamedTuple):
    """What the kernel wrote down, counted by candle. `moments` are the times of the fills, None where they are those of
    their candles; `paid` are each member's funding payments at its candles."""

    accounts: Floats
    books: Floats
    fills: Floats  # float64[n, FILL_WIDTH]
    whole: Floats  # float64[g, 2]: open time, equity of all
    rejected: Ints
    moments: Ints | None
    paid: list[Floats]


def traded(
    members: Sequence[Member], rules: Sequence[Rules], accounts: Sequence[Account], limits: CommonLimits, shared: bool,
    cash: Money, aim: Aim | None = None,
) -> Wrote:  # fmt: skip
    """All books in time order, from the first bar to the last. `cash` is what all have at the start."""
    laid, due, series = series_of(members)
    books = np.stack([empty_book() for _ in members])
    now = going(series, accounts, rules, books, cash, sum(len(one.opens) for one in {id(x): x for x in laid}.values()))
    fills = np.empty((65_536 + MAX_FILLS * len(members), FILL_WIDTH))
    while not run_together(series, limits, shared, aim or no_aim(), now, fills):
        fills = np.concatenate((fills, np.empty_like(fills)))
    made, whole = fills[: now.counts[MADE]], now.whole[: now.counts[TOLD]]
    paid = [payments_of(one, funding, made[made[:, F_BOOK] == k], member)
            for k, (one, funding, member) in enumerate(zip(laid, due, members, strict=True))]  # fmt: skip
    moments = None
    if any(one.candle is not None for one in laid):
        moments, whole = by_candle(laid, made), at_candles(members, whole)
    return Wrote(now.accounts, now.books, made, whole, now.rejected, moments, paid)


def with_twin(go: Callable[[Sequence[Member]], Group], members: Sequence[Member]) -> Group:
    """What the members do, and for a report that asks for it what the very same ones do where nothing costs."""

    @cache
    def free() -> Group:
        return go([free_member(member) for member in members])

    group = go(members)
    own = {name: dataclasses.replace(result, free=partial(tape_in, free, name))
           for name, result in group.members.items()}  # fmt: skip
    return Group(dataclasses.replace(group.whole, free=lambda: free().whole.tape), own)


def tape_in(free: Callable[[], Group], name: str) -> Tape:
    return free().members[name].tape


def free_member(member: Member) -> Member:
    asked = free_of_costs(member.spec)
    return member._replace(spec=asked, used=used_of(asked, member.fills, member.used.recorded))


def payments_of(laid: Laid, due: Funding, fills: Floats, member: Member) -> Floats:
    """The funding that a member paid at each of its candles: what it held before the bar, at the bar's open."""
    paid = np.zeros(len(member.fills))
    if len(due.at):
        signed = np.concatenate(([0.0], np.cumsum(fills[:, F_SIDE] * fills[:, F_QTY])))
        held = signed[np.searchsorted(fills[:, F_BAR], due.at, side="left")]
        np.add.at(paid, laid.candles(due.at), held * laid.prices[0][due.at] * due.rate)
    return paid


def by_candle(laid: Sequence[Laid], fills: Floats) -> Ints:
    """Gives the times of the fills, and counts them by candle from here on."""
    moments = np.empty(len(fills), np.int64)
    for k, one in enumerate(laid):
        mine = fills[:, F_BOOK] == k
        bars = fills[mine, F_BAR].astype(np.int64)
        moments[mine] = one.opens[bars]
        fills[mine, F_BAR] = one.candles(bars)
    return moments


def at_candles(members: Sequence[Member], whole: Floats) -> Floats:
    """The equity of all at the last bar before each candle is over."""
    opens = np.unique(np.concatenate([member.fills.ts for member in members]))
    last = np.append(np.searchsorted(whole[:, 0], opens[1:], side="left") - 1, len(whole) - 1)
    return np.column_stack((opens.astype(np.float64), whole[last, 1]))


def group_of(name: str, spec: BacktestSpec, members: Sequence[Member], cash: Money, wrote: Wrote) -> Group:
    """The results of what was written. `cash` is what all had at the start."""
    results = {member.name: result_of(k, member, wrote) for k, member in enumerate(members)}
    return Group(whole_of(name, spec, members, cash, wrote, list(results.values())), results)


def result_of(k: int, member: Member, wrote: Wrote) -> Result:
    """One member's own result: its fills from its own cash, whoever else used the account."""
    mine = wrote.fills[:, F_BOOK] == k
    fills = np.ascontiguousarray(wrote.fills[mine, :F_WIDTH])
    start, last = member.spec.cash, member.fills
    trips = np.empty((len(fills) + 1, T_WIDTH))
    count = round_trips(fills, len(last) - 1, float(last.close[-1]), member.spec.terms.lot, trips)
    equity = own_equity(fills, last.close, start) - np.cumsum(wrote.paid[k])
    account = Account(*wrote.accounts[k])._replace(cash=float(equity[-1] - wrote.accounts[k, 1] * last.close[-1]))
    rejected = {REJECTED[i]: int(wrote.rejected[k, i]) for i in np.flatnonzero(wrote.rejected[k])}
    moments = None if wrote.moments is None else wrote.moments[mine]
    tape = Tape(last, equity, fills, trips[:count], account, wrote.books[k], rejected, moments)
    manifest = manifest_of(member.spec, member.frame, last, member.source_hash, recorded_hash(member.used))
    return Result(
        run_id=run_id(manifest["hash"]),
        spec=member.spec,
        candles=member.frame,
        fill_timeframe=str(last.timeframe),
        signals=member.signals,
        tape=tape,
        metrics=measure(member.frame, tape, start),
        manifest=manifest | told(member.used) | {"candles": provenance(member.frame, last)},
        data=member.used.told,
        recorded=member.used.recorded,
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
    tape = Tape(index, equity, fills_of(members, wrote, ts), trips, account, empty_book(), rejected, wrote.moments)
    data = combined([(member.used.told, member.fills) for member in members])
    manifest = whole_manifest(spec, members, results) | ({"detail": msgspec.to_builtins(data)} if data else {})
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
        data=data,
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


def finest(members: Sequence[Member]) -> Timeframe:
    return min((member.fills.timeframe for member in members), key=lambda timeframe: timeframe.micros)


def span(members: Sequence[Member]) -> tuple[Micros, Micros]:
    """From the first candle's open to the last one's close."""
    return min(int(m.fills.ts[0]) for m in members), max(int(m.fills.close_ts[-1]) for m in members)


__all__ = ["Group", "Member", "Wrote", "group_of"]
