"""Where the recorded sample lies: 60 days of real one-minute BTC/USD candles, as the exchange answered."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

NAME: Final = "btcusd_bitfinex_1m_2019-05-15_2019-07-13.csv.gz"


def sample_path() -> Path:
    """The file; its origin is in the README beside it."""
    return Path(str(files(__name__).joinpath(NAME)))
