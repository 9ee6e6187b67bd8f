"""A question meets its instrument: steps and minima, and whether there is a margin to trade on at all."""

from __future__ import annotations

import msgspec

from onetape.domain.accounts import Terms
from onetape.domain.errors import BadInput
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.reality import maintenance_of
from onetape.domain.results import BacktestSpec


def settled(spec: BacktestSpec, instrument: Instrument, field: str) -> BacktestSpec:
    """The spec with the instrument's terms; the band and the maintenance margin that were asked for are kept.

    Raises BadInput naming `field` when a leverage is asked for on what is bought outright.
    """
    leverage = spec.limits.leverage
    if leverage and instrument.kind is Kind.SPOT:
        raise BadInput(
            field, leverage, f"not possible: {instrument.symbol} is spot, which is bought outright",
            "Choose a linear swap (BTC-USDT-SWAP), or leave it out.",
        )  # fmt: skip
    asked = spec.terms
    maintenance = asked.maintenance or (maintenance_of(instrument) if leverage else 0.0)
    terms = Terms.of(instrument)._replace(maintenance=maintenance, band=asked.band)
    return msgspec.structs.replace(spec, terms=terms)
