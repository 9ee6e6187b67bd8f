"""docs/fill-model.md: each rule names a test, and each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WITHOUT_RULES = {"At the end", "Costs", "What is not modelled"}  # prose, or told in a sentence with its test
NAMED = re.compile(r"`(test_[a-z0-9_]+)(\.\.\.)?`")


def sections() -> dict[str, str]:
    parts = re.split(r"(?m)^## (.+)$", (ROOT / "docs" / "fill-model.md").read_text())
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rules(section: str) -> list[str]:
    """The bullets, numbered items and table rows of a section; all of it where it is prose."""
    items = re.split(r"(?m)^(?=- |\d+\. |\| |\n)", section)
    return [one for one in items if re.match(r"- |\d+\. |\| (?!---)", one) and "| test |" not in one] or [section]


def known() -> set[str]:
    return {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"(?m)^(?:async )?def (test_\w+)", file.read_text())
    }


@pytest.mark.parametrize("title", sorted(set(sections()) - WITHOUT_RULES))
def test_each_rule_names_a_test(title: str) -> None:
    assert [one for one in rules(sections()[title]) if not NAMED.search(one)] == []


def test_each_named_test_is_there() -> None:
    there = known()
    named = NAMED.findall((ROOT / "docs" / "fill-model.md").read_text())
    assert len(named) > 80
    gone = [name for name, more in named if not (any(t.startswith(name) for t in there) if more else name in there)]
    assert gone == []
