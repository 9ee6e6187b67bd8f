"""`onetape data compare` on stored candles."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import pytest

from onetape.cli.data import comparing
from onetape.domain.errors import BadInput, NotFound
from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE
from onetape.storage.memory import MemoryCandleStore

START = 1_600_002_000_000_000 - 1_600_002_000_000_000 % (1_440 * MINUTE)


class Opened:
    """The part of a platform that the verb needs."""

    def __init__(self) -> None:
        self.candles = MemoryCandleStore()


async def opened() -> Any:
    platform = Opened()
    close = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.001, 6_000)))
    for exchange, symbol, premium in (("okx", "BTC-USDT", 1.0), ("kraken", "BTC-USD", 1.001)):
        columns: dict[str, object] = {
            "ts": START + np.arange(6_000) * MINUTE,
            **dict.fromkeys(("open", "high", "low", "close"), close * premium),
            "volume": np.ones(6_000),
        }
        await platform.candles.append(CandleFrame.of(exchange, symbol, "1m", columns))
    return platform


def wish(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    comparing.arguments(parser)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(["--symbol", "BTC/USDT", *flags])


async def test_two_exchanges_are_compared_on_a_timeframe_that_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    platform = await opened()
    assert await comparing.run(platform, wish("--exchanges", "okx,kraken:BTC-USD", "--timeframe", "1h", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["second"] == {"exchange": "kraken", "symbol": "BTC-USD"}
    assert (told["both"], told["only_first"], told["only_second"], told["lag"]) == (100, 0, 0, 0)
    assert told["median_bps"] == pytest.approx(10.0)  # one per mille
    assert told["correlation"] == 1.0
    await comparing.run(platform, wish("--exchanges", "okx,kraken:BTC-USD"))
    text = capsys.readouterr().out
    assert "kraken BTC-USD against okx BTC-USDT, 1h, 2020-09-13 00:00 to 2020-09-17 04:00 UTC" in text
    assert "neither follows the other" in text


async def test_what_cannot_be_compared_is_said() -> None:
    platform = await opened()
    with pytest.raises(BadInput, match="--exchanges is 'okx': not two exchanges"):
        await comparing.run(platform, wish("--exchanges", "okx"))
    with pytest.raises(NotFound, match="kraken:BTC-USDT"):
        await comparing.run(platform, wish("--exchanges", "okx,kraken"))
