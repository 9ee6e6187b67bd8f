"""The part of the data that nobody looks at before the end: sealing it, keeping out of it, opening it once.

A seal holds for one market (exchange and symbol) from a moment on, for every strategy, timeframe and run, until it is
lifted. Each strategy may look at the sealed part once; the ledger remembers when, and what came out.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from onetape.backtest.candles import Chosen
from onetape.domain.errors import BadInput, Conflict, NotFound
from onetape.domain.frame import CandleFrame
from onetape.domain.results import BacktestSpec
from onetape.domain.trials import DataKey, Opening, Seal, Trial
from onetape.domain.units import DAY, Micros, parse_time, rfc3339
from onetape.ports import TrialLedger

OFF: Final = "off"


class Allowed(NamedTuple):
    """What a run may see, and what is to be said about it: `note` goes into the run's manifest."""

    chosen: Chosen
    spec: BacktestSpec
    seal: Seal | None
    note: dict[str, Any]


def data_of(chosen: Chosen, spec: BacktestSpec) -> DataKey:
    """The stretch that orders fill on."""
    fills = chosen.fills.between(spec.start_ts, spec.end_ts)
    if not len(fills):
        return DataKey(fills.exchange, fills.symbol, spec.start_ts or 0, spec.start_ts or 0)
    return DataKey(fills.exchange, fills.symbol, int(fills.ts[0]), int(fills.ts[-1]) + fills.timeframe.micros)


async def allowed(ledger: TrialLedger, chosen: Chosen, spec: BacktestSpec, opening: bool = False) -> Allowed:
    """What of the candles a run may see: those before the seal, or with `opening` those after it.

    Raises Conflict when everything that was asked for is sealed, NotFound when there is nothing to open.
    """
    seal = await ledger.sealed(chosen.fills.exchange, chosen.fills.symbol)
    if opening:
        return opened(chosen, spec, seal)
    if seal is None:
        return Allowed(chosen, spec, None, {})
    data = data_of(chosen, spec)
    if data.end_ts <= seal.from_ts:
        return Allowed(chosen, spec, seal, {})
    if data.start_ts >= seal.from_ts:
        raise wholly_sealed(seal, data.start_ts)
    kept = chosen._replace(frame=before(chosen.frame, seal.from_ts), fills=before(chosen.fills, seal.from_ts))
    if not len(kept.frame) or not len(kept.fills):
        raise Conflict("the seal", rfc3339(seal.from_ts), "so early that no candle is left", "Lift it: --holdout off.")
    asked = msgspec.structs.replace(spec, end_ts=seal.from_ts)
    return Allowed(kept, asked, seal, {"from_ts": seal.from_ts, "made_ts": seal.made_ts, "open": False})


def wholly_sealed(seal: Seal, start_ts: Micros) -> Conflict:
    return Conflict(
        "the period", f"from {rfc3339(start_ts)}", f"in the part of {seal.symbol} that is sealed from "
        f"{rfc3339(seal.from_ts)} on", "Choose an earlier one, or open it once: onetape backtest --open-holdout.",
    )  # fmt: skip


def opened(chosen: Chosen, spec: BacktestSpec, seal: Seal | None) -> Allowed:
    """The sealed part alone; the candles before it only warm the strategy up."""
    if seal is None:
        raise NotFound("--open-holdout", chosen.fills.symbol, "not sealed", "Seal its last part with --holdout 0.2.")
    start_ts = max(seal.from_ts, spec.start_ts or 0)
    if not len(chosen.fills.between(start_ts, spec.end_ts)):
        raise NotFound("--open-holdout", chosen.fills.symbol, f"without a candle from {rfc3339(start_ts)} on")
    asked = msgspec.structs.replace(spec, start_ts=start_ts)
    return Allowed(chosen, asked, seal, {"from_ts": seal.from_ts, "made_ts": seal.made_ts, "open": True})


def before(frame: CandleFrame, ts: Micros) -> CandleFrame:
    """The candles that have closed by then: one that reaches into the sealed part knows something of it."""
    return frame.rows(0, int(np.searchsorted(frame.close_ts, ts, side="right")))


async def seal(ledger: TrialLedger, data: DataKey, wish: str, ts: Micros, who: str) -> str:
    """Seals the last part of a market as `wish` says (0.2, a date, or off) and gives a sentence about it.

    A share leaves a seal that is there as it is, so that the same command can be given again and again. Raises
    BadInput; Conflict when another seal is there.
    """
    market = f"{data.exchange} {data.symbol}"
    if wish == OFF:
        await ledger.lift(data.exchange, data.symbol, ts, who)
        return f"The seal of {market} is lifted for good: all of it counts as seen from now on."
    there = await ledger.sealed(data.exchange, data.symbol)
    from_ts = boundary(wish, data.start_ts, data.end_ts)
    if there and (from_ts == there.from_ts or is_share(wish)):
        return f"{market} is sealed from {rfc3339(there.from_ts)} on, since {rfc3339(there.made_ts)}."
    hidden = data._replace(start_ts=from_ts)
    seen = (await ledger.view(hidden)).runs
    await ledger.seal(Seal(exchange=data.exchange, symbol=data.symbol, from_ts=from_ts, made_ts=ts, who=who))
    said = f"{market} is sealed from {rfc3339(from_ts)} on: runs end before it until --open-holdout."
    if seen:
        said += f" {seen:,} run{'s have' if seen > 1 else ' has'} seen that part before, so it is not wholly unseen."
    return said


def is_share(wish: str) -> bool:
    return bool(re.fullmatch(r"0?\.\d+", wish))


def boundary(wish: str, start_ts: Micros, end_ts: Micros) -> Micros:
    """Where the sealed part begins, a midnight UTC: a share of the data from the end, or a date. Raises BadInput."""
    if is_share(wish):
        at = end_ts - round(float(wish) * (end_ts - start_ts))
    else:
        try:
            at = parse_time(wish, "--holdout")
        except BadInput:
            remedy = "Write 0.2 for the last fifth, 2024-06-01 for what comes from that day on, or off."
            raise BadInput("--holdout", wish, "neither a share between 0 and 1 nor a date", remedy) from None
    midnight = at // DAY * DAY
    if not start_ts < midnight < end_ts:
        raise BadInput(
            "--holdout", wish, f"not inside the data, which reach from {rfc3339(start_ts)} to {rfc3339(end_ts)}",
            "Both parts need at least one whole day.",
        )  # fmt: skip
    return midnight


async def enter_opening(ledger: TrialLedger, trial: Trial, seal: Seal) -> str:
    """The one look of a strategy at the sealed part, entered before it runs; gives the id to settle it by.

    Raises Conflict when the strategy has looked already. An opening that nothing came out of may be repeated, with the
    same code and parameters only.
    """
    mine = Opening(
        exchange=seal.exchange,
        symbol=seal.symbol,
        family=trial.family,
        trial_id=trial.id,
        fingerprint=trial.fingerprint,
        from_ts=seal.from_ts,
        opened_ts=trial.started_ts,
    )
    there = await ledger.open(mine)
    if there.trial_id == trial.id or (not there.outcome and there.fingerprint == trial.fingerprint):
        return there.trial_id
    raise Conflict("--open-holdout", trial.family, f"refused: {remembered(there)}", "It opens once for each strategy: "
                   "what is chosen after looking is not unseen any more.")  # fmt: skip


def remembered(one: Opening) -> str:
    """When it was opened, and what came out."""
    when = f"the sealed part of {one.exchange} {one.symbol} was opened for it at {rfc3339(one.opened_ts)}"
    found = one.outcome
    if not found:
        return f"{when} with other code or parameters, and that run did not end"
    ratio = "none" if found["sharpe"] is None else f"{found['sharpe']:.2f}"
    return (
        f"{when}, and what came out was a return of {100 * found['total_return']:+.2f} %, a Sharpe ratio of {ratio}, a "
        f"drawdown of {100 * found['max_drawdown']:.2f} % in {found['trades']:,} trades (run {found['run_id']})"
    )


def sealed_note(manifest: dict[str, Any]) -> list[str]:
    """What a report says about the seal, if it touched the run."""
    found = manifest.get("holdout")
    if not found:
        return []
    day = rfc3339(found["from_ts"])[:10]
    if found["open"]:
        return [f"The sealed part from {day} on was opened for this strategy: it cannot be opened for it again."]
    return [f"The candles from {day} on are sealed (--holdout): this run ends before them."]
