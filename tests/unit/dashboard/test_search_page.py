"""What the form of a search comes to, and what its page says."""

from __future__ import annotations

import math
from typing import Any, cast
from urllib.parse import parse_qs

import pytest

from onetape.backtest.figures import figure
from onetape.backtest.search.spaces import spaces_of, written
from onetape.backtest.walkwords import columns
from onetape.bots.desk import Desk
from onetape.dashboard import search_blocks, search_charts, search_form, search_jobs, walkforward
from onetape.domain.accounts import Costs
from onetape.domain.errors import BadInput
from onetape.domain.jobs import Job, JobState, Progress
from onetape.domain.results import BacktestSpec
from onetape.domain.searches import HeatMap, Scored, SearchWish
from onetape.domain.units import DAY, SECOND, parse_time
from onetape.domain.walkforward import Span, WalkView, Window
from onetape.ports import Coverage
from onetape.strategies.registry import Registry


class Registered:
    registry = Registry.load(None)


DESK = cast(Desk, Registered())


def tried(tag: str, **given: str) -> Any:
    ids = [search_form.space_id("op", name) for name in given]
    return search_form.tried(DESK, tag, ids, list(given.values()))


def test_one_value_stays_as_it_is_and_several_are_tried() -> None:
    spaces, fixed = tried("sma_cross", fast="5:50:5", slow=" 40 ", exit="none,cross", short="true")
    assert spaces == {"fast": "5:50:5", "exit": "none,cross"}
    assert fixed == {"slow": 40, "short": True}


def test_an_empty_box_is_left_to_the_default() -> None:
    assert tried("sma_cross", fast="5:9", slow="") == ({"fast": "5:9"}, {})


def test_a_value_that_is_none_is_refused_at_its_box_and_so_is_nothing_to_try() -> None:
    with pytest.raises(BadInput) as refusal:
        tried("sma_cross", fast="5:9", slow="many")
    ids = [search_form.space_id("op", name) for name in ("fast", "slow")]
    assert search_form.place(refusal.value, ids) == ids[1]
    with pytest.raises(BadInput, match="nothing is left open"):
        tried("sma_cross", fast="5")


@pytest.mark.parametrize(
    ("field", "found"),
    [("$.space.fast", "box"), ("$.constraint", "constraint"), ("$.space", None), ("$.strategy", None)],
)
def test_an_error_is_told_where_it_belongs(field: str, found: str | None) -> None:
    ids = [search_form.space_id("op", "fast")]
    assert search_form.place(BadInput(field, "x", "wrong"), ids) == (ids[0] if found == "box" else found)


def test_beside_its_field_an_error_is_a_sentence_of_its_own() -> None:
    assert search_form.sentence(BadInput("$.x", "5:1", "not rising", "Write 1:5.")) == "Not rising. Write 1:5."


@pytest.mark.parametrize("tag", DESK.registry.list())
def test_what_is_usually_tried_can_be_written_into_the_form_and_read_again(tag: str) -> None:
    kind = DESK.registry.get(tag)
    usual = {space.name: written(space) for space in search_form.usual(DESK, tag)}
    if usual:
        again = {space.name: space for space in spaces_of(kind, usual, {})}
        for space in search_form.usual(DESK, tag):
            assert again[space.name].values[0] == space.values[0]
            assert len(again[space.name].values) in (len(space.values) - 1, len(space.values), len(space.values) + 1)


def test_a_grid_is_proposed_where_it_is_small() -> None:
    assert search_form.method(DESK, "sma_cross") == "grid"
    assert search_form.method(DESK, "ridge_returns") == "random"


def test_how_much_there_is_to_do_is_said_before_it_begins() -> None:
    wish = {"space": {"fast": "5:50:5"}, "parameters": {}, "constraint": (), "objective": ("sharpe",)}
    assert "10 combinations" in search_form.expected(DESK, "sma_cross", wish | {"method": "grid", "trials": 0})
    assert search_form.expected(DESK, "sma_cross", wish | {"method": "random", "trials": 7}) == "7 trials."
    with pytest.raises(BadInput, match=r"\$\.trials"):
        search_form.expected(DESK, "sma_cross", wish | {"method": "grid", "trials": 3})


def test_a_trial_opens_the_backtest_form_with_all_that_was_asked() -> None:
    spec = BacktestSpec(
        strategy="sma_cross", parameters={"exit": "none"}, exchange="okx", symbol="BTC-USDT", timeframe="4h",
        start_ts=parse_time("2024-01-01"), costs=Costs(maker=0.0005, taker=0.0007),
    )  # fmt: skip
    address = search_blocks.as_backtest(SearchWish(spec=spec), {"fast": 5})
    asked = parse_qs(address.partition("?")[2])
    assert asked == {
        "strategy": ["sma_cross"], "market": ["okx:BTC-USDT"], "timeframe": ["4h"], "start": ["2024-01-01T00:00:00Z"],
        "cash": ["10000"], "fees": ["okx:spot:vip2"], "slippage": ["0"], "p.exit": ["none"], "p.fast": ["5"],
    }  # fmt: skip


def job(state: JobState, **told: Any) -> Job:
    return Job(
        id="a", kind="optimize", wish={"wish": {"objective": ["sharpe"]}}, state=state, progress=Progress(**told)
    )


def test_a_running_search_says_how_far_it_is_how_long_yet_and_the_best() -> None:
    counts = {"done": 30, "total": 1_200, "failed": 2}
    detail = {"best": {"number": 3, "parameters": {"fast": 5, "slow": 20}, "values": [1.234]}}
    one = job(JobState.RUNNING, counts=counts, eta_ts=200 * SECOND, detail=detail)
    assert search_jobs.head(one, 80 * SECOND) == (
        "Running: 30 of 1,200 trials, 2 of them failed; 2 min left; best so far sharpe 1.23 (fast 5, slow 20)."
    )
    assert search_jobs.head(job(JobState.QUEUED, text="waiting"), 0) == "Queued: waiting."
    over = job(JobState.CANCELLED, counts=counts | {"failed": 0}, eta_ts=200 * SECOND)
    assert search_jobs.head(over, 80 * SECOND) == "Cancelled: 30 of 1,200 trials."


def heat(scores: list[list[float | None]], objective: str = "sharpe") -> Any:
    found = HeatMap(x="fast", y="slow", xs=[5, 6], ys=[20, 30], scores=scores)
    return search_charts.heat_chart(found, objective, Scored(number=1, parameters={"fast": 6, "slow": 20}))


def test_the_heat_map_leaves_open_what_was_not_tried_and_rings_what_is_recommended() -> None:
    chart = heat([[1.0, None], [-1.0, 0.5]])
    assert list(chart.data[0].z) == [[1.0, None], [-1.0, 0.5]]
    assert chart.data[0].zmid == 0.0
    assert (chart.data[1].x, chart.data[1].y) == (("6",), ("20",))
    assert heat([[1.0, 2.0], [3.0, 0.5]]).data[0].zmid is None


def test_where_less_is_better_the_low_end_is_green() -> None:
    ends = [colour for _, colour in heat([[0.1, 0.2], [0.3, 0.4]], "max_drawdown").data[0].colorscale]
    assert ends == [colour for _, colour in heat([[0.1, 0.2], [0.3, 0.4]]).data[0].colorscale][::-1]


def test_figures_are_told_as_what_they_are() -> None:
    texts = [figure(*pair) for pair in (("total_return", 0.1234), ("trades", 1200), ("sharpe", 0.01234))]
    assert texts == ["12.34 %", "1,200", "0.0123"]
    assert figure("sharpe", None) == "–"
    assert not math.isnan(float(figure("sharpe", 2.5)))


def window(day: int, fast: int, searched: float | None, traded: float | None, gain: float) -> Window:
    figures = {"total_return": gain, "cagr": gain, "max_drawdown": 0.1, "trades": 3}
    return Window(
        span=Span(0, day * DAY, day * DAY, (day + 5) * DAY), parameters={"fast": fast, "exit": "none"}, trials=9,
        searched=searched, traded=traded, searched_cagr=1.0, figures=figures,
    )  # fmt: skip


VIEW = WalkView(
    objective="sharpe", searched=["fast", "exit"], planned=3, kept=0.5, kept_cagr=None,
    windows=[window(10, 5, 2.0, 1.0, 0.02), window(15, 7, 1.0, None, -0.01)],
)  # fmt: skip


def test_the_windows_of_a_walk_are_drawn_as_they_were_promised_and_traded() -> None:
    chart = search_charts.walk_chart(VIEW)
    promised, traded, fast = chart.data
    assert (list(promised.y), list(traded.y), list(fast.y)) == ([2.0, 1.0], [1.0, None], [5, 7])
    assert list(fast.x) == ["1970-01-11", "1970-01-16"]


def test_the_page_of_a_walk_says_how_many_windows_there_are_yet_and_what_was_left() -> None:
    text = str(walkforward.windows_cards(VIEW))
    assert "Windows (2 of 3)" in text
    assert "50 % was left when it was traded" in text
    assert "1 of 2 windows made money" in text
    tones = [walkforward.tone(said, walkforward.RETURN) for said in ("2.00 %", "-1.00 %", "0.00 %")]
    assert tones == ["up", "down", ""]
    assert columns(VIEW)[walkforward.RETURN] == "Return"


def test_a_running_walk_says_which_window_and_a_stopped_one_how_far_it_came() -> None:
    counts = {"window": 2, "windows": 7, "done": 3, "total": 9}
    walk = job(JobState.RUNNING, counts=counts, text="window 2 of 7: 3 of 9 trials")
    assert search_jobs.head(walk, 0) == "Running: window 2 of 7: 3 of 9 trials."
    assert search_jobs.head(job(JobState.CANCELLED, counts=counts), 0) == "Cancelled: window 2 of 7."
    assert search_jobs.head(job(JobState.RUNNING, text="waiting"), 0) == "Running: starting."


def test_the_windows_that_are_proposed_fit_what_is_stored() -> None:
    def rows(days: int) -> list[Coverage]:
        last_ts = days * DAY
        return [Coverage(exchange="okx", symbol="A-B", timeframe="1h", first_ts=0, last_ts=last_ts, rows=1, gaps=0)]

    assert walkforward.lengths_for(rows(60)) == {"train": "20d", "test": "5d"}
    assert walkforward.lengths_for(rows(2_000)) == {"train": "180d", "test": "30d"}
    assert walkforward.lengths_for([]) == {"train": "1d", "test": "1d"}
