"""How long a person waits for the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from bench.timing import Row, timed


def rows() -> Iterator[Row]:
    for words, target in ((["--help"], 400.0), (["backtest", "--help"], None)):
        command = [sys.executable, "-m", "onetape", *words]
        yield timed(
            "start",
            "onetape " + " ".join(words),
            lambda command=command: subprocess.run(command, capture_output=True, check=True),  # type: ignore[misc]
            times=7,
            target=target,
        )
