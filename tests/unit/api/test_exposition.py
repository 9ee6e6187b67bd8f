"""Prometheus' text format."""

from __future__ import annotations

import math

from onetape.api.exposition import Buckets, Family, Sample, number, text


def test_a_family_is_its_help_its_type_and_its_samples() -> None:
    rows = [Sample({"symbol": "A-B"}, 2.0), Sample({}, 0.5)]
    assert text([Family("x_total", "counter", "What.", rows), Family("empty", "gauge", "None.", [])]) == (
        '# HELP x_total What.\n# TYPE x_total counter\nx_total{symbol="A-B"} 2\nx_total 0.5\n'
    )


def test_labels_are_escaped() -> None:
    assert text([Family("x", "gauge", "X.", [Sample({"a": 'q"\\\n'}, 1.0)])]).splitlines()[2] == r'x{a="q\"\\\n"} 1'


def test_numbers_are_exact_and_infinities_have_their_names() -> None:
    assert [number(value) for value in (0.1, 3.0, 1e22, math.inf, -math.inf, math.nan)] == [
        "0.1", "3", "10000000000000000000000", "+Inf", "-Inf", "NaN",
    ]  # fmt: skip


def test_buckets_count_what_is_not_above_their_bound() -> None:
    buckets = Buckets((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        buckets.add(value)
    assert buckets.samples({"r": "x"}) == [
        Sample({"r": "x", "le": "0.1"}, 2, "_bucket"),
        Sample({"r": "x", "le": "1"}, 3, "_bucket"),
        Sample({"r": "x", "le": "+Inf"}, 4, "_bucket"),
        Sample({"r": "x"}, 7.65, "_sum"),
        Sample({"r": "x"}, 4, "_count"),
    ]
