"""What each kind of strategy says about candles, as columns that can be compared: one core of the gate serves all.

Signals have their six columns; a learning strategy those that one of its models gives; a quoting strategy the columns
of `prepare`; a portfolio the weights of each market.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from onetape.domain.accounts import Account, Terms
from onetape.domain.errors import BadInput
from onetape.domain.frame import COLUMNS as CANDLE
from onetape.domain.frame import CandleFrame, Floats
from onetape.domain.signals import OPTIONAL, Signals
from onetape.domain.units import rfc3339
from onetape.strategies.contract import AnyStrategy, evaluate
from onetape.strategies.foreign import Foreign
from onetape.strategies.learning import Learning, fits_of, fitted, scheduled, told
from onetape.strategies.market import Market
from onetape.strategies.portfolio import Portfolio, weighed
from onetape.strategies.quoting import Quoting, View, prepared
from onetape.strategies.sources import file_of

Frames = Mapping[str, CandleFrame]  # by symbol, all of the same candles; a portfolio has several
Columns = Mapping[str, Floats]  # float64[n] each
Answer = Callable[[Frames], Columns]

SIGNALS: Final = ("target", "confidence", *OPTIONAL)
VIEWS: Final = 40  # closes at which quotes are asked twice


class Unfit(BadInput):
    """The strategy cannot be run, or what it gives is not what its kind must give."""


def asked(strategy: AnyStrategy, answer: Answer, frames: Frames, what: str) -> Columns:
    """The columns for these candles. Raises Unfit with a sentence, whatever goes wrong inside."""
    place = f"{strategy.name()} on {what}"
    with Foreign(file_of(type(strategy))) as visit:
        return answer(frames)
    if isinstance(visit.error, BadInput):
        raise Unfit(place, visit.error.value, f"the strategy fails: {str(visit.error).rstrip('.')}")
    raise Unfit(place, visit.fault, "the strategy fails", "Candles are read-only; copy a column to change it.")


def answer_of(strategy: AnyStrategy, frames: Frames) -> Answer:
    """How the strategy is asked for its columns. What is judged of a learning strategy is one of its models; where the
    candles do not suffice for a fit, the engine's silence."""
    if isinstance(strategy, Quoting):
        return lambda given: prepared(strategy, Market(only(given)))
    if isinstance(strategy, Portfolio):
        return lambda given: dict(zip(given, weighed(strategy, given).values.T, strict=True))
    if isinstance(strategy, Learning):
        return _modelled(strategy, only(frames))
    return lambda given: _columns(evaluate(strategy, Market(only(given))), len(only(given)))


def engine_of(strategy: Learning) -> Answer:
    """The signals that the engine makes of a learning strategy, fits and all."""
    return lambda given: _columns(evaluate(strategy, Market(only(given))), len(only(given)))


def only(frames: Frames) -> CandleFrame:
    return next(iter(frames.values()))


def _modelled(strategy: Learning, frame: CandleFrame) -> Answer:
    with Foreign(file_of(type(strategy))) as visit:
        fits = fits_of(frame, scheduled(strategy))
        if not fits:
            return engine_of(strategy)
        fit = fits[len(fits) // 2]
        model = fitted(strategy, frame.rows(fit.start, fit.stop))
        return lambda given: _columns(told(strategy, only(given), model, 0), len(only(given)))
    raise Unfit(f"fit of {strategy.name()}", visit.fault, "the strategy fails", "Mend that line.")


def _columns(signals: Signals, n: int) -> Columns:
    for name in SIGNALS:
        column = getattr(signals, name)
        if np.shape(column) != (n,) and (len(column) or name not in OPTIONAL):
            raise BadInput(name, np.shape(column), f"not one number for each of the {n} candles")
    return {name: signals.column(name) for name in SIGNALS}


def pure_quotes(strategy: Quoting, frame: CandleFrame, columns: Columns) -> None:
    """Asks for quotes twice from the same views, forwards and then backwards: flat, long and short. Raises Unfit."""
    first = max(strategy.warmup() - 1, 0)
    rows = np.unique(np.linspace(first, len(frame) - 1, VIEWS).astype(int)).tolist() if first < len(frame) else []
    views = [(row, what, view) for row in rows for what, view in _views(frame, columns, row)]
    before = [_quoted(strategy, view) for _, _, view in views]
    again = [_quoted(strategy, view) for _, _, view in reversed(views)][::-1]
    for (row, what, _), one, other in zip(views, before, again, strict=True):
        if one != other:
            raise Unfit(
                f"quotes of candle {rfc3339(int(frame.ts[row]))}, {what}",
                other,
                f"other orders than before ({one}) from the same view",
                "Quotes may depend on nothing but parameters and the view.",
            )


def _views(frame: CandleFrame, columns: Columns, row: int) -> list[tuple[str, View]]:
    close, values = float(frame.close[row]), {name: float(column[row]) for name, column in columns.items()}
    qty = 0.5 * 10_000.0 / close
    accounts = {
        "flat": Account(cash=10_000.0, peak=10_000.0),
        "long": Account(cash=5_000.0, qty=qty, entry_price=close, best=close, peak=10_000.0),
        "short": Account(cash=15_000.0, qty=-qty, entry_price=close, best=close, peak=10_000.0),
    }
    ts = int(frame.ts[row]) + frame.timeframe.micros
    return [(what, View(ts, close, dict(values), account, Terms())) for what, account in accounts.items()]


def _quoted(strategy: Quoting, view: View) -> str:
    """The quotes as text, so that orders without a stop (None) and with NaN compare as they read."""
    with Foreign(file_of(type(strategy))) as visit:
        return repr(tuple(strategy.quotes(view)))
    raise Unfit(f"quotes of {strategy.name()} at {rfc3339(view.ts)}", visit.fault, "it fails", "Mend that line.")


def made_up(frame: CandleFrame) -> dict[str, CandleFrame]:
    """Three markets of one, of the same candles' times, for a strategy that needs several: the market itself, its
    mirror (up is down), and its first part behind its last."""
    half = len(frame) // 2
    mirror = {name: getattr(frame, name) for name in CANDLE}
    if len(frame):
        square = float(frame.close[0]) ** 2
        mirror |= {"open": square / frame.open, "close": square / frame.close}
        mirror |= {"high": square / frame.low, "low": square / frame.high}
    rolled = {name: np.roll(getattr(frame, name), half) for name in CANDLE} | {"ts": frame.ts}
    parts = {"MIRROR-USD": mirror, "ROLLED-USD": rolled}
    made = {name: CandleFrame.of(frame.exchange, name, frame.timeframe, part) for name, part in parts.items()}
    return {frame.symbol: frame, **made}
