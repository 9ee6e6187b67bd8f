"""The simulated venue has no address of its own: nothing else may be stored under its name."""

from __future__ import annotations

import pytest

from onetape.app.feeds import open_feed
from onetape.domain.errors import BadInput
from onetape.settings import Settings


def test_the_simulated_venue_is_never_taken_for_the_real_one() -> None:
    with pytest.raises(BadInput, match="only `onetape demo` starts"):
        open_feed(Settings(okx_rest_url="", okx_ws_url=""), "demo")
