"""The costs and the detail of a form: what it says untouched, and that every field reaches the question."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from onetape.backtest.wish import BacktestWish
from onetape.dashboard import assumptions
from onetape.domain.accounts import Costs
from onetape.domain.errors import BadInput
from onetape.domain.fees import presets
from onetape.domain.reality import RealityWish

UNTOUCHED: dict[str, Any] = {
    "fees": "usual", "fee": None, "slippage": 0, "detail": "auto", "spread": 0, "impact_share": 0, "impact_root": 0,
    "volume_share": 0, "stop_limit": 0, "leverage": 0, "latency": "0", "data_latency": "0", "order_life": "0",
    "force": "gtc", "funding": "on",
}  # fmt: skip


def wish(**parts: Any) -> BacktestWish:
    return BacktestWish(strategy="x", symbol="A-B", **assumptions.asked(UNTOUCHED | parts))


def test_the_form_has_a_field_for_each_assumption_and_says_nothing_of_its_own_untouched() -> None:
    drawn = json.dumps(
        [part.to_plotly_json() for part in assumptions.fields("bt")], default=lambda x: x.to_plotly_json()
    )
    for name in assumptions.FIELDS:
        assert f'"bt-{name}"' in drawn
    assert set(UNTOUCHED) == set(assumptions.FIELDS)
    plain = RealityWish()
    assert {name: getattr(wish(), name) for name in plain.__struct_fields__} == msgspec.structs.asdict(plain)


@pytest.mark.parametrize("name", [name for name in assumptions.FIELDS if name not in ("fees", "fee")])
def test_every_field_changes_the_question(name: str) -> None:
    other = {"detail": "candles", "force": "ioc", "funding": "off", "leverage": 3}.get(name)
    value = other or ("250ms" if UNTOUCHED[name] == "0" else 0.01)
    assert wish(**{name: value}).spec() != wish().spec()


def test_a_preset_charges_what_it_says_and_an_own_fee_wins() -> None:
    name, fees = next(iter(presets().items()))
    assert wish(fees=name).spec().costs[:2] == (fees.maker, fees.taker)
    assert wish(fees="none").spec().costs[:2] == (0.0, 0.0)
    assert wish(fees=name, fee=0.0025).spec().costs[:2] == (0.0025, 0.0025)


def test_costs_find_their_way_back_into_the_fields() -> None:
    name, fees = next(iter(presets().items()))
    for costs in (Costs(), Costs(0.0025, 0.0025), Costs(fees.maker, fees.taker), Costs(0.0, 0.0)):
        assert wish(**assumptions.fees_as_asked(costs)).spec().costs[:2] == costs[:2], name


def test_what_makes_no_sense_is_named() -> None:
    for name, value in (("latency", "soon"), ("spread", 5), ("leverage", 0.5)):
        with pytest.raises(BadInput, match=rf"\$\.{name}"):
            wish(**{name: value}).spec()
