"""The flags that say how real a run is, as a person gives them."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from onetape.cli.costs import add_costs, costs_of, with_costs
from onetape.cli.main import main
from onetape.cli.output import Parser
from onetape.domain.accounts import Costs, Execution, RiskLimits, Terms
from onetape.domain.errors import BadInput
from onetape.domain.results import BacktestSpec


def asked(*args: str) -> argparse.Namespace:
    parser = Parser(prog="onetape backtest")
    add_costs(parser)
    return parser.parse_args(args)


def spec(*args: str) -> BacktestSpec:
    return with_costs(BacktestSpec(strategy="", limits=RiskLimits(allow_short=1.0)), costs_of(asked(*args)))


def test_without_a_flag_the_question_is_the_plain_one() -> None:
    assert spec() == BacktestSpec(strategy="", limits=RiskLimits(allow_short=1.0))


def test_a_preset_gives_both_fees_and_a_stated_fee_wins_over_it() -> None:
    assert spec("--fees", "bybit:swap:vip1").costs == Costs(0.00018, 0.0004)
    assert spec("--fees", "BYBIT:swap").costs == Costs(0.0002, 0.00055)
    assert spec("--fees", "none").costs == Costs(0.0, 0.0)
    assert spec("--fees", "bybit:swap:vip1", "--fee-taker", "0.0007").costs == Costs(0.00018, 0.0007)
    assert spec("--fee-maker", "-0.0001").costs == Costs(-0.0001, 0.001)


def test_every_flag_arrives_in_its_place() -> None:
    found = spec(
        "--slippage", "0.0001", "--spread", "0.0002", "--impact-share", "0.5", "--impact-root", "0.1",
        "--latency", "200ms", "--data-latency", "50ms", "--volume-share", "0.1", "--force", "post_only",
        "--order-life", "5m", "--stop-limit", "0.001", "--leverage", "5", "--max-exposure", "3",
        "--band", "0.05", "--maintenance", "0.004",
    )  # fmt: skip
    assert found.costs == Costs(0.0008, 0.001, 0.0001, 0.0002, 0.5, 0.1)
    assert found.execution == Execution(250_000.0, 0.1, 3.0, 300_000_000.0, 0.001)
    assert found.limits == RiskLimits(3.0, allow_short=1.0, leverage=5.0)
    assert found.terms == Terms(maintenance=0.004, band=0.05)


def test_a_leverage_alone_allows_positions_up_to_it() -> None:
    assert spec("--leverage", "5").limits.max_exposure == 5.0


@pytest.mark.parametrize(
    ("args", "field", "says"),
    [
        (("--fees", "okx:spt"), "--fees", "Did you mean okx:spot"),
        (("--fee-taker", "0.2"), "--fee-taker", "0.1 %"),
        (("--slippage", "-0.1"), "--slippage", "between 0 and 0.1"),
        (("--latency", "200"), "--latency", "Write 200ms"),
        (("--latency", "2d"), "--latency", "longer than 1 day"),
        (("--volume-share", "1.5"), "--volume-share", "between 0 and 1"),
        (("--leverage", "0.5"), "--leverage", "between 1 and 125"),
        (("--max-exposure", "2"), "--max-exposure", "more needs --leverage"),
        (("--max-exposure", "6", "--leverage", "5"), "--max-exposure", "at most 5"),
        (("--spread", "nan"), "--spread", "between"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_flag(args: tuple[str, ...], field: str, says: str) -> None:
    with pytest.raises(BadInput) as caught:
        costs_of(asked(*args))
    assert caught.value.field == field
    assert says in str(caught.value)


def test_fees_are_listed_with_the_day_they_were_looked_up(capsys: Any) -> None:
    assert main(["fees", "okx:spot"]) == 0
    told = capsys.readouterr().out
    assert "okx:spot:regular" in told
    assert "binance" not in told
    assert "Looked up 2026-11-25" in told


def test_fees_as_json_name_their_source(capsys: Any) -> None:
    assert main(["fees", "--json"]) == 0
    found = {one["preset"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["binance:swap:regular"]["taker"] == 0.0005
    assert all(one["source"] and one["looked_up"] for one in found.values())
    assert {name.split(":")[0] for name in found} == {"okx", "binance", "bybit", "kraken", "coinbase"}
    assert all(-0.01 <= one["maker"] <= one["taker"] <= 0.1 for one in found.values())


def test_an_unknown_venue_is_a_sentence(capsys: Any) -> None:
    assert main(["fees", "mtgox"]) == 2
    assert "There are: okx" in capsys.readouterr().err
