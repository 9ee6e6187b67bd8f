"""Two stored runs beside each other: in what they were asked, of what they are made, and what came out."""

from __future__ import annotations

from typing import Any

import msgspec

from onetape.backtest.compare import COMPARED
from onetape.backtest.rerun import Changed, changes
from onetape.domain.results import Trade
from onetape.ports import RunView, StoredRun


class Pair(msgspec.Struct, frozen=True):
    """One thing that differs; None where a run has no such thing."""

    name: str
    a: Any
    b: Any


class FirstTrade(msgspec.Struct, frozen=True):
    """The first round trip that differs, counted from 1; None where a run has no more."""

    number: int
    a: Trade | None
    b: Trade | None


class RunDiff(msgspec.Struct, frozen=True, kw_only=True):
    """`same` when the figures and all trades are the same, whatever was asked."""

    a: str
    b: str
    same: bool
    parameters: list[Pair]
    question: list[Pair]
    made_of: list[Changed]
    figures: list[Pair]
    first_trade: FirstTrade | None


def diff(a: StoredRun, b: StoredRun) -> RunDiff:
    figures = pairs(flat(a.view.metrics), flat(b.view.metrics))
    trade = first_trade(a.trades, b.trades)
    return RunDiff(
        a=a.view.run_id,
        b=b.view.run_id,
        same=not figures and trade is None,
        parameters=pairs(a.view.spec.parameters, b.view.spec.parameters),
        question=pairs(question(a.view), question(b.view)),
        made_of=[one for one in changes(a.view.manifest, b.view.manifest) if one.part != "spec"],
        figures=figures,
        first_trade=trade,
    )


def flat(metrics: dict[str, Any]) -> dict[str, Any]:
    """The figures of the run itself, the usual ones first: what is said about luck depends on the trials
    made since."""
    return {name: metrics[name] for name in (*COMPARED, *sorted(metrics)) if name in metrics and name != "luck"}


def question(view: RunView) -> dict[str, Any]:
    """What was asked beside the parameters, one name each: `costs.taker`."""
    found: dict[str, Any] = {}
    for name in view.spec.__struct_fields__:
        value = getattr(view.spec, name)
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            found |= {f"{name}.{part}": told(one) for part, one in value._asdict().items()}
        elif name != "parameters":
            found[name] = value
    return found | {"fill_timeframe": view.manifest.get("fill_timeframe")}


def told(value: Any) -> Any:
    """NaN is nothing: no exit, no limit."""
    return None if value != value else value


def pairs(a: dict[str, Any], b: dict[str, Any]) -> list[Pair]:
    return [Pair(name, a.get(name), b.get(name)) for name in a | b if a.get(name) != b.get(name)]


def first_trade(a: list[Trade], b: list[Trade]) -> FirstTrade | None:
    for i in range(max(len(a), len(b))):
        one, other = (trades[i] if i < len(trades) else None for trades in (a, b))
        if one != other:
            return FirstTrade(i + 1, one, other)
    return None
