"""Indicators that are remembered are the same numbers, and what cannot be shared is not."""

from __future__ import annotations

import numpy as np
import pytest

from onetape.indicators import bollinger, ema, rsi, sma
from onetape.indicators.memo import Memory, remembering

CLOSE = np.round(100 + np.cumsum(np.random.default_rng(1).normal(0, 1, 500)), 2)
CLOSE.flags.writeable = False


def test_the_same_question_is_answered_by_the_same_array() -> None:
    with remembering(Memory([CLOSE], 1_000_000)):
        first, other = sma(CLOSE, 10), sma(CLOSE, 11)
        assert sma(CLOSE, 10) is first
        assert other is not first
        assert sma(ema(CLOSE, 5), 10) is sma(ema(CLOSE, 5), 10)
        assert rsi(CLOSE, 14) is rsi(CLOSE, 14)
        found = bollinger(CLOSE, 20, 2.0)
    assert first.tobytes() == sma(CLOSE, 10).tobytes()
    assert [part.tobytes() for part in found] == [part.tobytes() for part in bollinger(CLOSE, 20, 2.0)]
    assert sma(CLOSE, 10) is not sma(CLOSE, 10)


def test_a_column_that_may_change_is_never_remembered() -> None:
    mine = CLOSE.copy()
    with remembering(Memory([CLOSE], 1_000_000)):
        before = sma(mine, 10)
        mine[:] = 1.0
        assert sma(mine, 10)[-1] == 1.0
        assert before[-1] != 1.0
        assert sma(CLOSE[100:], 10) is not sma(CLOSE[100:], 10)


def test_what_is_shared_cannot_be_written() -> None:
    with remembering(Memory([CLOSE], 1_000_000)), pytest.raises(ValueError, match="read-only"):
        sma(CLOSE, 10)[:] = 0.0


def test_the_memory_stays_within_its_bytes_and_the_longest_unused_goes() -> None:
    memory = Memory([CLOSE], 3 * CLOSE.nbytes)
    with remembering(memory):
        one, two, three = (sma(CLOSE, n) for n in (1, 2, 3))
        assert sma(CLOSE, 1) is one
        sma(CLOSE, 4)
        assert sma(CLOSE, 1) is one
        assert sma(CLOSE, 3) is three
        assert sma(CLOSE, 2) is not two
        assert memory._held <= 3 * CLOSE.nbytes
