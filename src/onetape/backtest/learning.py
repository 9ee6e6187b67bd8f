"""A learning strategy over the past: run as any that gives signals, with its fits written down."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from onetape.backtest.run import answered, cut, simulate
from onetape.backtest.used import used_of
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame
from onetape.domain.recorded import NOTHING, Recorded
from onetape.domain.results import BacktestSpec, Result
from onetape.domain.units import rfc3339
from onetape.strategies.learning import Fit, Learning, learn
from onetape.strategies.market import Market

MOST_SPANS: Final = 1_000  # that a manifest tells one by one


def run(
    spec: BacktestSpec,
    frame: CandleFrame,
    fill_frame: CandleFrame | None,
    strategy: Learning,
    source_hash: str = "",
    recorded: Recorded = NOTHING,
) -> Result:
    """As `backtest.run.run`; trading begins with the first model. Raises BadInput when there are too few candles to fit
    one."""
    frame, fills, first = cut(spec, frame, fill_frame, strategy)
    found = learn(strategy, Market(frame))
    if not found.fits:
        raise BadInput(
            "the period", f"{len(frame)} {frame.timeframe} candles",
            f"too short: {strategy.name()} is fitted on {strategy.schedule().first} at least, before its first signal",
            "Choose a longer period, or a shorter timeframe.",
        )  # fmt: skip
    first = max(first, found.fits[0].use)
    used = used_of(spec, fills, recorded)
    tape = simulate(spec, frame, fills, found.signals, first, used)
    result = answered(spec, frame, fills, found.signals, tape, first, source_hash, used)
    return dataclasses.replace(result, manifest=result.manifest | {"fits": told(frame, found.fits)})


def told(frame: CandleFrame, fits: tuple[Fit, ...]) -> dict[str, Any]:
    """How many fits there were, and for the first thousand the times of the candles that each saw and served."""
    opens, closes = frame.ts, frame.close_ts
    return {
        "count": len(fits),
        "spans": [
            {
                "candles": fit.stop - fit.start,
                "fitted_from": rfc3339(int(opens[fit.start])),
                "fitted_to": rfc3339(int(closes[fit.stop - 1])),
                "used_from": rfc3339(int(opens[fit.use])),
                "used_to": rfc3339(int(closes[fit.end - 1])),
            }
            for fit in fits[:MOST_SPANS]
        ],
    }
