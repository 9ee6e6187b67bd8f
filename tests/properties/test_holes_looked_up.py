"""One look at many spans says what a look at each of them says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from onetape.marketdata.quality import Holes

moments = st.integers(0, 60)
spans = st.lists(st.tuples(moments, st.integers(0, 30)).map(lambda each: (each[0], each[0] + each[1])), max_size=12)


@given(spans, moments, st.integers(0, 20))
def test_a_moment_in_common_is_found_as_by_looking_at_each(holes: list[tuple[int, int]], first: int, long: int) -> None:
    last = first + long
    assert Holes(holes).touch(first, last) is any(start <= last and end >= first for start, end in holes)
