"""`onetape data audit` and `onetape data fill`."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import pytest

from onetape.cli.data import auditing, filling
from onetape.domain.frame import CandleFrame
from onetape.domain.units import MINUTE, Timeframe
from onetape.ports import AuditCount, Verdict
from onetape.settings import Settings
from onetape.storage.memory import MemoryCandleStore


class Audits:
    """`counts` and `differences` as a test writes them."""

    def __init__(self, *counts: AuditCount, differing: tuple[Verdict, ...] = ()) -> None:
        self._counts, self._differing = list(counts), list(differing)

    async def judged(self, verdicts: Any) -> None:
        raise AssertionError("a reader writes nothing")

    async def counts(self, exchange: str | None = None, symbol: str | None = None) -> list[AuditCount]:
        return [one for one in self._counts if symbol in (None, one.symbol)]

    async def differences(self, exchange: str, symbol: str, timeframe: Timeframe, limit: int = 100) -> list[Verdict]:
        return [one for one in self._differing if (one.symbol, one.timeframe) == (symbol, str(timeframe))][:limit]


class Opened:
    """The part of a platform that the verbs need."""

    def __init__(self, audits: Audits | None = None) -> None:
        self.candles, self.audits, self.settings = MemoryCandleStore(), audits or Audits(), Settings()


def count(verdict: str, candles: int) -> AuditCount:
    return AuditCount("okx", "BTC-USDT", "1m", verdict, candles)


def wish(**given: Any) -> argparse.Namespace:
    names = ("symbol", "exchange", "timeframe", "since", "until")
    return argparse.Namespace(**(dict.fromkeys(names) | {"json": False} | given))


async def test_differences_are_shown_and_end_with_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    one = Verdict("okx", "BTC-USDT", "1m", MINUTE, "missing trades", [10, 12, 9, 11, 3, 30], [10, 12, 9, 11, 2.5, 25])
    platform: Any = Opened(Audits(count("equal", 1_200), count("missing trades", 1), differing=(one,)))
    assert await auditing.run(platform, wish()) == 3
    told = capsys.readouterr().out
    assert "1,200" in told
    assert "1970-01-01 00:01  missing trades: the venue says open 10, high 12, low 9, close 11, volume 3;" in told
    assert "received open 10, high 12, low 9, close 11, volume 2.5" in told
    assert await auditing.run(platform, wish(json=True)) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["differences"][0]["built"][4] == 2.5


async def test_equal_candles_and_rounding_are_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    platform: Any = Opened(Audits(count("equal", 9), count("not judged", 1)))
    assert await auditing.run(platform, wish()) == 0
    assert "No candle differs from its trades." in capsys.readouterr().out
    assert await auditing.run(platform, wish(symbol="ETH-USDT")) == 0
    assert "No candle was compared yet" in capsys.readouterr().out


async def test_fill_says_how_many_candles_were_made_up(capsys: pytest.CaptureFixture[str]) -> None:
    platform: Any = Opened()
    ones = dict.fromkeys(("open", "high", "low", "close", "volume"), np.ones(2))
    columns: dict[str, object] = {"ts": np.array([0, 4]) * MINUTE, **ones}
    await platform.candles.append(CandleFrame.of("okx", "BTC-USDT", "1m", columns))
    assert await filling.run(platform, wish(symbol="btc-usdt", timeframe="1m")) == 0
    assert "3 candles were made up" in capsys.readouterr().out
    assert await filling.run(platform, wish(symbol="btc-usdt", timeframe="1m", json=True)) == 0
    assert json.loads(capsys.readouterr().out)["synthetic"] == 0
