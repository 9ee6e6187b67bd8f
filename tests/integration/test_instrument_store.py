from __future__ import annotations

from typing import Any

import msgspec

from onetape.domain.instrument import Instrument, Kind
from onetape.domain.market import InstrumentChange
from onetape.storage.instruments import PgInstrumentStore

SWAP = Instrument(exchange="okx", symbol="BTC-USDT-SWAP", kind=Kind.SWAP, tick=0.1, lot=0.01, contract_size=0.01)


async def test_a_change_is_kept_with_its_time_and_both_states_and_once(pool: Any) -> None:
    store = PgInstrumentStore(pool)
    await store.change([InstrumentChange("okx", "BTC-USDT-SWAP", 5_000_000, SWAP)])
    assert await store.known("okx") == [SWAP]
    assert await store.known("kraken") == []
    assert await store.changes("okx") == []
    halted = msgspec.structs.replace(SWAP, contract_size=0.1, state="suspend")
    change = InstrumentChange("okx", "BTC-USDT-SWAP", 9_000_000, halted, SWAP, 9_000_001)
    for _ in range(2):
        await store.change([change])
    assert await store.changes("okx", "BTC-USDT-SWAP") == [change]
    assert await store.changes("okx", "ETH-USDT-SWAP") == []
    assert await store.known("okx") == [halted]
