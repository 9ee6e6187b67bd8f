"""No part of core, strategies or trading knows whether it runs on paper, live, in a replay or in a backtest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import onetape

SOURCE = Path(onetape.__file__).parent
MODES = {"paper", "live", "replay", "backtest", "is_live", "is_paper", "dry_run", "is_backtest"}
FILES = sorted(file for room in ("core", "strategies", "trading") for file in (SOURCE / room).glob("*.py"))


def words(tree: ast.AST) -> Iterator[str]:
    """Names, attributes, arguments and strings of the code; docstrings are no code."""
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name
            case ast.alias(name=name):
                yield name.rpartition(".")[2]
            case ast.Constant(value=str(text)) if id(node) not in texts:
                yield text


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_there_is_no_word_for_a_mode(file: Path) -> None:
    found = MODES & {word.lower() for word in words(ast.parse(file.read_text(encoding="utf-8")))}
    assert not found
