from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from onetape.domain.units import MINUTE, Timeframe, parse_time
from onetape.marketdata.commit import GroupCommit
from onetape.ports import AuditCount, Verdict
from onetape.storage.audit import PgAuditStore

M1 = Timeframe.parse("1m")


def verdict(minute: int, name: str) -> Verdict:
    return Verdict("okx", "A-B", "1m", minute * MINUTE, name, [1.0, 2.0, 1.0, 2.0, 3.0, 6.0], [])


async def test_all_are_counted_and_differences_are_kept(pool: Any) -> None:
    store = PgAuditStore(pool)
    await store.judged([verdict(1, "equal"), verdict(2, "price"), verdict(3, "equal"), verdict(4, "not judged")])
    await store.judged([verdict(5, "equal"), verdict(6, "missing trades")])
    assert await store.counts("okx") == [
        AuditCount("okx", "A-B", "1m", "equal", 3),
        AuditCount("okx", "A-B", "1m", "missing trades", 1),
        AuditCount("okx", "A-B", "1m", "not judged", 1),
        AuditCount("okx", "A-B", "1m", "price", 1),
    ]
    assert await store.differences("okx", "A-B", M1) == [verdict(6, "missing trades"), verdict(2, "price")]
    assert await store.counts("binance") == []


async def test_a_candle_that_is_judged_again_is_counted_once_by_its_newest_verdict(pool: Any) -> None:
    store = PgAuditStore(pool)
    await store.judged([verdict(1, "not judged"), verdict(2, "missing trades"), verdict(2_000, "equal")])
    again = [verdict(1, "equal"), verdict(2, "equal"), verdict(2_000, "not judged"), verdict(3, "price")]
    for _ in range(2):
        await store.judged(again)
    assert {one.verdict: one.candles for one in await store.counts("okx")} == {"equal": 3, "price": 1}
    assert await store.differences("okx", "A-B", M1) == [verdict(3, "price")]


class Forgetful:
    """A pool whose connections end after a commit, before its answer has come."""

    def __init__(self, pool: Any) -> None:
        self._pool, self.lost = pool, 0

    @asynccontextmanager
    async def acquire(self, timeout: float) -> AsyncIterator[Any]:
        async with self._pool.acquire(timeout=timeout) as connection:
            yield connection
        if not self.lost:
            self.lost += 1
            raise ConnectionResetError("the answer of the commit was lost")


async def test_verdicts_whose_commit_was_not_answered_are_counted_once_by_the_next_try(pool: Any) -> None:
    store = PgAuditStore(Forgetful(pool))
    queue: GroupCommit[Verdict] = GroupCommit("verdicts", store.judged)
    for one in (verdict(1, "equal"), verdict(2, "price")):
        await queue.put(one)
    await queue.drain()
    assert [(one.verdict, one.candles) for one in await store.counts()] == [("equal", 1), ("price", 1)]


async def test_months_and_weeks_have_places_of_their_own(pool: Any) -> None:
    store = PgAuditStore(pool)
    for text in ("1w", "1M"):
        ts, length = parse_time("2024-01-01"), Timeframe.parse(text)
        for _ in range(15):
            await store.judged([Verdict("okx", "A-B", text, ts, "equal", [], [])])
            ts = length.next(ts)
    assert [(one.timeframe, one.candles) for one in await store.counts()] == [("1M", 15), ("1w", 15)]


async def test_candles_without_a_verdict_since_the_first_judged_one_are_found(pool: Any) -> None:
    store = PgAuditStore(pool)
    assert await store.unjudged("okx", "A-B", M1, 9 * MINUTE) == []
    await store.judged(
        [verdict(3, "equal"), verdict(5, "not judged"), verdict(6, "missing trades"), verdict(7, "price")]
    )
    assert [ts // MINUTE for ts in await store.unjudged("okx", "A-B", M1, 9 * MINUTE)] == [4, 5, 6, 8]
    await store.judged([verdict(2_500, "equal")])
    last = [ts // MINUTE for ts in await store.unjudged("okx", "A-B", M1, 5_000 * MINUTE)]
    assert last == list(range(3_072, 5_000))  # of a long time the last two blocks
    near = [ts // MINUTE for ts in await store.unjudged("okx", "A-B", M1, 2_502 * MINUTE)]
    assert near == [*range(1_024, 2_500), 2_501]
