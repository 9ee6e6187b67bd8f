"""Rules between parameters, as a person writes them: `fast < slow`, `slow - fast >= 10`, `exit == 'cross'`.

The text is parsed and walked by what stands here: nothing of it is run as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from onetape.domain.errors import BadInput

Rule = Callable[[Mapping[str, Any]], bool]

_COMPARE: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_ARITHMETIC: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_ALLOWED: Final = (
    ast.Compare, ast.BoolOp, ast.BinOp, ast.UnaryOp, ast.And, ast.Or, ast.Not, ast.USub, ast.Load, *_COMPARE,
    *_ARITHMETIC,
)  # fmt: skip
LONGEST: Final = 500  # characters


def rule_of(text: str, names: Collection[str]) -> Rule:
    """A rule over the parameters `names`. Raises BadInput saying what cannot stand in one."""
    if len(text) > LONGEST:
        raise BadInput("--constraint", text[:60], f"longer than {LONGEST} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise BadInput("--constraint", text, f"not an expression ({error.msg})", "Write fast < slow.") from None
    _known(text, tree, names)
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not _negation(tree):
        raise BadInput("--constraint", text, "not a comparison", "Write fast < slow.")

    def holds(parameters: Mapping[str, Any]) -> bool:
        try:
            return bool(_value(tree, parameters))
        except (TypeError, ZeroDivisionError) as error:
            raise BadInput("--constraint", text, f"cannot be worked out for {dict(parameters)}: {error}") from None

    return holds


def _negation(tree: ast.expr) -> bool:
    return isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)


def _known(text: str, tree: ast.expr, names: Collection[str]) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            if node.id not in names:
                raise BadInput("--constraint", text, f"{node.id} is no parameter", f"There are {', '.join(names)}.")
        elif isinstance(node, ast.Constant):
            if not isinstance(node.value, int | float | str):
                raise BadInput("--constraint", text, f"{node.value!r} cannot stand in a rule")
        elif not isinstance(node, _ALLOWED):
            remedy = "Use the parameters' names, numbers, + - * / // %, comparisons, and, or, not."
            raise BadInput("--constraint", text, f"{type(node).__name__} cannot stand in a rule", remedy)


def _value(node: ast.expr, parameters: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return parameters[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](_value(left, parameters), _value(right, parameters))
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, parameters)
            return not value if isinstance(op, ast.Not) else -value
        case ast.BoolOp(op=op, values=values):
            parts = (bool(_value(one, parameters)) for one in values)
            return all(parts) if isinstance(op, ast.And) else any(parts)
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _chain(_value(left, parameters), ops, others, parameters)
    raise AssertionError(ast.dump(node))  # _known lets nothing else in


def _chain(left: Any, ops: list[ast.cmpop], others: list[ast.expr], parameters: Mapping[str, Any]) -> bool:
    for op, other in zip(ops, others, strict=True):
        right = _value(other, parameters)
        if not _COMPARE[type(op)](left, right):
            return False
        left = right
    return True
