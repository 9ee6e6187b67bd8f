"""The compiled loop at work on one account: over all bars at once, or over one piece of them after the other."""

from __future__ import annotations

import numpy as np

from onetape.backtest.detail import pieces
from onetape.backtest.funding import payments
from onetape.backtest.used import Used
from onetape.core import loop
from onetape.core.bars import Bars, Funding
from onetape.core.state import F_BAR, REASONS, empty_book, fill_buffer
from onetape.domain.accounts import Account, Rules
from onetape.domain.frame import Floats, Ints
from onetape.domain.units import Money

Columns = tuple[Floats, Floats, Floats, Floats, Floats]


class Hand:
    """An account with its orders, and what was written of it so far."""

    def __init__(self, cash: Money, columns: Columns, rules: Rules, buffer: Floats) -> None:
        self.account, self.book = Account(cash=float(cash), peak=float(cash)), empty_book()
        self.rules, self.rejected = rules, np.zeros(len(REASONS), np.int64)
        self.count = 0  # fills so far
        self._columns, self._fills, self._row = columns, buffer, 0

    def go(self, bars: Bars, known: Ints, funding: Funding, equity: Floats) -> None:
        """Over all of these bars, which follow those before."""
        n, at = len(bars.close), (0, self._row, self.count, 0)
        while True:
            self.account, *where = loop.run(
                bars, known, self._columns, self.account, self.book, self.rules, funding, at, n, equity, self._fills,
                self.rejected,
            )  # fmt: skip
            at = (where[0], where[1], where[2], where[3])
            if at[0] == n:
                break
            self._fills = np.concatenate((self._fills, fill_buffer(len(self._fills))))
        self._row, self.count = at[1], at[2]

    def made(self) -> Floats:
        """The fills, a view."""
        return self._fills[: self.count]


def in_pieces(hand: Hand, used: Used, skipped: int, signal_close_ts: Ints, equity: Floats) -> Ints:
    """Trades over the candles from `skipped` on, with single trades where they are complete and books where they are
    recorded. Writes the equity at each candle's close; fills are counted by candle. Gives the time of each fill."""
    detail = used.detail
    assert detail is not None
    if detail.fine.any():  # single trades tell how far the queue before a limit has moved
        hand.rules = hand.rules._replace(execution=hand.rules.execution._replace(queue=1.0))
    moments: list[Ints] = []
    paid_ts: int | None = None
    for piece in pieces(detail, skipped):
        curve, before = np.empty(len(piece.opens)), hand.count
        known = np.searchsorted(signal_close_ts, piece.next_opens, side="right")
        due, paid_ts = payments(used.recorded, piece.opens, paid_ts), int(piece.opens[-1])
        hand.go(piece.bars, known, due, curve)
        last = np.flatnonzero(np.append(np.diff(piece.candle) > 0, True))
        equity[piece.candle[last]] = curve[last]
        bar = hand.made()[before:, F_BAR].astype(np.int64)
        moments.append(piece.opens[bar])
        hand.made()[before:, F_BAR] = piece.candle[bar]
    return np.concatenate(moments) if moments else np.empty(0, np.int64)
