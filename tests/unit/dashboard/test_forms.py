"""A form is made from a strategy's schema alone, and what stands in it comes back as parameters."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
import pytest

from onetape.dashboard import forms
from onetape.strategies.registry import Registry

SCHEMA: dict[str, Any] = {
    "$defs": {"Kind": {"enum": ["cross", "none"], "type": "string"}},
    "properties": {
        "fast": {"type": "integer", "minimum": 1, "maximum": 50, "default": 12, "description": "candles"},
        "rate": {"type": "number", "exclusiveMinimum": 0.0, "default": 0.02},
        "short": {"type": "boolean", "default": False},
        "exit": {"$ref": "#/$defs/Kind", "default": "cross"},
        "stop": {"anyOf": [{"type": "number", "minimum": 0.0}, {"type": "null"}], "default": None},
    },
}


def test_each_property_becomes_the_input_that_suits_it() -> None:
    fast, rate, short, leave, stop = forms.parameters("bot", SCHEMA)
    assert isinstance(fast, dmc.NumberInput)
    assert (fast.min, fast.max, fast.value, fast.step, fast.allowDecimal) == (1, 50, 12, 1, False)
    assert fast.description == "candles, 1 to 50"
    assert (rate.min, rate.allowDecimal) == (0.0, True)
    assert isinstance(short, dmc.Select)
    assert (short.value, leave.value, leave.data) == ("false", "cross", ["cross", "none"])
    assert isinstance(stop, dmc.NumberInput)
    assert fast.id == {"form": "bot", "parameter": "fast"}


def test_what_is_empty_keeps_its_default() -> None:
    ids = [forms.parameter_id("bot", name) for name in ("fast", "rate", "short")]
    assert forms.read(ids, [3, "", "true"]) == {"fast": 3, "short": "true"}


@pytest.mark.parametrize("tag", Registry.load(None).list())
def test_the_untouched_form_of_every_strategy_is_its_defaults(tag: str) -> None:
    registry = Registry.load(None)
    inputs = [each for each in forms.parameters("bot", registry.schema(tag)) if hasattr(each, "value")]
    given = forms.read([each.id for each in inputs], [each.value for each in inputs])
    assert registry.build(tag, given, text=True) == registry.build(tag)


@pytest.mark.parametrize(("value", "step"), [(0.02, 0.005), (0.001, 0.001), (2.0, 0.5), (14.0, 1.0), (None, 0.01)])
def test_steps_suit_the_size_of_the_value(value: float | None, step: float) -> None:
    assert forms.step(value) == step
