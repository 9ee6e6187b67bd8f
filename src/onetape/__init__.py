"""onetape: test, develop and run crypto trading strategies.

The names that a strategy file needs stand here; they load on first use, so that the command line starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from onetape.domain.orders import OrderKind, Side
    from onetape.domain.signals import Signals
    from onetape.indicators import indicator
    from onetape.strategies.contract import Market, Strategy
    from onetape.strategies.learning import Learning, Refit
    from onetape.strategies.portfolio import Portfolio, Weights
    from onetape.strategies.quoting import Quote, Quoting, View

__all__ = [
    "Learning", "Market", "OrderKind", "Portfolio", "Quote", "Quoting", "Refit", "Side", "Signals", "Strategy", "View",
    "Weights", "indicator",
]  # fmt: skip

_HOMES: Final = {
    "Learning": "onetape.strategies.learning",
    "Market": "onetape.strategies.contract",
    "OrderKind": "onetape.domain.orders",
    "Portfolio": "onetape.strategies.portfolio",
    "Quote": "onetape.strategies.quoting",
    "Quoting": "onetape.strategies.quoting",
    "Refit": "onetape.strategies.learning",
    "Side": "onetape.domain.orders",
    "Signals": "onetape.domain.signals",
    "Strategy": "onetape.strategies.contract",
    "View": "onetape.strategies.quoting",
    "Weights": "onetape.strategies.portfolio",
    "indicator": "onetape.indicators",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'onetape' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
