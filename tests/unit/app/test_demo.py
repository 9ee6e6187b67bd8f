"""The demo's comparison: a run that is stored is found again, and only that one."""

from __future__ import annotations

import msgspec
import pytest

from onetape.app.demo import same
from onetape.domain.accounts import Exits, Terms
from onetape.domain.results import BacktestSpec, spec_from
from onetape.strategies.registry import Registry

ASKED = BacktestSpec(strategy="sma_cross", exchange="bitfinex", symbol="BTC-USD", timeframe="1h")


@pytest.fixture
def stored() -> BacktestSpec:
    """As a run is stored and read: all parameters, its terms, and JSON in between."""
    parameters = Registry.load().build("sma_cross").parameters()
    ran = msgspec.structs.replace(ASKED, parameters=parameters, terms=Terms(tick=0.1))
    return spec_from(msgspec.json.decode(msgspec.json.encode(ran)))


def test_the_run_of_an_earlier_start_is_found(stored: BacktestSpec) -> None:
    assert same(stored, ASKED, Registry.load())


def test_a_run_with_a_stop_or_other_parameters_is_another(stored: BacktestSpec) -> None:
    registry = Registry.load()
    assert not same(msgspec.structs.replace(stored, exits=Exits(stop=0.02)), ASKED, registry)
    assert not same(msgspec.structs.replace(stored, parameters=stored.parameters | {"fast": 3}), ASKED, registry)
