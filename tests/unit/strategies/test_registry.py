"""Strategies by tag: the built-in ones and a folder of the user's own."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from onetape import Strategy
from onetape.domain.errors import BadInput, NotFound
from onetape.strategies.contract import Kind
from onetape.strategies.registry import BUILT_IN, Registry, parse_settings

REGISTRY = Registry.load(None)
BUILT = [kind.name() for kind in BUILT_IN]

GOOD = """
from __future__ import annotations
from onetape import Market, Signals, Strategy
from onetape.strategies.contract import Period

class Mine(Strategy, frozen=True, tag="mine"):
    '''Mine   and
    nobody else's.'''
    length: Period = 7
    def warmup(self) -> int:
        return self.length
    def signals(self, market: Market) -> Signals:
        return Signals.holding(market.close * 0.0)
"""


def put(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_the_built_in_strategies_are_there() -> None:
    assert set(REGISTRY.list()) == {
        "sma_cross", "ema_cross", "rsi_reversion", "bollinger_breakout", "macd_trend", "donchian_breakout",
        "trend_pullback", "grid", "dca", "market_maker", "rotation", "ridge_returns",
        "learned_direction",
    }  # fmt: skip
    assert REGISTRY.errors == ()


@pytest.mark.parametrize("tag", BUILT)
def test_defaults_to_json_and_back(tag: str) -> None:
    strategy = REGISTRY.build(tag)
    text = msgspec.json.encode(strategy)
    assert json.loads(text)["strategy"] == tag
    assert msgspec.json.decode(text, type=REGISTRY.get(tag)) == strategy
    assert REGISTRY.build(tag, json.loads(msgspec.json.encode(strategy.parameters()))) == strategy


@pytest.mark.parametrize("tag", BUILT)
def test_schema_has_type_default_and_description_of_each_parameter_in_order(tag: str) -> None:
    schema = REGISTRY.schema(tag)
    assert list(schema["properties"]) == list(REGISTRY.get(tag).__struct_fields__)
    for name, field in schema["properties"].items():
        assert field["default"] == REGISTRY.build(tag).parameters()[name]
        assert field["description"]
        assert field.get("type") in ("integer", "number", "boolean", None)
    assert schema["additionalProperties"] is False
    assert schema["required"] == []
    assert schema["title"] == tag
    assert "onfidence" in schema["description"] or REGISTRY.get(tag).kind in (Kind.QUOTING, Kind.PORTFOLIO)


@pytest.mark.parametrize(
    ("parameters", "path", "says"),
    [
        ({"fast": 0}, "$.parameters.fast", "int >= 1"),
        ({"fast": 1.5}, "$.parameters.fast", "got float"),
        ({"fast": "ten"}, "$.parameters.fast", "got str"),
        ({"fast": None}, "$.parameters.fast", "got null"),
        ({"fast": 10**9}, "$.parameters.fast", "int <= 5000"),
        ({"slow": 10}, "$.parameters.fast", "not below slow, which is 10"),
        ({"fast": 50}, "$.parameters.fast", "not below slow, which is 50"),
        ({"exit": "sometime"}, "$.parameters.exit", "sometime"),
        ({"short": "perhaps"}, "$.parameters.short", "got str"),
        ({"quick": 1}, "$.parameters.quick", "It takes fast, slow, exit, short"),
        ({"strategy": "sma_cross"}, "$.parameters.strategy", "not a parameter"),
    ],
)
def test_bad_parameter_is_refused_with_its_path(parameters: dict[str, object], path: str, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        REGISTRY.build("sma_cross", parameters)
    assert refused.value.field == path
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("tag", "parameters"),
    [
        ("rsi_reversion", {"low": 60.0}),
        ("rsi_reversion", {"low": 0.0}),
        ("rsi_reversion", {"period": 1}),
        ("rsi_reversion", {"low": float("nan")}),
        ("bollinger_breakout", {"width": 0.0}),
        ("bollinger_breakout", {"period": 1}),
        ("macd_trend", {"fast": 26}),
        ("donchian_breakout", {"stop_ranges": -1.0}),
        ("trend_pullback", {"longer": 1}),
    ],
)
def test_rules_of_the_others_name_the_parameter(tag: str, parameters: dict[str, object]) -> None:
    with pytest.raises(BadInput) as refused:
        REGISTRY.build(tag, parameters)
    assert refused.value.field == f"$.parameters.{next(iter(parameters))}"


def test_rule_between_parameters_holds_without_the_registry_too() -> None:
    with pytest.raises(BadInput, match="not below slow"):
        REGISTRY.get("ema_cross")(fast=9, slow=3)  # type: ignore[call-arg]


def test_texts_of_the_command_line_become_numbers() -> None:
    strategy = REGISTRY.build_from_text("sma_cross", ["fast=5", "slow = 20", "exit=none", "short=true"])
    assert strategy.parameters() == {"fast": 5, "slow": 20, "exit": "none", "short": True}
    for wrong in ("fast", "=3"):
        with pytest.raises(BadInput, match="name=value"):
            parse_settings([wrong])
    with pytest.raises(BadInput, match=r"parameters\.fast"):
        REGISTRY.build_from_text("sma_cross", ["fast=soon"])


def test_unknown_tag_is_refused_with_what_there_is() -> None:
    with pytest.raises(NotFound, match=r"There are: bollinger_breakout, .*trend_pullback"):
        REGISTRY.build("nothing")


def test_own_strategy_is_found_by_its_tag(tmp_path: Path) -> None:
    registry = Registry.load(put(tmp_path, mine=GOOD, _notes="raise SystemError('not to be loaded')"))
    assert registry.list()[-1] == "mine"
    assert registry.build("mine", {"length": 9}).warmup() == 9
    assert registry.schema("mine")["description"] == "Mine and nobody else's."
    assert registry.entry("mine").file == (tmp_path / "mine.py").resolve()
    assert issubclass(registry.get("mine"), Strategy)
    assert registry.errors == ()


def test_hash_changes_with_the_file_and_only_then(tmp_path: Path) -> None:
    first = Registry.load(put(tmp_path, mine=GOOD)).source_hash("mine")
    assert Registry.load(tmp_path).source_hash("mine") == first
    changed = Registry.load(put(tmp_path, mine=GOOD.replace("= 7", "= 8")))
    assert changed.source_hash("mine") != first
    assert changed.build("mine").warmup() == 8
    assert len(first) == 64


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\ny = (2\n", "line 2 of broken.py: SyntaxError"),
        ("x = 1\n\ny = x / 0\n", "line 3 of broken.py: ZeroDivisionError: division by zero"),
        ("import nowhere_to_be_found\n", "line 1 of broken.py: ModuleNotFoundError"),
        ("class Odd(Exception):\n    pass\nraise Odd('own kind')\n", "line 3 of broken.py: Odd: own kind"),
        (GOOD.replace("'mine'", "'odd'").replace("Period = 7", "Perid = 7"), "Perid"),
        (GOOD.replace('tag="mine"', 'tag="sma_cross"'), "a tag that exists in onetape itself"),
        (GOOD, "a tag that exists in aa_mine.py"),
    ],
)
def test_broken_file_is_named_and_stops_no_other(tmp_path: Path, text: str, says: str) -> None:
    registry = Registry.load(put(tmp_path, aa_mine=GOOD, broken=text, zz=GOOD.replace('tag="mine"', 'tag="last"')))
    assert registry.list()[-2:] == ["last", "mine"]
    (error,) = registry.errors
    assert error.field == "strategy file broken.py"
    assert says in str(error)
    with pytest.raises(NotFound, match=r"broken\.py"):
        registry.get("not there")


def test_file_may_import_its_neighbour(tmp_path: Path) -> None:
    uses = GOOD.replace("length: Period = 7", "length: Period = LENGTH").replace(
        "from onetape import Market", "from _h5_neighbour import LENGTH\nfrom onetape import Market"
    )
    registry = Registry.load(put(tmp_path, mine=uses, _h5_neighbour="LENGTH = 11\n"))
    assert registry.build("mine").warmup() == 11


def test_hash_changes_with_a_neighbour_however_it_is_reached_and_the_new_code_runs(tmp_path: Path) -> None:
    uses = GOOD.replace("length: Period = 7", "length: Period = LENGTH").replace(
        "from onetape import Market", "from _h6_near import LENGTH\nfrom onetape import Market"
    )
    (tmp_path / "_h6_pack").mkdir()
    (tmp_path / "_h6_pack" / "__init__.py").write_text("from .deep import LENGTH\n")
    (tmp_path / "_h6_pack" / "deep.py").write_text("LENGTH = 11\n")
    put(tmp_path, mine=uses, _h6_near="from _h6_pack import LENGTH\n", _h6_other="LENGTH = 1\n")
    first = Registry.load(tmp_path)
    told = first.source_hash("mine")
    assert first.build("mine").warmup() == 11
    put(tmp_path, _h6_other="LENGTH = 2\n")
    assert Registry.load(tmp_path).source_hash("mine") == told, "a file that it does not import says nothing"
    (tmp_path / "_h6_pack" / "deep.py").write_text("LENGTH = 12\n")
    changed = Registry.load(tmp_path)
    assert changed.source_hash("mine") != told
    assert changed.build("mine").warmup() == 12
    assert changed.proof_key(changed.build("mine")) != first.proof_key(first.build("mine"))


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a folder"):
        Registry.load(tmp_path / "nowhere")


def test_fault_in_the_check_of_an_own_strategy_is_told_with_its_line(tmp_path: Path) -> None:
    text = GOOD.replace("    def warmup", "    def check(self) -> None:\n        self.lenght > 3\n    def warmup")
    registry = Registry.load(put(tmp_path, mine=text))
    with pytest.raises(BadInput, match=r"mine fails on them: line 11 of mine\.py: AttributeError"):
        registry.build("mine", {"length": 5})


def test_parameter_without_a_default_must_be_given(tmp_path: Path) -> None:
    registry = Registry.load(put(tmp_path, mine=GOOD.replace(" = 7", "")))
    with pytest.raises(BadInput, match="missing required field length"):
        registry.build("mine")
    assert registry.build("mine", {"length": 5}).warmup() == 5


def test_class_without_a_tag_is_found_by_its_name(tmp_path: Path) -> None:
    registry = Registry.load(put(tmp_path, mine=GOOD.replace(', tag="mine"', "")))
    assert registry.list()[-1] == "Mine"
