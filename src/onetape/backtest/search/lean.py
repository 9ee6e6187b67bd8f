"""The figures of one trial without its trades: nothing is kept of a run but sums, in arrays that trials share."""

from __future__ import annotations

import threading
from typing import Any, Final

import numpy as np

from onetape.backtest.funding import payments
from onetape.backtest.metrics import Metrics, Totals, day_ends, figures, of_days
from onetape.backtest.run import bars_for, known_rows, rules_of
from onetape.core import stats
from onetape.core.bars import fixed
from onetape.core.state import empty_book
from onetape.core.sweep import Room, room_for, summed
from onetape.domain.accounts import Account
from onetape.domain.frame import CandleFrame, Floats, Ints
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.results import BacktestSpec
from onetape.domain.signals import Signals
from onetape.domain.units import Money

_SAME: Final[Ints] = fixed(np.empty(0, np.int64))
_NO_DAYS: Final[Floats] = np.empty(0)


class Lean:
    """Trades signals over candles that never change, and pays what funding was recorded. Threads may use it together.

    The candles have one length, and no order book lies beside them.
    """

    def __init__(
        self, spec: BacktestSpec, frame: CandleFrame, fills: CandleFrame, recorded: Recorded = NOTHING
    ) -> None:
        self._cash, self._rules, self._fills, self._frame = float(spec.cash), rules_of(spec), fills, frame
        self._bars, self._days = bars_for(fills, self._rules), (fixed(fills.ts), fixed(day_ends(fills)))
        self._known = _SAME if frame is fills else known_rows(fills, frame.close_ts)
        self._funding = payments(recorded, fills.ts)
        self._period = int(fills.ts[-1]) + fills.timeframe.micros - int(fills.ts[0])
        self._here = threading.local()

    def trade(self, signals: Signals, first: int) -> tuple[Metrics, Floats]:
        """What `backtest.metrics.figures` makes of trading the rows from `first` on, and the daily returns."""
        skipped = first if len(self._known) else 0  # a row before the first one would be taken for said
        columns: Any = tuple(
            fixed(column[skipped:])
            for column in (signals.target, signals.stop, signals.take, signals.trail, signals.limit)
        )
        known = fixed(np.maximum(self._known - skipped, 0)) if len(self._known) else _SAME
        account, room = Account(cash=self._cash, peak=self._cash), self._room()
        account, final, still_open = summed(
            self._bars, self._days, known, columns, account, empty_book(), self._rules, self._funding,
            (self._start(first), first - skipped), room,
        )  # fmt: skip
        closes = room.closes
        days = closes[1:] / closes[:-1] - 1.0 if closes.min() > 0.0 else _NO_DAYS
        return figures(self._totals(Account(*account), final, still_open, room), of_days(days)), days

    def _start(self, first: int) -> int:
        """The first fill candle that is traded, as `backtest.run.simulate` has it."""
        if self._fills.timeframe != self._frame.timeframe:
            return 0
        return int(np.searchsorted(self._fills.ts, self._frame.ts[first]))

    def _room(self) -> Room:
        room: Room | None = getattr(self._here, "room", None)
        if room is None:
            room = self._here.room = room_for(len(self._days[1]), len(self._funding.at))
        return room

    def _totals(self, account: Account, final: Money, still_open: int, room: Room) -> Totals:
        return Totals(
            cash=self._cash,
            final=float(final),
            fees=float(account.fees),
            slippage=float(account.slippage),
            period=self._period,
            bars=len(self._fills),
            held=stats.held_until(room.held, len(self._fills)),
            drop=float(room.fall[stats.D_WORST]),
            trips=room.judged.tolist(),
            open_trips=still_open,
        )
