"""Every block of docs/writing-a-strategy.md does what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from onetape import Market, Portfolio
from onetape.backtest.dispatch import run
from onetape.cli.main import VERBS
from onetape.domain.frame import resample
from onetape.domain.results import BacktestSpec
from onetape.strategies.gate import check
from onetape.strategies.registry import Registry

PAGE = Path(__file__).resolve().parents[3] / "docs" / "writing-a-strategy.md"
BLOCKS = re.findall(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files, in the folder that the page speaks of."""
    place = tmp_path_factory.mktemp("guide") / "my-strategies"
    place.mkdir()
    for language, name, text in BLOCKS:
        if name:
            assert language == "python"
            (place / name).write_text(text, encoding="utf-8")
    return place


def test_the_page_has_the_blocks_that_are_tested_here() -> None:
    assert {language for language, _, _ in BLOCKS} == {"python", "console", "json"}
    assert len([name for _, name, _ in BLOCKS if name]) == 7


@pytest.mark.parametrize("tag", ["calm_trend", "pair", "streaks", "with_the_tide"])
def test_each_strategy_of_the_page_loads_speaks_and_passes_the_gate(tag: str, folder: Path, sample) -> None:
    registry = Registry.load(folder)
    assert registry.errors == ()
    report = check(registry.build(tag), sample.rows(0, 20_000))
    assert report.ok, (report.causal.evidence, report.finite_memory.evidence)


@pytest.mark.parametrize("tag", ["dip_buyer", "weekday_drift"])
def test_strategies_of_other_kinds_on_the_page_trade(tag: str, folder: Path, sample) -> None:
    registry = Registry.load(folder)
    assert registry.errors == ()
    frame = resample(sample, "15m")
    spec = BacktestSpec(strategy=tag, exchange=frame.exchange, symbol=frame.symbol, timeframe="15m")
    result = run(spec, frame, sample, registry.build(tag))
    assert result.metrics["trades"] > 10


def test_the_portfolio_of_the_page_holds_the_same_share_of_each_once_a_day(folder: Path, sample) -> None:
    market = Market(resample(sample, "1h"))
    strategy = Registry.load(folder).build("halves")
    assert isinstance(strategy, Portfolio)
    values = strategy.weights({"A-B": market, "C-D": market}).values
    said = ~np.isnan(values[:, 0])
    assert values.shape == (len(market), 2)
    assert (values[said] == 0.475).all()
    assert said.sum() == (market.ts // 3_600_000_000 % 24 == 23).sum()


def test_the_lines_of_python_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.parent)
    (block,) = [text for language, name, text in BLOCKS if language == "python" and not name and "check(" in text]
    exec(compile(block, "writing-a-strategy.md", "exec"), {})
    assert capsys.readouterr().out.startswith("True 6 other futures after each of ")


def test_the_commands_are_ones_that_exist(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from onetape.cli.main import main

    monkeypatch.chdir(folder.parent)
    (console,) = [text for language, _, text in BLOCKS if language == "console"]
    for line in console.splitlines():
        dollar, program, verb, *rest = line.split()
        assert (dollar, program) == ("$", "onetape")
        assert verb in VERBS
        if verb == "verify":
            assert main([verb, *rest]) == 0
            assert "holds  causal" in capsys.readouterr().out


def test_the_document_shown_is_json_with_the_real_fields(faulty: Path, sample) -> None:
    (shown,) = [json.loads(text) for language, _, text in BLOCKS if language == "json"]
    real = check(Registry.load(faulty).build("tomorrow"), sample).causal
    for field in ("ok", "time", "row", "column", "expected", "got"):
        assert shown["causal"][field] == getattr(real, field)
    assert real.evidence.startswith(shown["causal"]["evidence"].removesuffix(" ..."))
