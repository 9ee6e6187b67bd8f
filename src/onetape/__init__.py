"""onetape: test, develop and run crypto trading strategies.

The names that a strategy file needs stand here; they load on first use, so that the command line starts fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from onetape.domain.signals import Signals
    from onetape.indicators import indicator
    from onetape.strategies.contract import Market, Strategy

__all__ = ["Market", "Signals", "Strategy", "indicator"]

_HOMES: Final = {
    "Market": "onetape.strategies.contract",
    "Signals": "onetape.domain.signals",
    "Strategy": "onetape.strategies.contract",
    "indicator": "onetape.indicators",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'onetape' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
