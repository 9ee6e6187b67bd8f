"""How real a run is to be, as a person asks for it: costs, the way of orders, margin, funding and detail. The command
line, the API and every verb that runs backtests read it here, so that one word means one thing everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from onetape.domain.accounts import Costs, Execution
from onetape.domain.errors import BadInput
from onetape.domain.fees import rate, rates_of
from onetape.domain.instrument import Instrument
from onetape.domain.units import DAY, Rate, parse_span

DETAILS: Final = ("auto", "candles", "prints", "books")
SWITCH: Final = ("on", "off")
FORCES: Final = {"": 0.0, "gtc": 0.0, "ioc": 1.0, "fok": 2.0, "post_only": 3.0}  # numbers of core.state
MOST_LEVERAGE: Final = 125.0
LARGE: Final = frozenset(("BTC", "ETH"))
MAINTENANCE_LARGE: Final = 0.005  # for those two; both rates are assumptions, taken from no venue's table
MAINTENANCE: Final = 0.01

Named = Callable[[str], str]  # how a field is called where it was asked: --fee-maker, $.fee_maker


class Reality(NamedTuple):
    """What a wish comes to. `exposure` is the largest position over equity, `leverage` 0 = bought outright."""

    costs: Costs
    execution: Execution
    leverage: float
    exposure: float
    band: float
    maintenance: float | None  # None = the venue's, as far as it is known
    funding: bool
    detail: str


class RealityWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields as a person writes them; what is left out costs nothing, but for the usual fees."""

    fees: str = ""  # a preset, okx:spot:regular, or none
    fee_maker: float | None = None  # wins over the preset
    fee_taker: float | None = None
    slippage: float = 0.0  # rates of the price
    spread: float = 0.0
    impact_share: float = 0.0  # times the square of the share of the candle's volume
    impact_root: float = 0.0  # times the candle's range, times the root of that share
    latency: str = "0"  # of an order: 200ms, 1.5s
    data_latency: str = "0"  # until a candle is known
    volume_share: float = 0.0  # most of a candle's volume that is ours; 0 = no limit
    force: str = "gtc"  # of limit entries: gtc, ioc, fok, post_only
    order_life: str = "0"  # how long a limit entry waits: 5m; 0 = for ever
    stop_limit: float = 0.0  # a stop-loss becomes a limit this far beyond its trigger
    leverage: float = 0.0  # of an isolated margin on a linear contract; 0 = none
    max_exposure: float | None = None  # position over equity; 1, or the leverage
    maintenance: float | None = None  # margin rate below which a position is liquidated
    band: float = 0.0  # how far from the last price the venue takes orders; 0 = anywhere
    funding: str = "on"  # recorded rates are charged where there are any
    detail: str = "auto"  # the finest data that orders fill on: auto is all that is recorded


def reality(wish: RealityWish, named: Named) -> Reality:
    """Checked, or BadInput naming the field as `named` calls it."""
    maker, taker = rates_of(wish.fees, named("fees"))
    costs = Costs(
        maker=rate(wish.fee_maker, maker, named("fee_maker")),
        taker=rate(wish.fee_taker, taker, named("fee_taker")),
        slippage=within(wish.slippage, 0.1, named("slippage")),
        spread=within(wish.spread, 0.1, named("spread")),
        share_impact=within(wish.impact_share, 100.0, named("impact_share")),
        root_impact=within(wish.impact_root, 100.0, named("impact_root")),
    )
    how = Execution(
        latency=span(wish.latency, named("latency")) + span(wish.data_latency, named("data_latency")),
        share=within(wish.volume_share, 1.0, named("volume_share")),
        force=FORCES[one_of(wish.force, tuple(FORCES)[1:], named("force"))],
        life=span(wish.order_life, named("order_life"), 366 * DAY),
        stop_limit=within(wish.stop_limit, 0.5, named("stop_limit")),
    )
    leverage = borrowed(wish.leverage, named("leverage"))
    return Reality(
        costs=costs,
        execution=how,
        leverage=leverage,
        exposure=exposure(wish.max_exposure, leverage, named("max_exposure")),
        band=within(wish.band, 1.0, named("band")),
        maintenance=None if wish.maintenance is None else within(wish.maintenance, 0.5, named("maintenance")),
        funding=one_of(wish.funding, SWITCH, named("funding")) == "on",
        detail=one_of(wish.detail, DETAILS, named("detail")),
    )


def within(value: float, high: float, field: str) -> float:
    if not 0.0 <= value <= high:
        raise BadInput(field, value, f"not between 0 and {high:g}", "0.001 is 0.1 %.")
    return float(value)


def span(text: str, field: str, longest: int = DAY) -> float:
    length = parse_span(text, field)
    if length > longest:
        raise BadInput(field, text, f"longer than {longest // DAY} day{'s' if longest > DAY else ''}")
    return float(length)


def one_of(text: str, words: tuple[str, ...], field: str) -> str:
    word = text.strip().lower().replace("-", "_")
    if word not in words:
        raise BadInput(field, text, "not known", f"Write one of: {', '.join(words)}.")
    return word


def borrowed(leverage: float, field: str) -> float:
    if leverage and not 1.0 <= leverage <= MOST_LEVERAGE:
        raise BadInput(field, leverage, f"not between 1 and {MOST_LEVERAGE:g}", "5 is five times the margin.")
    return float(leverage)


def exposure(most: float | None, leverage: float, field: str) -> float:
    """The largest position over equity: outright at most 1, for money is not borrowed; with leverage at most that."""
    high = max(leverage, 1.0)
    if most is None:
        return high
    if not 0.0 < most <= high:
        remedy = "1 is the whole equity." if leverage else "1 is the whole equity; more needs --leverage."
        raise BadInput(field, most, f"not above 0 and at most {high:g}", remedy)
    return float(most)


def maintenance_of(instrument: Instrument) -> Rate:
    """The maintenance margin that is assumed where nobody states one."""
    return MAINTENANCE_LARGE if instrument.base in LARGE else MAINTENANCE
