"""The books of one run side by side: their bars in common columns, their payments, the rows of their signals."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np

from onetape.backtest.funding import payments
from onetape.backtest.laid import Laid, laid_of, share_key
from onetape.backtest.run import rules_of
from onetape.backtest.used import UNUSED, Used
from onetape.core.bars import Funding
from onetape.core.many import (
    Series,
    lists_of,
)
from onetape.domain.accounts import Rules
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.results import BacktestSpec
from onetape.domain.signals import Signals

RATES: Final = ("stop", "take", "trail", "limit")  # columns of signals that may be absent


class Member(NamedTuple):
    """One book: a bot of a fleet, an instrument of a portfolio. `signals` are acted on from row `first` on; `used` is
    what of the recording orders fill on and what funding is charged."""

    name: str
    spec: BacktestSpec
    frame: CandleFrame  # of the strategy
    fills: CandleFrame  # that orders fill on
    signals: Signals
    first: int
    source_hash: str
    used: Used = UNUSED


def series_of(members: Sequence[Member]) -> tuple[list[Laid], list[Funding], Series]:
    """Bars of all members, those that several use only once, with their payments and their signal rows."""
    unlike: dict[tuple[int, ...], tuple[int, Laid]] = {}
    length = 0
    for member in members:
        key = share_key(member.fills, member.used)
        if key not in unlike:
            unlike[key] = (length, laid_of(member.fills, member.used))
            length += len(unlike[key][1].opens)
    mine = [unlike[share_key(member.fills, member.used)] for member in members]
    laid, all_laid = [one for _, one in mine], [one for _, one in unlike.values()]
    begin, sizes = np.array([start for start, _ in mine]), [len(one.opens) for one in laid]
    due = [payments(member.used.recorded, one.opens) for member, one in zip(members, laid, strict=True)]
    rows = [member.signals.target[member.first :] for member in members]
    brings, rates = rates_of(members)
    sized = any(uses_volume(rules_of(member.spec)) for member in members) or any(o.candle is not None for o in laid)
    with ThreadPoolExecutor(2) as pool:  # most of the time goes into copies, which two can make at once
        ts, *prices = pool.map(np.concatenate, (
            [one.opens for one in all_laid], *([one.prices[i] for one in all_laid] for i in range(4)),
        ))  # fmt: skip
        known = list(pool.map(known_of, members, laid))
    depth_at, depth = depth_of(all_laid)
    return laid, due, Series(
        begin=begin,
        end=begin + np.array(sizes),
        own=lists_of(sizes)[:-1],
        ts=ts, open=prices[0], high=prices[1], low=prices[2], close=prices[3],
        volume=np.concatenate([one.volume for one in all_laid]) if sized else np.empty(0),
        length=length_of(laid, all_laid),
        depth_at=depth_at,
        depth=depth,
        pays=lists_of([len(one.at) for one in due]),
        pay_at=np.concatenate([one.at for one in due]),
        pay_rate=np.concatenate([one.rate for one in due]),
        rows=lists_of([len(one) for one in rows]),
        known=np.concatenate(known),
        target=np.concatenate(rows),
        brings=brings,
        rates=rates,
    )  # fmt: skip


def known_of(member: Member, laid: Laid) -> Ints:
    """For each bar how many signal rows are known when the next one opens. On the strategy's own candles these are
    counted, not looked for."""
    frame, first, n = member.frame, member.first, len(laid.opens)
    at = int(np.searchsorted(frame.ts, laid.opens[0]))
    if laid.candle is None and np.array_equal(frame.ts[at : at + n], laid.opens):
        return np.clip(np.arange(at + 1 - first, at + 1 - first + n), 0, len(frame) - first)
    return np.searchsorted(frame.close_ts[first:], laid.next_opens, side="right")


def rates_of(members: Sequence[Member]) -> tuple[Ints, Floats]:
    """Stop, take, trail and limit of the signals that bring any, and where those of each member begin."""
    brings, found, length = np.full(len(members), -1), [np.empty((0, 4))], 0
    for k, member in enumerate(members):
        if any(len(getattr(member.signals, name)) for name in RATES):
            brings[k] = length
            found.append(np.column_stack([member.signals.column(name)[member.first :] for name in RATES]))
            length += len(found[-1])
    return brings, np.concatenate(found)


def length_of(laid: Sequence[Laid], all_laid: Sequence[Laid]) -> Floats:
    """One for each book, or one for each bar where single trades are among them."""
    if all(one.candle is None for one in laid):
        return np.array([float(one.length[0]) for one in laid])
    return np.concatenate([np.broadcast_to(one.length, len(one.opens)) for one in all_laid])


def depth_of(all_laid: Sequence[Laid]) -> tuple[Ints, Floats]:
    """The recorded books of all, and for each bar which was the last; nothing where none was recorded."""
    if not any(len(one.depth_at) for one in all_laid):
        return np.empty(0, np.int64), np.empty((0, 0, 4))
    at, books, before = [], [], 0
    for one in all_laid:
        mine = one.depth_at if len(one.depth_at) else np.full(len(one.opens), -1)
        at.append(np.where(mine >= 0, mine + before, -1))
        before += len(one.depth)
        books += [one.depth] if len(one.depth) else []
    levels = max((one.shape[1] for one in books), default=0)
    wide = [np.pad(one, ((0, 0), (0, levels - one.shape[1]), (0, 0))) for one in books]
    return np.concatenate(at), np.concatenate(wide) if wide else np.empty((0, 0, 4))


def uses_volume(rules: Rules) -> bool:
    return rules.costs.share_impact + rules.costs.root_impact + rules.execution.share > 0.0
