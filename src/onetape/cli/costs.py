"""The flags that say how real a run is: costs, the way of orders, margin, funding, detail. Every verb that runs
backtests adds them with `add_costs` and reads them with `costs_of`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onetape.domain.accounts import RiskLimits
from onetape.domain.reality import DETAILS, FORCES, SWITCH, Reality, RealityWish, reality
from onetape.domain.results import BacktestSpec

if TYPE_CHECKING:
    from onetape.backtest.candles import Chosen


def add_costs(parser: argparse.ArgumentParser) -> None:
    """The groups "costs" and "orders"."""
    costs = parser.add_argument_group("costs (docs/fill-model.md)")
    costs.add_argument("--fees", default="", metavar="PRESET", help="okx:spot:regular; none; `onetape fees` lists them")
    for flag, text in (
        ("--fee-maker", "of what rests; wins over --fees (0.0008)"),
        ("--fee-taker", "of what takes; wins over --fees (0.001)"),
    ):
        costs.add_argument(flag, type=float, metavar="RATE", help=text)
    for flag, text in (
        ("--slippage", "of the price, on what takes: 0.001 is 0.1 %%"),
        ("--spread", "between bid and ask, of the price; what takes pays half"),
        ("--impact-share", "times the square of the order's share of the candle's volume"),
        ("--impact-root", "times the candle's range, times the root of that share"),
    ):
        costs.add_argument(flag, type=float, default=0.0, metavar="RATE", help=text)
    costs.add_argument("--funding", choices=SWITCH, default="on", help="of perpetuals, from recorded rates (on)")
    costs.add_argument("--funding-file", type=Path, metavar="FILE", help="rates from a file instead: time, rate")
    costs.add_argument(
        "--detail", choices=DETAILS, default="auto", help="the finest data that orders fill on (auto: all there is)"
    )
    add_orders(parser)


def add_orders(parser: argparse.ArgumentParser) -> None:
    orders = parser.add_argument_group("orders")
    orders.add_argument("--latency", default="0", metavar="200ms", help="from us to the venue")
    orders.add_argument("--data-latency", default="0", metavar="50ms", help="from a candle's close until it is known")
    orders.add_argument(
        "--volume-share", type=float, default=0.0, metavar="0.1", help="fill at most this share of a candle's volume"
    )
    orders.add_argument("--force", choices=tuple(FORCES)[1:], default="gtc", help="of limit entries (gtc)")
    orders.add_argument("--order-life", default="0", metavar="5m", help="take back limit entries after this time")
    orders.add_argument(
        "--stop-limit", type=float, default=0.0, metavar="0.001", help="stops become limits this far beyond"
    )
    orders.add_argument(
        "--leverage", type=float, default=0.0, metavar="5", help="isolated margin, on linear swaps and futures only"
    )
    orders.add_argument("--max-exposure", type=float, metavar="1", help="largest position over equity")
    orders.add_argument(
        "--maintenance", type=float, metavar="0.005", help="maintenance margin, of the position's value"
    )
    orders.add_argument(
        "--band", type=float, default=0.0, metavar="0.05", help="how far from the last price the venue takes orders"
    )


def costs_of(wish: argparse.Namespace) -> Reality:
    """Raises BadInput naming the flag."""
    fields: dict[str, Any] = {name: getattr(wish, name) for name in RealityWish.__struct_fields__}
    return reality(RealityWish(**fields), lambda name: "--" + name.replace("_", "-"))


def with_costs(spec: BacktestSpec, how: Reality) -> BacktestSpec:
    """The question with these costs; its limits keep what else they say."""
    import msgspec

    limits: RiskLimits = spec.limits._replace(max_exposure=how.exposure, leverage=how.leverage)
    return msgspec.structs.replace(
        spec,
        costs=how.costs,
        execution=how.execution,
        limits=limits,
        terms=spec.terms._replace(band=how.band, maintenance=how.maintenance or 0.0),
        funding=how.funding,
        detail=how.detail,
    )


def with_rates(chosen: Chosen, file: Path | None) -> Chosen:
    """The candles with the funding rates of a file in the place of recorded ones. Raises BadInput, NotFound."""
    if file is None:
        return chosen
    import dataclasses

    from onetape.archive.funding import read_rates
    from onetape.backtest.recorded import from_rates

    rates = from_rates(*read_rates(file))
    told = {name: getattr(rates, name) for name in ("funding_ts", "funding_rate", "funding_every")}
    return chosen._replace(recorded=dataclasses.replace(chosen.recorded, **told))
