"""Commands set up logging for their process; a test gives it back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(autouse=True)
def data_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run is entered in a ledger under the data directory: not in that of the person who runs the tests."""
    monkeypatch.setenv("ONETAPE_DATA_DIR", str(tmp_path / "data"))
