"""`python -m bench.subscriber REDIS_URL`: hears all trades on the bus, and says at the end of its input how late."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import cast

from onetape.bus.redis import RedisBus
from onetape.domain import topics
from onetape.domain.market import Prints
from onetape.marketdata.latency import Histogram
from onetape.ports import Message


async def main() -> None:
    bus, heard = RedisBus(sys.argv[1]), Histogram()

    async def hear() -> None:
        async for message in bus.subscribe(topics.prints("*", "*")):
            if isinstance(message, Message):
                now, prints = time.time_ns() / 1e6, cast(Prints, message.body)
                for trade in prints.trades:
                    heard.add(now - trade.recv_ts / 1e3)
            else:
                print("ready", flush=True)

    task = asyncio.create_task(hear())
    while (line := await asyncio.to_thread(sys.stdin.readline)) == "afresh\n":
        heard = Histogram()
    assert not line
    task.cancel()
    print(json.dumps(heard.summary()), flush=True)


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
