from __future__ import annotations

import pytest

from onetape.domain.addresses import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql://me:s/e:c@ret@host/db", "postgresql://me:***@host/db"),
        ("redis://:secret@host/0", "redis://:***@host/0"),
        ("me:secret@host", "me:***@host"),
        ("unix:///run/x.sock", "unix:///run/x.sock"),
        ("", ""),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
