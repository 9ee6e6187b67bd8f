"""`onetape data gaps`."""

from __future__ import annotations

import argparse
import json
from types import SimpleNamespace
from typing import Any

import pytest

from onetape.cli import pages
from onetape.cli.data import missing, parser
from onetape.domain.errors import BadInput
from onetape.domain.units import HOUR, MINUTE, SECOND
from onetape.ports import GapView, OnlyGaps


class Queries:
    """Gaps in pages, as the table gives them: the latest first."""

    def __init__(self, *gaps: GapView) -> None:
        self.rows = sorted(gaps, key=lambda gap: -gap.start_ts)
        self.asked: list[OnlyGaps] = []

    async def gaps(self, only: OnlyGaps) -> tuple[list[GapView], str]:
        self.asked.append(only)
        rows = [gap for gap in self.rows if only.open in (None, not gap.closed_how)]
        rows = [gap for gap in rows if only.symbol in (None, gap.symbol) and only.channel in (None, gap.channel)]
        at = int(only.before or 0)
        return rows[at : at + only.limit], str(at + only.limit) if at + only.limit < len(rows) else ""


def gap(number: int, channel: str = "trades", closed: str = "", length: int = 20 * SECOND) -> GapView:
    start = number * HOUR
    return GapView(
        id=number, exchange="okx", symbol="BTC-USDT", channel=channel, start_ts=start, end_ts=start + length,
        cause="connection lost", closed_how=closed, closed_ts=start + 2 * MINUTE if closed else 0,
    )  # fmt: skip


def opened(*gaps: GapView) -> Any:
    return SimpleNamespace(queries=Queries(*gaps))


def wish(*flags: str) -> argparse.Namespace:
    return parser().parse_args(["gaps", *flags])


async def test_each_hole_has_cause_start_length_and_its_repair(capsys: pytest.CaptureFixture[str]) -> None:
    two = opened(gap(1, closed="backfilled from trades"), gap(2, "book", length=90 * MINUTE))
    assert await missing.run(two, wish()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "okx BTC-USDT book 1970-01-01 02:00:00 1 h 30 min connection lost open",
        "okx BTC-USDT trades 1970-01-01 01:00:00 20 s connection lost backfilled from trades, 1970-01-01 01:02",
    ]


async def test_open_and_closed_ones_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    two = opened(gap(1, closed="the venue has none"), gap(2))
    await missing.run(two, wish("--open", "--json"))
    found = json.loads(capsys.readouterr().out)["gaps"]
    assert [(one["id"], one["closed_how"], one["closed"]) for one in found] == [(2, None, None)]
    await missing.run(two, wish("--closed", "--symbol", "btc/usdt", "--json"))
    found = json.loads(capsys.readouterr().out)["gaps"]
    told = [(one["id"], one["seconds"], one["closed"]) for one in found]
    assert told == [(1, 20.0, "1970-01-01T01:02:00Z")]
    await missing.run(two, wish("--channel", "book"))
    assert capsys.readouterr().out == "No gap of that kind was noted.\n"


async def test_a_limit_is_kept_over_pages_and_says_that_there_are_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE", 2)
    many = opened(*(gap(i) for i in range(7)))
    await missing.run(many, wish("--limit", "5", "--json"))
    found = json.loads(capsys.readouterr().out)
    assert ([one["id"] for one in found["gaps"]], found["more"]) == ([6, 5, 4, 3, 2], True)
    assert [only.limit for only in many.queries.asked] == [2, 2, 1]
    rows, more = await pages.latest(many.queries, OnlyGaps())
    assert (len(rows), more) == (7, False)
    with pytest.raises(BadInput, match="--limit"):
        await missing.run(many, wish("--limit", "0"))


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (250_000, "0.250 s"),
        (42 * SECOND, "42 s"),
        (200 * SECOND, "3 min 20 s"),
        (2 * HOUR, "2 h"),
        (97 * HOUR, "4 d 1 h"),
    ],
)
def test_lengths_are_readable(micros: int, text: str) -> None:
    assert missing.lasting(micros) == text
