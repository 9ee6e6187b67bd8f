"""A quoting strategy over the past: what rests is asked for at each of its candles' closes, and the core's loop runs
compiled from one close to the next. Knows core, domain and strategies."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from onetape.backtest.costs import free_of_costs
from onetape.backtest.detail import Piece, pieces
from onetape.backtest.funding import payments
from onetape.backtest.plans import write
from onetape.backtest.run import answered, bars_for, cut, rules_for, tape_of
from onetape.backtest.used import UNUSED, Used, used_of
from onetape.core import loop
from onetape.core.bars import Bars, Funding, fixed
from onetape.core.plan import blank_plan, on_plan
from onetape.core.state import F_BAR, MAX_FILLS, REASONS, SLOTS, empty_book, fill_buffer
from onetape.domain.accounts import Account, Rules
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.results import BacktestSpec, Result, Tape
from onetape.domain.signals import Signals
from onetape.domain.units import Micros, rfc3339
from onetape.strategies.foreign import Foreign
from onetape.strategies.market import Market
from onetape.strategies.quoting import Quote, Quoting, View, prepared
from onetape.strategies.sources import file_of

_EMPTY: Final = fixed(np.empty(0))
_NONE: Final = (_EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY)  # the columns of signals


def run(
    spec: BacktestSpec,
    frame: CandleFrame,
    fill_frame: CandleFrame | None,
    strategy: Quoting,
    source_hash: str = "",
    recorded: Recorded = NOTHING,
) -> Result:
    """As `backtest.run.run`, for orders instead of signals (of which the result has none). Sizing is the strategy's."""
    frame, fills, first = cut(spec, frame, fill_frame, strategy)
    used = used_of(spec, fills, recorded)
    tape = trade(spec, frame, fills, strategy, first, used)
    result = answered(spec, frame, fills, Signals.holding(np.empty(0)), tape, first, source_hash, used)

    def free() -> Tape:
        asked = free_of_costs(spec)
        return trade(asked, frame, fills, strategy, first, used_of(asked, fills, recorded))

    return dataclasses.replace(result, free=free)


def trade(
    spec: BacktestSpec, frame: CandleFrame, fills: CandleFrame, strategy: Quoting, first: int, used: Used = UNUSED
) -> Tape:
    """Asks at the close of each row from `first` on and trades over the candles of `fills`, and over what was recorded
    inside them."""
    asks = Asks(strategy, frame, spec)
    desk = Desk(spec, rules_for(spec, used), len(fills))
    moments: list[Ints] = []
    paid_ts: Micros | None = None
    for piece in stretches(fills, used, desk.rules):
        before = desk.count
        desk.begin(piece.bars, payments(used.recorded, piece.opens, paid_ts))
        for row, end in decisions(asks.closes, piece.next_opens, first):
            desk.go(end)
            desk.rest(asks.plan(row, float(piece.bars.close[end - 1]), desk.account), float(piece.bars.close[end - 1]))
            first = row + 1
        desk.go(len(piece.opens))
        moments.append(desk.settle(piece, before))
        paid_ts = int(piece.opens[-1])
    tape = tape_of(spec, fills, desk.equity, desk.made(), desk.account, desk.book, desk.rejected)
    return tape if used.detail is None else dataclasses.replace(tape, fill_ts=np.concatenate(moments))


def stretches(fills: CandleFrame, used: Used, rules: Rules) -> Iterator[Piece]:
    """The bars that orders fill on: the candles at once, or with the trades and books recorded in them piece by piece.
    They always carry their times, for any quote may bring a lifetime."""
    if used.detail is not None:
        yield from pieces(used.detail)
        return
    bars = bars_for(fills, rules)._replace(ts=fixed(fills.ts))
    yield Piece(bars, fills.ts, np.append(fills.ts[1:], fills.close_ts[-1]), np.arange(len(fills)))


def decisions(closes: Ints, next_opens: Ints, first: int) -> Iterator[tuple[int, int]]:
    """Each row from `first` on that is asked for within a piece, with the number of its bars that are over by the row's
    close. Of rows that close with no bar between them only the last one could rest anything."""
    ends = np.searchsorted(next_opens, closes[first:]) + 1
    known = ends <= len(next_opens)
    rows = np.flatnonzero(known & (np.diff(ends, append=-1) != 0))
    return zip((rows + first).tolist(), ends[rows].tolist(), strict=True)


class Asks:
    """A strategy over its candles: from a row and an account to a plan."""

    def __init__(self, strategy: Quoting, frame: CandleFrame, spec: BacktestSpec) -> None:
        self.closes = frame.close_ts
        self._strategy, self._file, self._terms = strategy, file_of(type(strategy)), spec.terms
        self._columns = prepared(strategy, Market(frame))
        self._plan, self._before = blank_plan(SLOTS), tuple[Quote, ...]()

    def plan(self, row: int, close: float, account: Account) -> Floats:
        """Good until the next one is asked for. Raises BadInput for what cannot be an order."""
        ts = int(self.closes[row])
        values = {name: float(column[row]) for name, column in self._columns.items()}
        quotes = asked(self._strategy, View(ts, close, values, account, self._terms), self._file)
        if quotes != self._before:
            write(self._plan, quotes, self._strategy.name(), ts)
            self._before = quotes
        return self._plan[: len(quotes)]


def asked(strategy: Quoting, view: View, file: Path | None) -> tuple[Quote, ...]:
    """The quotes at one close. Raises BadInput with the line of the strategy's file when it fails."""
    with Foreign(file) as visit:
        return tuple(strategy.quotes(view))
    if isinstance(visit.error, BadInput):
        raise visit.error
    raise BadInput(f"quotes of {strategy.name()} at {rfc3339(view.ts)}", visit.fault, "it fails", "Mend that line.")


class Desk:
    """One account at work: the orders that rest, and what the loop has written so far."""

    bars: Bars
    _funding: Funding

    def __init__(self, spec: BacktestSpec, rules: Rules, candles: int) -> None:
        self.rules = rules
        self.account, self.book = Account(cash=float(spec.cash), peak=float(spec.cash)), empty_book()
        self.equity, self.rejected = np.empty(candles), np.zeros(len(REASONS), np.int64)
        self.count = 0  # fills so far
        self._fills = fill_buffer(max(4_096, candles // 16) + MAX_FILLS)

    def begin(self, bars: Bars, funding: Funding) -> None:
        """These bars follow those before."""
        n = len(bars.close)
        self.bars, self._funding, self._at = bars, funding, (0, 0, self.count, 0)
        self._known, self._curve = np.zeros(n, np.int64), np.empty(n)

    def go(self, end: int) -> None:
        """On to bar `end`."""
        while True:
            self.account, *at = loop.run(
                self.bars, self._known, _NONE, self.account, self.book, self.rules, self._funding, self._at, end,
                self._curve, self._fills, self.rejected,
            )  # fmt: skip
            self._at = (at[0], at[1], at[2], at[3])
            if at[0] >= end:
                break
            self._fills = np.concatenate((self._fills, fill_buffer(len(self._fills))))
        self.count = at[2]

    def rest(self, plan: Floats, close: float) -> None:
        """From now on these orders rest."""
        self.account = on_plan(self.account, self.book, plan, close, self.rules, self.rejected)

    def settle(self, piece: Piece, before: int) -> Ints:
        """Counts by candle what was counted by bar: equity, and fills from `before` on. Gives their times."""
        last = np.flatnonzero(np.append(np.diff(piece.candle) > 0, True))
        self.equity[piece.candle[last]] = self._curve[last]
        bar = self.made()[before:, F_BAR].astype(np.int64)
        self.made()[before:, F_BAR] = piece.candle[bar]
        return piece.opens[bar]

    def made(self) -> Floats:
        """The fills, a view."""
        return self._fills[: self.count]
