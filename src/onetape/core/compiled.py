"""How a function becomes a kernel. Set ONETAPE_INTERPRET=1 to run every kernel as plain Python (slow, for debugging)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

INTERPRETED: Final = os.environ.get("ONETAPE_INTERPRET") == "1"


def _cache_dir() -> str:
    """Beside the source the cache fails in a read-only install, so it has a folder of its own."""
    wanted = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onetape" / "kernels"
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        if os.access(wanted, os.W_OK):
            return str(wanted)
    except OSError:
        pass
    return tempfile.mkdtemp(prefix="onetape-kernels-")


os.environ.setdefault("NUMBA_CACHE_DIR", _cache_dir())


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first use, cached on disk. IEEE arithmetic is kept: no reordering, so that every path agrees."""
    if INTERPRETED:
        return function
    import numba

    return cast(Callable[P, R], numba.njit(cache=True, error_model="numpy")(function))


def interpreted(function: Callable[P, R]) -> Callable[P, R]:
    """The plain Python function behind a kernel (kernels called inside it stay compiled)."""
    plain: Any = getattr(function, "py_func", function)
    return cast(Callable[P, R], plain)
