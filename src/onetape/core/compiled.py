"""How a function becomes a kernel. ONETAPE_INTERPRET=1 runs every kernel as plain Python (slow, for debugging)."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_KEPT: Final = 8  # folders of older sources that stay
INTERPRETED: Final = os.environ.get("ONETAPE_INTERPRET") == "1"


def _cache_dir() -> str:
    """A folder of its own, because beside the source the cache fails in a read-only install, and one for each state of
    the sources, because a cached kernel does not notice that a kernel it calls has changed."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for room in ("core", "indicators", "domain"):
        for source in sorted((package / room).glob("*.py")):
            digest.update(source.read_bytes())
    kernels = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "onetape" / "kernels"
    wanted = kernels / digest.hexdigest()[:16]
    try:
        wanted.mkdir(parents=True, exist_ok=True)
        wanted.touch()
        for old in sorted(kernels.iterdir(), key=lambda folder: folder.stat().st_mtime)[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        if os.access(wanted, os.W_OK):
            return str(wanted)
    except OSError:
        pass
    return tempfile.mkdtemp(prefix="onetape-kernels-")


os.environ.setdefault("NUMBA_CACHE_DIR", _cache_dir())


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile on first use, cached on disk. IEEE arithmetic is kept: no reordering, so that every path agrees.

    A kernel changes the arrays it is given and makes none, so it is compiled without numba's memory manager: counting
    references to the order book took more than half of the time of a fill.
    """
    return _compiled(function, _nrt=False)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel that is copied into its callers: for the few lines that every candle passes."""
    return _compiled(function, _nrt=False, inline="always")


def merged(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel whose machine code is copied into its callers: each array that is passed in a call is seven numbers."""
    return _compiled(function, _nrt=False, forceinline=True)


def array_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel that may make arrays, as indicators do."""
    return _compiled(function)


def _compiled(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    if INTERPRETED:
        return function
    import numba

    return cast(Callable[P, R], numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function))


def interpreted(function: Callable[P, R]) -> Callable[P, R]:
    """The plain Python function behind a kernel (kernels called inside it stay compiled)."""
    plain: Any = getattr(function, "py_func", function)
    return cast(Callable[P, R], plain)
