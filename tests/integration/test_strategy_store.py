"""What the gate found is kept with the code it holds for; what people did to bots is kept in the audit trail."""

from __future__ import annotations

from typing import Any

import msgspec

from onetape import archive
from onetape.bots.gates import Gates
from onetape.domain.bots import BotSpec, BotStatus
from onetape.domain.frame import resample
from onetape.storage.bots import PgBotStore
from onetape.storage.memory import MemoryCandleStore
from onetape.storage.strategies import PgStrategyStore
from onetape.strategies.gate import check
from onetape.strategies.registry import Registry

SPEC = BotSpec(name="one", exchange="bitfinex", symbol="BTC-USD", timeframe="5m", strategy="sma_cross")


async def test_every_strategy_is_written_down_and_twice_is_once(pool: Any):
    registry, store = Registry.load(), PgStrategyStore(pool)
    await store.register(registry)
    await store.register(registry)
    rows = await pool.fetch("SELECT name, parameters, schema, source_hash FROM strategies ORDER BY name")
    assert [row["name"] for row in rows] == sorted(registry.list())
    cross = next(row for row in rows if row["name"] == "sma_cross")
    assert cross["parameters"] == {"fast": 10, "slow": 50, "exit": "cross", "short": False}
    assert cross["source_hash"] == registry.source_hash("sma_cross")
    assert "fast" in str(cross["schema"])


async def test_a_proof_comes_back_as_it_was_and_goes_with_the_code_it_was_for(pool: Any):
    registry, store = Registry.load(), PgStrategyStore(pool)
    await store.register(registry)
    strategy = registry.build("sma_cross", {"fast": 3, "slow": 9})
    report = check(strategy, resample(archive.sample_frame(), "1h"))
    await store.put(registry.proof_key(strategy), report)
    await store.register(registry)  # the same code: nothing is forgotten
    assert await store.load() == {registry.proof_key(strategy): report}
    await pool.execute("UPDATE strategies SET source_hash = 'older' WHERE name = 'sma_cross'")
    await store.register(registry)
    assert await store.load() == {}


async def test_a_stored_proof_spares_the_next_process_the_gate(pool: Any):
    registry, store, candles = Registry.load(), PgStrategyStore(pool), MemoryCandleStore()
    await store.register(registry)
    await candles.append(archive.sample_frame().tail(10_000))
    await Gates(candles, registry, store).require(SPEC)
    assert list(await store.load()) == [registry.proof_key(registry.build("sma_cross"))]
    await Gates(MemoryCandleStore(), registry, store).require(SPEC)  # has no candles to try it on, and needs none


async def test_what_is_done_to_a_bot_stands_in_the_audit_trail(pool: Any):
    bots = PgBotStore(pool)
    await bots.put(SPEC)
    await bots.wish("one", BotStatus.RUNNING)
    await bots.report("one", BotStatus.RUNNING)
    await bots.report("one", BotStatus.RUNNING)  # says nothing new
    await bots.report("one", BotStatus.HALTED, "too deep")
    await bots.wish("one", BotStatus.STOPPED)
    await bots.delete("one")
    rows = await pool.fetch("SELECT actor, kind, detail FROM events WHERE subject = 'one' ORDER BY id")
    assert [(row["actor"], row["kind"]) for row in rows] == [
        ("operator", "bot_described"),
        ("operator", "bot_wished"),
        ("trader", "bot_reported"),
        ("trader", "bot_reported"),
        ("operator", "bot_wished"),
        ("operator", "bot_deleted"),
    ]
    assert msgspec.convert(rows[0]["detail"], BotSpec) == SPEC
    assert rows[3]["detail"] == {"status": "halted", "reason": "too deep"}
