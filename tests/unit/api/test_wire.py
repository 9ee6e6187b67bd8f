"""How numbers are written."""

from __future__ import annotations

import pytest

from onetape.api import wire


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10_000.0, "10000.00"),
        (0.1 + 0.2, "0.30"),
        (-0.5, "-0.50"),
        (1e-9, "0.00"),
        (-1e-12, "0.00"),
        (1.23456789, "1.23456789"),
    ],
)
def test_money_is_a_plain_decimal_with_two_places_at_least(value: float, text: str) -> None:
    assert wire.money(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (3.0, "3"), (0.0, "0"), (-0.0, "0"), (1e-8, "0.00000001"), (100.0, "100")]
)
def test_quantities_have_no_trailing_zeros(value: float, text: str) -> None:
    assert wire.quantity(value) == text
