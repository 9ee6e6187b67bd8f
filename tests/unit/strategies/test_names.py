"""The names that a strategy file imports."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_public_names_are_the_real_ones() -> None:
    import onetape
    from onetape import Market, Signals, Strategy, indicator
    from onetape import indicators as ta
    from onetape.domain.signals import Signals as RealSignals
    from onetape.strategies.contract import Strategy as RealStrategy
    from onetape.strategies.market import Market as RealMarket

    assert (Market, Signals, Strategy) == (RealMarket, RealSignals, RealStrategy)
    assert indicator is ta.indicator
    signals, quoting = {"Market", "Signals", "Strategy", "indicator"}, {"OrderKind", "Quote", "Quoting", "Side", "View"}
    assert set(onetape.__all__) == signals | quoting | {"Learning", "Refit", "Portfolio", "Weights"}
    assert {name: getattr(onetape, name).__name__ for name in quoting} == {name: name for name in quoting}
    assert all(callable(getattr(ta, name)) for name in ta.__all__)


def test_other_names_are_refused() -> None:
    with pytest.raises(ImportError, match="nothing_like_it"):
        from onetape import nothing_like_it  # type: ignore[attr-defined]  # noqa: F401


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, onetape; print([m for m in ('numpy', 'numba', 'msgspec', 'talib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_a_sma_cross_needs_no_talib_and_no_pandas() -> None:
    code = (
        "import sys, numpy as np\n"
        "from onetape.strategies.registry import Registry\n"
        "from onetape import Market\n"
        "from onetape.domain.frame import CandleFrame\n"
        "x = np.arange(100.0) + 1\n"
        "f = CandleFrame.of('x', 'A-B', '1m', dict(ts=np.arange(100) * 60_000_000, open=x, high=x, low=x, close=x))\n"
        "Registry.load().build('sma_cross').signals(Market(f))\n"
        "print([m for m in ('talib', 'pandas', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
