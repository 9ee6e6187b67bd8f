"""A backtest on what the collector stored: trades, an order book and funding rates of a real database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onetape.app.recorded import recording
from onetape.app.wiring import open_platform
from onetape.backtest.candles import Chosen
from onetape.backtest.used import used_of
from onetape.domain.errors import Refused
from onetape.domain.frame import CandleFrame
from onetape.domain.instrument import Instrument, Kind
from onetape.domain.market import Gap, RawFrame
from onetape.domain.results import BacktestSpec
from onetape.domain.units import HOUR, MINUTE, SECOND, Micros, parse_time
from onetape.settings import Settings

NOON = parse_time("2026-03-01T12:00")
SWAP = "BTC-USDT-SWAP"


def message(channel: str, name: str, ts: Micros, seq: int, row: dict[str, Any], action: str = "") -> RawFrame:
    document: dict[str, Any] = {"arg": {"channel": channel, "instId": SWAP}, "data": [row]}
    if action:
        document["action"] = action
    return RawFrame("okx", SWAP, name, ts, ts + 3_000, seq, json.dumps(document).encode())


def trade(seconds: float, price: str, number: int) -> RawFrame:
    ts = NOON + round(seconds * SECOND)
    row = {"instId": SWAP, "tradeId": str(number), "px": price, "sz": "50", "side": "buy", "ts": str(ts // 1000)}
    return message("trades", "trades", ts, number, row)


def rate(ts: Micros, value: str, due_ts: Micros) -> RawFrame:
    row = {
        "fundingRate": value, "fundingTime": str(due_ts // 1000), "nextFundingTime": str((due_ts + 8 * HOUR) // 1000),
        "instId": SWAP, "instType": "SWAP", "ts": str(ts // 1000),
    }  # fmt: skip
    return message("funding-rate", "funding", ts, ts % 1_000, row)


def snapshot(seconds: float) -> RawFrame:
    ts = NOON + round(seconds * SECOND)
    row = {
        "bids": [["99.5", "100", "0", "1"]], "asks": [["100.5", "300", "0", "1"]],
        "ts": str(ts // 1000), "seqId": 10, "prevSeqId": -1,
    }  # fmt: skip
    return message("books", "book", ts, 2_000, row, "snapshot")


FRAMES = [
    trade(65, "100", 1), trade(80, "102", 2), trade(95, "99", 3), trade(110, "101", 4), trade(125, "101", 5),
    snapshot(61), rate(NOON - HOUR, "0.0003", NOON + MINUTE), rate(NOON + SECOND, "0.0004", NOON + MINUTE),
]  # fmt: skip
# contracts of 0.01: a trade of 50 is 0.5; the candle from 120 s on has traded more than the one that was recorded
ROWS = [(100, 100, 100, 100, 1.0), (100, 102, 99, 101, 2.0), (101, 101, 101, 101, 3.0)]


def candles() -> CandleFrame:
    table = np.array(ROWS)
    columns: dict[str, object] = dict(zip(("open", "high", "low", "close", "volume"), table.T, strict=True))
    return CandleFrame.of("okx", SWAP, "1m", columns | {"ts": NOON + np.arange(3) * MINUTE})


async def test_trades_books_and_rates_of_the_store_are_used_and_said(
    tmp_path: Path, database_url: str, redis_url: str
) -> None:
    asked = BacktestSpec(strategy="x", exchange="okx", symbol=SWAP, timeframe="1m")
    chosen = Chosen(candles(), candles())
    settings = Settings(data_dir=tmp_path, database_url=database_url, redis_url=redis_url)
    async with open_platform(settings) as platform:
        add = recording(platform)
        assert (await add(chosen, asked)).recorded is chosen.recorded  # nothing is stored
        await platform.raw.append(FRAMES)
        await platform.candles.add_gaps([Gap("okx", SWAP, "trades", NOON, NOON + 30 * SECOND, "the line was down")])
        told = used_of(asked, candles(), (await add(chosen, asked)).recorded).told
        assert told is not None
        assert told.notes[0].startswith(f"The contract size of okx:{SWAP} is not known")
        with pytest.raises(Refused, match="contract size"):
            await add(chosen, BacktestSpec(strategy="x", detail="prints"))
        await platform.candles.put_instruments(
            [Instrument(exchange="okx", symbol=SWAP, kind=Kind.SWAP, base="BTC", quote="USDT", contract_size=0.01)]
        )
        found = (await add(chosen, asked)).recorded
        plain = (await add(chosen, BacktestSpec(strategy="x", detail="candles", funding=False))).recorded
    assert found.qty.tolist() == [0.5] * 5
    assert found.depth[0, 0].tolist() == [99.5, 1.0, 100.5, 3.0]
    assert (found.funding_ts.tolist(), found.funding_rate.tolist()) == ([NOON + MINUTE], [0.0004])
    told = used_of(asked, candles(), found).told
    assert told is not None
    assert (told.prints, round(told.prints_share, 3), round(told.books_share, 3)) == (4, 0.333, 0.333)
    assert (told.funding, told.funding_missing, told.notes) == (1, 0, [])
    assert len(plain.print_ts) == len(plain.depth_ts) == len(plain.funding_ts) == 0
