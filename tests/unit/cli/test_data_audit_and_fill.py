"""`onetape data audit` and `onetape data fill`."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
import pytest

from onetape.cli.data import auditing, downloading, filling
from onetape.domain.errors import Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.market import Origin
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


class Lacking:
    """A venue whose hour has no candles of the minutes 7 and 8."""

    exchange, timeframes, past = "okx", frozenset(("1m",)), None

    async def now(self) -> int:
        return 60 * MINUTE

    async def history(self, symbol: str, timeframe: Timeframe, start_ts: int, end_ts: int) -> Any:
        ts = np.array([at for at in range(start_ts, end_ts, MINUTE) if at // MINUTE not in (7, 8)], np.int64)
        ones = dict.fromkeys(("open", "high", "low", "close", "volume"), np.ones(len(ts)))
        yield CandleFrame.of("okx", symbol, timeframe, {"ts": ts, **ones})

    async def past_trades(self, symbol: str, start_ts: int, end_ts: int) -> Any:
        raise Refused(f"no past trades of {symbol} in {start_ts} to {end_ts}.")
        yield

    async def close(self) -> None: ...


@pytest.mark.parametrize(("asked", "made"), [(True, 2), (False, 0)])
async def test_a_download_makes_up_what_the_venue_lacks_only_where_it_is_asked_to(
    asked: bool, made: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    platform: Any = Opened()
    platform.budgets = None
    monkeypatch.setattr("onetape.app.feeds.open_feed", lambda *_, **__: Lacking())
    given = {"symbol": "BTC-USDT", "exchange": "okx", "timeframe": "1m", "since": "1970-01-01T00:01Z", "until": ""}
    assert await downloading.run(platform, wish(**given, fill=asked, json=True)) == 0
    told = capsys.readouterr().out
    (series,) = json.loads(told[told.index("{") :])["series"]
    assert (series["stored"], series["missing"], series["synthetic"]) == (57, 2, made)
    stored = await platform.candles.load("okx", "BTC-USDT", Timeframe.parse("1m"), None, None)
    assert stored.ts[stored.origin == Origin.SYNTHETIC].tolist() == [7 * MINUTE, 8 * MINUTE][:made]
    assert len(stored) == 57 + made
    await downloading.run(platform, wish(**given, fill=True))
    assert ("marked synthetic" in capsys.readouterr().out) is not asked  # what is there is not made again


async def test_fill_says_how_many_candles_were_made_up(capsys: pytest.CaptureFixture[str]) -> None:
    platform: Any = Opened()
    ones = dict.fromkeys(("open", "high", "low", "close", "volume"), np.ones(2))
    columns: dict[str, object] = {"ts": np.array([0, 4]) * MINUTE, **ones}
    await platform.candles.append(CandleFrame.of("okx", "BTC-USDT", "1m", columns))
    assert await filling.run(platform, wish(symbol="btc-usdt", timeframe="1m")) == 0
    assert "3 candles were made up" in capsys.readouterr().out
    assert await filling.run(platform, wish(symbol="btc-usdt", timeframe="1m", json=True)) == 0
    assert json.loads(capsys.readouterr().out)["synthetic"] == 0
