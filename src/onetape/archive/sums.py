"""Whether a file of the archive is still what was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

from onetape.domain.errors import OnetapeError


class Damaged(OnetapeError):
    """A file of the archive is missing or is not what was written."""


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
