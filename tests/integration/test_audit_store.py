from __future__ import annotations

from typing import Any

from onetape.domain.units import MINUTE, Timeframe
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
