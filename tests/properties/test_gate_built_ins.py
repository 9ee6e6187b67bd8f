"""Every built-in strategy is causal and of finite memory, whatever its parameters, on real prices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onetape.archive import sample_frame
from onetape.domain.errors import BadInput
from onetape.domain.frame import CandleFrame, resample
from onetape.strategies.contract import AnyStrategy, Kind
from onetape.strategies.gate import check
from onetape.strategies.registry import BUILT_IN, Registry

REGISTRY = Registry.load(None)
TAGS = [one.name() for one in BUILT_IN]
INDICATORS = [one.name() for one in BUILT_IN if one.kind != Kind.LEARNING]  # of any parameters, few allow a fit
LARGEST = 40  # periods above it need more candles than a test should take


@pytest.fixture(scope="module")
def sample() -> CandleFrame:
    return sample_frame()


def values(field: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Any value that the schema of a parameter allows, up to LARGEST."""
    if "enum" in field:
        return st.sampled_from(field["enum"])
    if field["type"] == "boolean":
        return st.booleans()
    most = field.get("maximum", field.get("exclusiveMaximum", LARGEST))
    low, high = field.get("minimum", 0.01), min(most, LARGEST)
    if field["type"] == "integer":
        return st.integers(low, high)
    ends = {"exclude_min": "exclusiveMinimum" in field, "exclude_max": "exclusiveMaximum" in field}
    return st.floats(low, min(most, 100.0), **ends)


def parameters(tag: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({n: values(f) for n, f in REGISTRY.schema(tag)["properties"].items()})


def built(tag: str, chosen: dict[str, Any]) -> AnyStrategy:
    """With all of these parameters, or, where they do not go together, with one of them beside the defaults."""
    for some in (chosen, *({name: value} for name, value in chosen.items())):
        try:
            return REGISTRY.build(tag, some)
        except BadInput:
            continue
    return REGISTRY.build(tag)


def _needed(tag: str) -> None:
    if tag == "learned_direction":
        pytest.importorskip("sklearn", reason="an extra that is not installed")


@pytest.mark.parametrize("tag", TAGS)
def test_defaults_pass_the_gate_on_the_whole_sample(tag: str, sample: CandleFrame) -> None:
    _needed(tag)
    report = check(REGISTRY.build(tag), sample)
    assert report.ok, (report.causal.evidence, report.finite_memory.evidence)


@pytest.mark.parametrize("tag", TAGS)
def test_defaults_pass_the_gate_on_five_minutes_with_holes(tag: str, sample: CandleFrame) -> None:
    _needed(tag)
    report = check(REGISTRY.build(tag), resample(sample, "5m").rows(3, 9000))
    assert report.ok, (report.causal.evidence, report.finite_memory.evidence)


@pytest.mark.parametrize("tag", INDICATORS)
@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_parameters_pass_the_gate(tag: str, sample: CandleFrame, data: st.DataObject) -> None:
    chosen = data.draw(parameters(tag))
    start = data.draw(st.integers(0, 60_000))
    strategy = built(tag, chosen)
    report = check(strategy, sample.rows(start, start + 6000))
    assert report.ok, (chosen, start, report.causal.evidence, report.finite_memory.evidence)
