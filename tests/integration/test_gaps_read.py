"""The holes of a channel near a span are found by the index, however many there are: equal to looking at every row."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from onetape.domain.market import NONE_THERE
from onetape.domain.units import MINUTE
from onetape.storage.sql import load

CHANNEL = ("okx", "A-B", "candles:1m")
Row = tuple[int, int, str | None]


async def filled(pool: Any, rows: list[Row]) -> None:
    other = [("okx", "A-B", "trades", 0, 10**9 * MINUTE, None)]
    await pool.executemany(
        "INSERT INTO gaps (exchange, symbol, channel, start_ts, end_ts, cause, closed_how)"
        " VALUES ($1, $2, $3, $4, $5, 'x', $6)",
        [*((*CHANNEL, start * MINUTE, end * MINUTE, how) for start, end, how in rows), *other],
    )


def apart(chance: random.Random, count: int) -> list[Row]:
    """Rows of which some touch, and none overlap."""
    found: list[Row] = []
    at = 0
    for _ in range(count):
        start = at + chance.choice((0, 0, 1, 5))
        at = start + chance.choice((1, 1, 2, 9))
        found.append((start, at, chance.choice((None, NONE_THERE, "backfilled", "backfilled"))))
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_they_are_those_that_looking_at_every_row_finds(pool: Any, seed: int) -> None:
    chance = random.Random(seed)
    rows = apart(chance, 30)
    await filled(pool, rows)
    for _ in range(150):
        start = chance.randrange(-3, rows[-1][1] + 5)
        end = start + chance.choice((0, 1, 3, 20))
        touched = [row for row in rows if row[0] <= end and row[1] >= start]
        found = await pool.fetch(load("gaps_touched"), *CHANNEL, start * MINUTE, end * MINUTE)
        assert [(row["start_ts"] // MINUTE, row["end_ts"] // MINUTE, row["how"] or None) for row in found] == touched
        near = await pool.fetchval(load("gaps_near"), *CHANNEL, start * MINUTE, end * MINUTE)
        assert near == any(how in (None, NONE_THERE) for _, _, how in touched)


@pytest.mark.parametrize("name", ["gaps_near", "gaps_touched"])
@pytest.mark.parametrize("at", [0, 9_000, 18_000, 30_000])
async def test_a_few_rows_are_read_of_thousands(pool: Any, name: str, at: int) -> None:
    await filled(pool, [(2 * i, 2 * i + 1, "backfilled") for i in range(10_000)])
    await pool.execute("ANALYZE gaps")
    plan = await pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {load(name)}", *CHANNEL, at * MINUTE, (at + 3) * MINUTE)
    assert 0 < read(json.loads(plan)[0]["Plan"] if isinstance(plan, str) else plan[0]["Plan"]) <= 20


def read(node: dict[str, Any]) -> float:
    """Rows that were taken from the table, used or not."""
    own = 1.0 if "Relation Name" in node else 0.0
    taken = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + own
    return float(own and taken * node["Actual Loops"]) + sum(read(each) for each in node.get("Plans", ()))
