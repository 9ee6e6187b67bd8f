"""A question meets its instrument."""

from __future__ import annotations

import pytest

from onetape.backtest.margin import settled
from onetape.domain.accounts import RiskLimits, Terms
from onetape.domain.errors import BadInput
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.results import BacktestSpec

SPOT = Instrument(exchange="okx", symbol="BTC-USDT", base="BTC", quote="USDT", tick=0.1, lot=1e-8, min_qty=1e-5)
SWAP = Instrument(exchange="okx", symbol="SOL-USDT-SWAP", kind=Kind.SWAP, base="SOL", quote="USDT", tick=0.01, lot=0.1)


def test_steps_come_from_the_instrument_and_the_band_from_the_question() -> None:
    found = settled(BacktestSpec(strategy="", terms=Terms(band=0.05)), SPOT, "--leverage")
    assert found.terms == Terms(0.1, 1e-8, 1e-5, band=0.05)


def test_leverage_on_spot_is_refused_with_a_sentence() -> None:
    with pytest.raises(BadInput, match="BTC-USDT is spot, which is bought outright"):
        settled(BacktestSpec(strategy="", limits=RiskLimits(leverage=5.0)), SPOT, "--leverage")


def test_a_leveraged_swap_has_a_maintenance_margin_and_a_stated_one_wins() -> None:
    asked = BacktestSpec(strategy="", limits=RiskLimits(5.0, leverage=5.0))
    assert settled(asked, SWAP, "--leverage").terms.maintenance == 0.01
    stated = BacktestSpec(strategy="", limits=RiskLimits(5.0, leverage=5.0), terms=Terms(maintenance=0.004))
    assert settled(stated, SWAP, "--leverage").terms.maintenance == 0.004
    assert settled(BacktestSpec(strategy=""), SWAP, "--leverage").terms.maintenance == 0.0


def test_a_name_alone_tells_a_perpetual_from_spot() -> None:
    assert Instrument.unknown("okx", "BTC-USDT-SWAP").kind is Kind.SWAP
    assert Instrument.unknown("okx", "BTC-USDT-SWAP").quote == "USDT"
    assert Instrument.unknown("okx", "BTC-USDT").kind is Kind.SPOT
