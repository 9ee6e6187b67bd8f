"""A quoting strategy over the past: what rests is asked for at each of its candles' closes, and the core's loop runs
compiled from one close to the next. Knows core, domain and strategies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from onetape.backtest.detail import CANDLES
from onetape.backtest.funding import payments
from onetape.backtest.plans import write
from onetape.backtest.run import answered, bars_for, cut, rules_of, tape_of
from onetape.backtest.used import UNUSED, Used, used_of
from onetape.core import loop
from onetape.core.bars import Bars, fixed, funding_of
from onetape.core.plan import blank_plan, on_plan
from onetape.core.state import MAX_FILLS, REASONS, SLOTS, empty_book, fill_buffer
from onetape.domain.accounts import Account, Rules
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, Floats
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.results import BacktestSpec, Result, Tape
from onetape.domain.signals import Signals
from onetape.domain.units import Money, rfc3339
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
    rates = msgspec.structs.replace(spec, detail=CANDLES)  # what rests is asked for candle by candle
    used = used_of(rates, fills, recorded)
    tape = trade(spec, frame, fills, strategy, first, used)
    return answered(spec, frame, fills, Signals.holding(np.empty(0)), tape, first, source_hash, used)


def trade(
    spec: BacktestSpec, frame: CandleFrame, fills: CandleFrame, strategy: Quoting, first: int, used: Used = UNUSED
) -> Tape:
    """Asks at the close of each row from `first` on and trades over the candles of `fills`."""
    columns = prepared(strategy, Market(frame))
    rules, closes = rules_of(spec), frame.close_ts
    # any quote may bring a lifetime, so the candles always carry their times
    desk = Desk(bars_for(fills, rules)._replace(ts=fixed(fills.ts)), rules, spec.cash)
    desk.funding = payments(used.recorded, fills.ts)
    plan, before = blank_plan(SLOTS), tuple[Quote, ...]()
    file = file_of(type(strategy))
    for row, end in decisions(frame, fills, first):
        desk.go(end)
        last = float(desk.bars.close[end - 1])
        values = {name: float(column[row]) for name, column in columns.items()}
        quotes = asked(strategy, View(int(closes[row]), last, values, desk.account, spec.terms), file)
        if quotes != before:
            write(plan, quotes, strategy.name(), int(closes[row]))
            before = quotes
        desk.rest(plan[: len(quotes)], last)
    desk.go(len(fills))
    return tape_of(spec, fills, desk.equity, desk.made(), desk.account, desk.book, desk.rejected)


def decisions(frame: CandleFrame, fills: CandleFrame, first: int) -> Iterator[tuple[int, int]]:
    """Each row that is asked for, with the number of fill candles that are over by its close. Of rows that close with
    no fill candle between them only the last one could rest anything."""
    closes = frame.close_ts[first:]
    ends = np.searchsorted(np.append(fills.ts[1:], fills.close_ts[-1]), closes) + 1
    known = ends <= len(fills)
    rows = np.flatnonzero(known & (np.diff(ends, append=-1) != 0))
    return zip((rows + first).tolist(), ends[rows].tolist(), strict=True)


def asked(strategy: Quoting, view: View, file: Path | None) -> tuple[Quote, ...]:
    """The quotes at one close. Raises BadInput with the line of the strategy's file when it fails."""
    with Foreign(file) as visit:
        return tuple(strategy.quotes(view))
    if isinstance(visit.error, BadInput):
        raise visit.error
    raise BadInput(f"quotes of {strategy.name()} at {rfc3339(view.ts)}", visit.fault, "it fails", "Mend that line.")


class Desk:
    """One account at work: the orders that rest, and what the loop has written so far."""

    def __init__(self, bars: Bars, rules: Rules, cash: Money) -> None:
        n = len(bars.close)
        self.bars, self.rules = bars, rules
        self.account, self.book = Account(cash=float(cash), peak=float(cash)), empty_book()
        self.equity, self.rejected = np.empty(n), np.zeros(len(REASONS), np.int64)
        self._known, self.funding = np.zeros(n, np.int64), funding_of()
        self._fills = fill_buffer(max(4_096, n // 16) + MAX_FILLS)
        self._at = (0, 0, 0, 0)

    def go(self, end: int) -> None:
        """On to fill candle `end`."""
        while True:
            self.account, *at = loop.run(
                self.bars, self._known, _NONE, self.account, self.book, self.rules, self.funding, self._at, end,
                self.equity, self._fills, self.rejected,
            )  # fmt: skip
            self._at = (at[0], at[1], at[2], at[3])
            if at[0] >= end:
                return
            self._fills = np.concatenate((self._fills, fill_buffer(len(self._fills))))

    def rest(self, plan: Floats, close: float) -> None:
        """From now on these orders rest."""
        self.account = on_plan(self.account, self.book, plan, close, self.rules, self.rejected)

    def made(self) -> Floats:
        return self._fills[: self._at[2]]
