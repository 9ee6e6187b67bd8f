"""Messages of the archive as one recording."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from onetape.archive.parquet import messages
from onetape.cli.venue import _recording
from onetape.domain.errors import BadInput

TS = 1_600_000_000_000_000


def text(channel: str, ts_ms: int) -> str:
    row = {"instId": "BTC-USDT", "tradeId": str(ts_ms), "px": "5", "sz": "1", "side": "buy", "ts": str(ts_ms)}
    return json.dumps({"arg": {"channel": channel, "instId": "BTC-USDT"}, "data": [row]})


def write(file: Path, rows: list[tuple[int, int, str]]) -> None:
    """(receipt, sequence, text), as the archive lays them out."""
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pl.DataFrame(rows, {"recv_ts": pl.Int64(), "seq": pl.Int64(), "data": pl.String()}, orient="row")
    time = pl.from_epoch(pl.col("recv_ts"), "us").dt.replace_time_zone("UTC")
    table.with_columns(time, time.alias("timestamp")).write_parquet(file)


def test_files_of_a_folder_are_merged_in_the_order_of_receipt(tmp_path: Path) -> None:
    write(tmp_path / "trades" / "2020-09-13.parquet", [(TS, 1, "a"), (TS + 2, 3, "c"), (TS + 2, 4, "d")])
    write(tmp_path / "book" / "2020-09-13.parquet", [(TS + 1, 2, "b"), (TS + 3, 5, "e")])
    assert messages(tmp_path) == [(TS, "a"), (TS + 1, "b"), (TS + 2, "c"), (TS + 2, "d"), (TS + 3, "e")]
    assert messages(tmp_path / "book" / "2020-09-13.parquet") == [(TS + 1, "b"), (TS + 3, "e")]


def test_an_archive_becomes_what_the_venue_plays(tmp_path: Path) -> None:
    first, second = text("trades", TS // 1_000), text("trades-all", TS // 1_000 + 1)
    write(tmp_path / "x.parquet", [(TS, 1, first), (TS + 1_000, 2, second), (TS + 1_000, 3, '{"code":"0","data":[]}')])
    assert [(push.channel, push.text) for push in _recording(tmp_path)] == [("trades", first), ("trades-all", second)]


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.parquet").write_bytes(b"odd")
    with pytest.raises(BadInput, match="no archive of messages"):
        messages(tmp_path / "odd.parquet")
    (tmp_path / "odd.parquet").unlink()
    with pytest.raises(BadInput, match="without a message"):
        _recording(tmp_path)
