"""Funding rates from files, in the layouts in which they are published."""

from __future__ import annotations

from pathlib import Path

import pytest

from onetape.archive.funding import read_rates
from onetape.backtest.recorded import from_rates
from onetape.domain.errors import BadInput
from onetape.domain.units import HOUR, parse_time

AT = parse_time("2024-02-01")
MILLIS = AT // 1_000


@pytest.mark.parametrize(
    "text",
    [
        f"calc_time,funding_interval_hours,last_funding_rate\n{MILLIS},8,0.0001\n{MILLIS + 28_800_000},8,-0.0002\n",
        f"symbol,fundingTime,fundingRate\nBTCUSDT,{MILLIS},0.0001\nBTCUSDT,{MILLIS + 28_800_000},-0.0002\n",
        f"instId,fundingRate,realizedRate,fundingTime\nX,9,0.0001,{MILLIS}\nX,9,-0.0002,{MILLIS + 28_800_000}\n",
        "time,rate\n2024-02-01 00:00,0.0001\n2024-02-01 08:00,-0.0002\n",
    ],
    ids=["Binance's dump", "Binance's API", "OKX's history", "by hand"],
)
def test_each_layout_gives_times_and_rates(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(text)
    ts, rate = read_rates(file)
    assert ts.tolist() == [AT, AT + 8 * HOUR]
    assert rate.tolist() == [0.0001, -0.0002]


def test_a_rate_that_is_none_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("time,rate\n2024-02-01,0.0001\n2024-02-02,\n")
    with pytest.raises(BadInput, match=r"line 3, column 2 \(rate\)"):
        read_rates(file)
    file.write_text("time,rate\n2024-02-01,1.5\n")
    with pytest.raises(BadInput, match=r"line 2, column 2 \(rate\).*from -0.1 to 0.1"):
        read_rates(file)


def test_a_table_without_a_rate_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("time,price\n2024-02-01,1.5\n")
    with pytest.raises(BadInput, match="no table of funding rates"):
        read_rates(file)


def test_rates_are_put_in_order_and_the_later_word_counts(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("time,rate\n2024-02-01 08:00,0.1\n2024-02-01 00:00,0.02\n2024-02-01 08:00,0.03\n")
    found = from_rates(*read_rates(file))
    assert found.funding_ts.tolist() == [AT, AT + 8 * HOUR]
    assert found.funding_rate.tolist() == [0.02, 0.03]
    assert found.funding_every == 8 * HOUR


def test_a_recorded_year_of_rates_is_read(shared_data: Path) -> None:
    ts, rate = read_rates(shared_data / "pairs/binance_um_BTC_USDT_USDT-8h-funding_rate.feather")
    assert len(ts) == 1_247
    assert (float(rate.min()), float(rate.max())) == (-0.00015178, 0.0001)
    assert set((ts[1:] - ts[:-1]).tolist()) == {8 * HOUR}
