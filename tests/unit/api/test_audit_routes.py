"""Whether candles are right, over REST: series with their counts, differences and corrections in pages."""

from __future__ import annotations

from typing import Any

import httpx

from onetape.bots.desk import Desk
from onetape.domain.market import Origin
from onetape.domain.units import MINUTE, parse_time
from onetape.ports import AuditCount, Correction, Verdict

START = parse_time("2024-01-01")


def counted(verdict: str, candles: int, symbol: str = "BTC-USD") -> AuditCount:
    return AuditCount("okx", symbol, "1m", verdict, candles)


async def test_each_series_says_how_many_were_compared_and_in_what_they_differ(
    client: httpx.AsyncClient, desk: Desk
) -> None:
    audits: Any = desk.audits
    audits.counted = [
        counted("equal", 90), counted("missing trades", 2), counted("not judged", 5), counted("price", 1),
        counted("not judged", 3, "ETH-USD"),
    ]  # fmt: skip
    first, second = (await client.get("audit")).json()["items"]
    assert (first["symbol"], first["compared"], first["equal"], first["not_judged"]) == ("BTC-USD", 93, 90, 5)
    assert first["differences"] == {"missing trades": 2, "price": 1}
    assert (second["symbol"], second["compared"], second["differences"]) == ("ETH-USD", 0, {})
    assert len((await client.get("audit?symbol=ETH-USD")).json()["items"]) == 1


async def test_differences_have_both_numbers_and_come_in_pages(client: httpx.AsyncClient, desk: Desk) -> None:
    queries: Any = desk.queries
    venue = [10.0, 12.0, 9.0, 11.0, 3.0, 30.0]
    queries.rows["differences"] = [
        Verdict("okx", "BTC-USD", "1m", START, "no trades", venue, []),
        Verdict("okx", "BTC-USD", "1m", START + MINUTE, "missing trades", venue, [10.0, 12.0, 9.0, 11.0, 2.5, 25.0]),
    ]
    page = (await client.get("audit/differences?limit=1")).json()
    (one,) = page["items"]
    assert (one["time"], one["difference"], one["in"]) == (
        "2024-01-01T00:01:00Z",
        "missing trades",
        ["volume", "turnover"],
    )
    assert (one["venue"]["volume"], one["built"]["volume"]) == (3.0, 2.5)
    rest = (await client.get("audit/differences", params={"before": page["next"]})).json()
    assert [(row["built"], row["in"]) for row in rest["items"]] == [(None, [])]
    assert rest["next"] is None
    assert (await client.get("audit/differences?timeframe=5m")).json()["items"] == []
    assert (await client.get("audit/differences?timeframe=soon")).status_code == 422


async def test_corrections_have_the_numbers_before_and_after(client: httpx.AsyncClient, desk: Desk) -> None:
    queries: Any = desk.queries
    queries.rows["corrections"] = [
        Correction(
            exchange="okx", symbol="BTC-USD", timeframe="1m", open_ts=START, before=[1.0, 2.0, 1.0, 2.0, 3.0, 6.0],
            after=[1.0, 2.0, 1.0, 1.5, 3.0, 6.0], origin_before=Origin.VENUE, origin_after=Origin.BACKFILLED,
            made_ts=START + MINUTE,
        )
    ]  # fmt: skip
    (one,) = (await client.get("corrections")).json()["items"]
    assert (one["time"], one["made"]) == ("2024-01-01T00:00:00Z", "2024-01-01T00:01:00Z")
    assert (one["in"], one["before"]["close"], one["after"]["close"]) == (["close"], 2.0, 1.5)
    assert (one["origin_before"], one["origin_after"]) == ("venue", "backfilled")
