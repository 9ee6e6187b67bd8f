"""Indicators of one's own."""

from __future__ import annotations

import numpy as np
import pytest

from onetape import indicator
from onetape.domain.errors import BadInput


@indicator
def closing_strength(high, low, close):  # type: ignore[no-untyped-def]
    """Where in its range each candle closed."""
    out = np.empty(len(close))
    for i in range(len(close)):
        reach = high[i] - low[i]
        out[i] = (close[i] - low[i]) / reach if reach > 0 else 0.5
    return out


@indicator
def both(values, shift):  # type: ignore[no-untyped-def]
    return values + shift, values > shift


@indicator
def too_short(values):  # type: ignore[no-untyped-def]
    return values[1:]


@indicator
def hopeless(values):  # type: ignore[no-untyped-def]
    return open("/nowhere")


def test_compiled_function_gives_one_number_per_candle_and_keeps_its_docs() -> None:
    got = closing_strength(np.array([4.0, 2.0]), np.array([0.0, 2.0]), np.array([3.0, 2.0]))
    assert got.tolist() == [0.75, 0.5]
    assert closing_strength.__doc__ == "Where in its range each candle closed."


def test_it_is_the_plain_function_compiled() -> None:
    columns = [np.random.default_rng(s).random(50) for s in range(3)]
    np.testing.assert_array_equal(closing_strength(*columns), closing_strength.plain(*columns))


def test_several_columns_and_truth_values_come_back_as_numbers() -> None:
    shifted, above = both([1.0, 3.0], 2.0)
    assert shifted.tolist() == [3.0, 5.0]
    assert above.tolist() == [0.0, 1.0]
    assert above.dtype == np.float64


def test_result_of_another_length_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="indicator too_short"):
        too_short(np.zeros(5))


def test_function_that_cannot_be_compiled_is_refused_with_a_remedy() -> None:
    with pytest.raises(BadInput, match=r"hopeless.*cannot be compiled.*leave @indicator away"):
        hopeless(np.zeros(5))


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(BadInput, match="columns of one length"):
        closing_strength(np.zeros(3), np.zeros(3), np.zeros(2))


def test_an_input_cannot_be_changed() -> None:
    @indicator
    def writes(values):  # type: ignore[no-untyped-def]
        values[0] = 1.0
        return values

    with pytest.raises(BadInput, match="cannot be compiled"):
        writes(np.zeros(3))
