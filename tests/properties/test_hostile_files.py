"""Files that are damaged or are something else: refused in words or read up to the damage, never a crash."""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onetape import archive
from onetape.domain.errors import BadInput
from onetape.domain.market import Gap, RawFrame
from onetape.storage.spool import DiskSpool
from onetape.venue.recording import read_file

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

CSV = (
    b"timestamp,open,high,low,close,volume\n1546300800,1,2,0.5,1.5,10\n1546300860,1.5,3,1,2,11\n1546300920,2,2,1,1,0\n"
)
LINES = (
    b'1652459225.50: {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"3",'
    b'"px":"30236","sz":"0.0002","side":"buy","ts":"1652459224818"}]}\n'
    b'1723161255088176367 {"stream":"btcusdt@trade","data":{"e":"trade","T":1723161256322,"s":"BTCUSDT","t":5,'
    b'"p":"61800.30","q":"0.006","X":"MARKET","m":false}}\n'
)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Cut, overwritten, or with something put in."""
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 30)))
    odd = st.sampled_from([b"nan", b"inf", b"-1", b"1e999", b",", b"\n", b"\x00", b'"', b"9" * 30, b"\xff"])
    return whole[:start] + draw(st.binary(max_size=20) | odd) + whole[end:]


@QUICK
@given(damaged(CSV) | st.binary(max_size=200))
def test_a_candle_file_gives_possible_candles_or_is_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "BTC-USDT_1m.csv"
        file.write_bytes(content)
        try:
            frame = archive.read(file, symbol="BTC-USDT", exchange="okx", timeframe="1m").frame
        except BadInput:
            return
    prices = np.stack([frame.open, frame.high, frame.low, frame.close])
    assert np.isfinite(prices).all()
    assert (prices > 0).all()
    assert np.isfinite(frame.volume).all()
    assert (frame.volume >= 0).all()
    assert (np.diff(frame.ts) > 0).all()


@QUICK
@given(damaged(LINES) | st.binary(max_size=200))
def test_a_recording_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "recording"
        file.write_bytes(content)
        try:
            pushes = read_file(file)
        except BadInput:
            return
    assert all(isinstance(push.data, list) for push in pushes)


def _zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive_file:
        archive_file.writestr("BTCUSDT-1m-2019-01.csv", CSV)
    return packed.getvalue()


@QUICK
@given(damaged(_zipped()))
def test_a_damaged_zip_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "BTCUSDT-1m-2019-01.zip"
        file.write_bytes(content)
        with contextlib.suppress(BadInput):
            archive.read(file, symbol="BTC-USDT", exchange="okx", timeframe="1m")


def test_a_zip_whose_file_has_no_name_is_refused() -> None:
    whole = _zipped()
    start = whole.index(b"PK\x01\x02")
    nameless = (
        whole[: start + 46] + b"\x00" + whole[start + 47 :]
    )  # found by fuzzing: the library looks at its last letter
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "a.zip"
        file.write_bytes(nameless)
        with pytest.raises(BadInput, match="not a zip that can be read"):
            archive.read(file, symbol="BTC-USDT", exchange="okx", timeframe="1m")


FRAMES = [RawFrame("okx", "BTC-USDT", "trades", 1_000 * i, 1_000 * i + 5, i, b'{"n":%d}' % i) for i in range(4)]


@QUICK
@given(st.data())
async def test_a_damaged_spool_gives_what_is_whole_in_order_and_can_be_written_on(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name, structlog.testing.capture_logs():
        folder = Path(name)
        spool = DiskSpool(folder, 10**6)
        for frame in FRAMES:
            assert await spool.write([frame])
        spool.close()
        (part,) = folder.glob("*.spool")
        whole = part.read_bytes()
        part.write_bytes(data.draw(damaged(whole)))
        again = DiskSpool(folder, 10**6)
        items: list[RawFrame | Gap] = []
        while found := await again.oldest():
            items += found
            await again.done()
        read = [item for item in items if isinstance(item, RawFrame)]
        assert read == [frame for frame in FRAMES if frame in read]
        assert await again.write(FRAMES)
        assert await again.oldest() == FRAMES
        again.close()
