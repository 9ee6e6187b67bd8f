"""What a space may be, and what is refused before anything runs."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import pytest

from onetape.backtest.search.constraints import rule_of
from onetape.backtest.search.objectives import objective_of, objectives_of
from onetape.backtest.search.spaces import parse_spaces, spaces_of
from onetape.backtest.search.walks import drawn, grid, size_of
from onetape.domain.errors import BadInput
from onetape.strategies.contract import Strategy
from onetape.strategies.sma_cross import SmaCross


class Mixed(Strategy, frozen=True, tag="mixed_for_spaces"):
    period: Annotated[int, msgspec.Meta(ge=1, le=30)] = 20
    width: Annotated[float, msgspec.Meta(gt=0.0, le=4.0)] = 2.0
    exit: Literal["cross", "none"] = "cross"
    short: bool = False


def one(text: str):
    name, _, rest = text.partition("=")
    return spaces_of(Mixed, {name: rest}, {})[0]


def test_a_range_of_whole_numbers_has_its_end_when_the_step_meets_it() -> None:
    assert one("period=5:20:5").values == (5, 10, 15, 20)
    assert one("period=5:19:5").values == (5, 10, 15)
    assert one("period=5:8").values == (5, 6, 7, 8)


def test_steps_of_a_float_are_the_decimals_as_they_are_written() -> None:
    assert one("width=0.1:0.5:0.1").values == (0.1, 0.2, 0.3, 0.4, 0.5)


def test_a_float_without_a_step_is_continuous() -> None:
    space = one("width=0.5:1.5")
    assert space.continuous
    assert space.place(1.0) == 0.5


def test_choices_are_values_of_their_kind() -> None:
    assert one("exit=cross,none").values == ("cross", "none")
    assert one("short=true,false").values == (True, False)
    assert one("period=20,5,10").values == (5, 10, 20)


def test_without_spaces_every_number_is_searched_around_its_default_inside_its_range() -> None:
    period, width = spaces_of(Mixed, {}, {})
    assert period.values[0] == 5
    assert max(period.values) <= 30
    assert (width.low, width.high) == (0.5, 4.0)


def test_a_parameter_with_a_fixed_value_is_not_searched() -> None:
    assert [space.name for space in spaces_of(Mixed, {}, {"period": 7})] == ["width"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("period=0:10", "not a value of period"),
        ("period=5:50", "not a value of period"),
        ("period=9:5", "not rising"),
        ("period=5:10:0", "not rising"),
        ("period=1.5:3", "not whole numbers"),
        ("width=1:x", "not numbers"),
        ("width=1:2:0.1:3", "not a range"),
        ("exit=cross,maybe", "not values of exit"),
        ("exit=1:2", "no number"),
        ("exit=cross,cross", "twice"),
        ("width=0.0001:4:0.00001", "more than"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        one(text)


def test_a_space_is_refused_that_is_unknown_or_fixed_or_given_twice() -> None:
    with pytest.raises(BadInput, match="not a parameter of"):
        spaces_of(Mixed, {"nothing": "1:2"}, {})
    with pytest.raises(BadInput, match="also given a value"):
        spaces_of(Mixed, {"period": "1:2"}, {"period": 3})
    with pytest.raises(BadInput, match="described twice"):
        parse_spaces(["a=1:2", "a=2:3"])
    with pytest.raises(BadInput, match="not of the form"):
        parse_spaces(["a="])


def test_a_grid_is_every_combination_once_and_needs_steps() -> None:
    spaces = spaces_of(SmaCross, {"fast": "1:20", "slow": "21:40"}, {})
    found = [tuple(values.values()) for values in grid(spaces)]
    assert len(set(found)) == len(found) == size_of(spaces, 0) == 400
    with pytest.raises(BadInput, match="more than 100"):
        size_of(spaces, 100)
    with pytest.raises(BadInput, match="continuous"):
        size_of(spaces_of(Mixed, {"width": "1:2"}, {}), 0)


def test_drawn_combinations_differ_come_again_with_the_seed_and_end_when_none_is_left() -> None:
    spaces = spaces_of(SmaCross, {"fast": "1:3", "slow": "4:6"}, {})
    found = [tuple(values.values()) for values in drawn(spaces, lambda _: True, 50, 1)]
    assert len(found) == len(set(found)) == 9
    assert found == [tuple(values.values()) for values in drawn(spaces, lambda _: True, 50, 1)]
    assert found != [tuple(values.values()) for values in drawn(spaces, lambda _: True, 50, 2)]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("fast < slow", True),
        ("fast * 3 < slow", False),
        ("slow - fast >= 10 and not slow > 100", True),
        ("1 <= fast < slow", True),
        ("exit == 'cross'", True),
        ("-fast < 0 or fast == 0", True),
        ("slow // fast == 2", True),
    ],
)
def test_a_rule_between_parameters_is_worked_out(text: str, holds: bool) -> None:
    values = {"fast": 10, "slow": 20, "exit": "cross"}
    assert rule_of(text, values)(values) is holds


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "fast.real < 1", "fast < nothing", "fast + 1", "fast <", "fast ** 99 > 1",
        "[x for x in (1, 2)] == fast", "(lambda: 1)() < fast", "f'{fast}' == 'a'", "None == fast", "fast < slow; slow",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_refused_and_never_run(text: str) -> None:
    with pytest.raises(BadInput, match="--constraint"):
        rule_of(text, ("fast", "slow"))


def test_a_rule_that_fails_on_values_says_so() -> None:
    with pytest.raises(BadInput, match="cannot be worked out"):
        rule_of("slow / fast > 1", ("fast", "slow"))({"fast": 0, "slow": 1})


def test_objectives_know_which_way_is_better() -> None:
    assert objective_of("sharpe").sign == 1.0
    assert objective_of("max_drawdown").sign == -1.0
    assert objective_of("trades:min").sign == -1.0
    assert objective_of("exposure:max").sign == 1.0


def test_an_objective_that_is_no_figure_is_refused(tmp_path) -> None:
    for text in ("sharp", "sharpe:most", str(tmp_path / "none.py") + ":score"):
        with pytest.raises(BadInput, match="--objective"):
            objective_of(text)
    with pytest.raises(BadInput, match="twice"):
        objectives_of(("sharpe", "sharpe"))
    file = tmp_path / "mine.py"
    file.write_text("raise ValueError('no')\n")
    with pytest.raises(BadInput, match=r"line 1 of mine\.py"):
        objective_of(f"{file}:score")
