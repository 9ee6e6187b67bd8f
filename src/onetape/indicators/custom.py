"""Indicators of one's own: any function from columns to a column. `@indicator` compiles it and checks what it gives."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from onetape.core.compiled import INTERPRETED, array_kernel
from onetape.domain.errors import BadInput
from onetape.domain.frame import Floats
from onetape.indicators.arrays import column

F = TypeVar("F", bound=Callable[..., Any])


def indicator(function: F) -> F:
    """Compiles a function of columns and numbers, and checks its result: one float per candle, or a tuple of such.

    Columns reach it as read-only float64 arrays. Inside, write plain loops over numbers and arrays; functions made of
    whole-array numpy calls run well without the decorator. Raises BadInput, naming the indicator, when the function
    cannot be compiled or gives a column of another length or kind. The plain function stays at `.plain`.
    """
    compiled = _compiled(function)
    name = function.__name__

    @functools.wraps(function)
    def checked(*args: Any, **options: Any) -> Any:
        given = [_input(name, a) for a in args]
        named = {key: _input(name, value) for key, value in options.items()}
        sizes = {len(a) for a in (*given, *named.values()) if isinstance(a, np.ndarray)}
        if len(sizes) != 1:
            raise BadInput(f"indicator {name}", sorted(sizes), "not called with columns of one length")
        result = _run(name, compiled, given, named)
        size = sizes.pop()
        if isinstance(result, tuple):
            return tuple(_output(name, part, size) for part in result)
        return _output(name, result, size)

    checked.plain = function  # type: ignore[attr-defined]
    return cast(F, checked)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    if INTERPRETED or Path(function.__code__.co_filename).is_file():
        return array_kernel(function)
    import numba

    return cast(Callable[..., Any], numba.njit(error_model="numpy")(function))  # typed in: no file, no disk cache


def _input(name: str, value: Any) -> Any:
    return column(value, f"indicator {name}") if isinstance(value, np.ndarray | list) else value


def _run(name: str, compiled: Callable[..., Any], args: list[Any], options: dict[str, Any]) -> Any:
    from numba.core.errors import NumbaError

    try:
        return compiled(*args, **options)
    except NumbaError as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "unknown")
        raise BadInput(
            f"indicator {name}",
            reason,
            "cannot be compiled",
            "Use loops, numbers and numpy arrays inside, or leave @indicator away.",
        ) from error


def _output(name: str, result: Any, size: int) -> Floats:
    if not isinstance(result, np.ndarray) or result.shape != (size,) or result.dtype.kind not in "fib":
        shown = result.shape if isinstance(result, np.ndarray) else type(result).__name__
        raise BadInput(f"result of indicator {name}", shown, f"not a column of {size} numbers, one per candle")
    return result.astype(np.float64, copy=False)
