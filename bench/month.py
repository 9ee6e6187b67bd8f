"""`python -m bench.month DATABASE_URL`: imports a month of one-minute candles, for reads to suffer from."""

from __future__ import annotations

import asyncio
import sys

import numpy as np

from bench.tables import START
from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.storage.candles import PgCandleStore
from onetape.storage.pool import open_pool

ROWS = 43_200


async def main() -> None:
    pool = await open_pool(sys.argv[1])
    prices = 100 + np.arange(ROWS) % 7.0
    columns: dict[str, object] = {
        "ts": START + np.arange(ROWS) * MINUTE, "open": prices, "high": prices + 5, "low": prices - 5,
        "close": prices + 1, "volume": np.ones(ROWS),
    }  # fmt: skip
    await PgCandleStore(pool).append(CandleFrame.of("bench", "NEW", "1m", columns))
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main())
