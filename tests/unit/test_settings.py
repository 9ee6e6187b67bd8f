"""Settings from the environment: what cannot be used is refused with the variable's name."""

from __future__ import annotations

import pytest

from onetape.domain.errors import BadInput
from onetape.settings import Settings


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("ONETAPE_PORT", "abc"),
        ("ONETAPE_PORT", "65536"),
        ("ONETAPE_VENUE_SPEED", "-4"),
        ("ONETAPE_LOG_LEVEL", "loud"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(BadInput, match=f"{variable} is '{text}': not usable"):
        Settings()


def test_a_variable_that_can_be_used_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONETAPE_PORT", "9000")
    assert Settings().port == 9000
