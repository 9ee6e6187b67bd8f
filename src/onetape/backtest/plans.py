"""From the quotes of a strategy to the rows of a plan, refused whole with a sentence when one cannot be an order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from onetape.core.state import FOK, GTC, IOC, POST_ONLY, SLOTS
from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats
from onetape.domain.orders import OrderKind
from onetape.domain.units import Micros, rfc3339
from onetape.strategies.quoting import Quote

FORCES: Final = {"gtc": GTC, "ioc": IOC, "fok": FOK, "post_only": POST_ONLY}
_KINDS: Final = {kind: float(kind) for kind in OrderKind}
_LIMIT, _STOP_LIMIT, _MARKET = OrderKind.LIMIT, OrderKind.STOP_LIMIT, OrderKind.MARKET


def write(plan: Floats, quotes: Sequence[Quote], name: str, ts: Micros) -> None:
    """Writes the quotes into the first rows of `plan` (float64[16, PLAN_WIDTH]). Raises BadInput naming the strategy,
    the candle's close, the quote and its field."""
    if len(quotes) > SLOTS:
        raise BadInput(
            f"quotes of {name} at {rfc3339(ts)}", len(quotes), f"more than the {SLOTS} orders that can rest at once",
            "Answer the most important ones.",
        )  # fmt: skip
    flat: list[float] = []
    try:
        for quote in quotes:
            flat += _row(*quote)
    except (TypeError, ValueError, KeyError):
        _explain(quotes, name, ts)
        raise
    plan.reshape(-1)[: len(flat)] = np.array(flat)


def _row(
    side: float, qty: float, price: float, kind: OrderKind, worst: float, reduce_only: bool, force: str,
    life_s: float, group: int, stop: float | None, take: float | None, trail: float | None,
) -> list[float]:  # fmt: skip
    """A plan row, its columns in the order of core.plan. Raises ValueError, KeyError or TypeError when it is none."""
    market = kind == _MARKET
    sound = (
        (side == 1 or side == -1)
        and 0.0 <= qty < math.inf
        and (price == 0.0 if market else 0.0 < price < math.inf)
        and (0.0 < worst < math.inf if kind == _STOP_LIMIT else worst == 0.0)
        and (force == "gtc" or kind == _LIMIT)
        and 0.0 <= life_s < math.inf
        and 0 <= group < math.inf
        and (stop is None or 0.0 < stop < 1.0)
        and (take is None or 0.0 < take < math.inf)
        and (trail is None or 0.0 < trail < 1.0)
    )
    if not sound:
        raise ValueError
    return [
        _KINDS[kind], side, qty, price, worst, 1.0 if reduce_only else 0.0, FORCES[force], life_s * 1e6, group,
        math.nan if stop is None else stop, math.nan if take is None else take, math.nan if trail is None else trail,
    ]  # fmt: skip


def _explain(quotes: Sequence[Quote], name: str, ts: Micros) -> None:
    """Raises BadInput for the first quote that cannot be an order."""
    for number, quote in enumerate(quotes):
        place = f"quotes of {name} at {rfc3339(ts)}: number {number}"
        if not isinstance(quote, Quote):
            raise BadInput(place, quote, "not a Quote", "Answer a list of Quote(side, qty, price).")
        for field, sound, problem in _rules(quote):
            if not sound:
                raise BadInput(f"{place}, {field}", getattr(quote, field), problem)


def _rules(quote: Quote) -> list[tuple[str, bool, str]]:
    kind, limit = quote.kind, quote.kind == _LIMIT
    priced = quote.price == 0.0 if kind == _MARKET else _within(quote.price, 0.0, math.inf)
    return [
        ("side", quote.side in (1, -1), "neither Side.BUY nor Side.SELL"),
        ("kind", kind in _KINDS, "not an OrderKind"),
        ("qty", quote.qty == 0.0 or _within(quote.qty, 0.0, math.inf), "not a quantity from 0 on"),
        ("price", priced, "not 0, as that of a market order is" if kind == _MARKET else "not a price above 0"),
        (
            "worst",
            _within(quote.worst, 0.0, math.inf) if kind == _STOP_LIMIT else quote.worst == 0.0,
            "not a price above 0: a stop-limit needs one" if kind == _STOP_LIMIT else "only a stop-limit has one",
        ),
        ("force", quote.force in FORCES, f"none of {', '.join(FORCES)}"),
        ("force", quote.force == "gtc" or limit, "only for a limit order"),
        ("life_s", quote.life_s == 0.0 or _within(quote.life_s, 0.0, math.inf), "not a number of seconds from 0 on"),
        ("group", quote.group == 0 or _within(quote.group, 0.0, math.inf), "not a number from 0 on"),
        ("stop", quote.stop is None or _within(quote.stop, 0.0, 1.0), "not a rate between 0 and 1"),
        ("take", quote.take is None or _within(quote.take, 0.0, math.inf), "not a rate above 0"),
        ("trail", quote.trail is None or _within(quote.trail, 0.0, 1.0), "not a rate between 0 and 1"),
    ]


def _within(value: object, low: float, high: float) -> bool:
    """Whether it is a number between the two."""
    return isinstance(value, int | float) and low < value < high
