from __future__ import annotations

import asyncio

from onetape.domain.errors import Transient
from onetape.marketdata.commit import GroupCommit


async def test_what_arrives_during_a_commit_shares_the_next_one_in_order() -> None:
    batches: list[list[int]] = []
    gate = asyncio.Event()

    async def commit(batch: list[int]) -> None:
        await gate.wait()
        batches.append(list(batch))

    queue = GroupCommit("numbers", commit)
    task = asyncio.create_task(queue.run())
    await queue.put(1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for i in range(2, 6):
        await queue.put(i)
    gate.set()
    await queue.settled()
    assert batches == [[1], [2, 3, 4, 5]]
    task.cancel()


async def test_failed_batch_is_tried_again_whole() -> None:
    tries: list[list[int]] = []

    async def commit(batch: list[int]) -> None:
        tries.append(list(batch))
        if len(tries) < 3:
            raise Transient("the database is away")

    queue = GroupCommit("numbers", commit)
    await queue.put(1)
    await queue.put(2)
    task = asyncio.create_task(queue.run())
    await queue.settled()
    assert tries == [[1, 2]] * 3
    assert queue.waiting == 0
    task.cancel()


async def test_full_queue_makes_the_producer_wait_and_drops_nothing() -> None:
    kept: list[int] = []

    async def commit(batch: list[int]) -> None:
        await asyncio.sleep(0)
        kept.extend(batch)

    queue = GroupCommit("numbers", commit, limit=3)
    task = asyncio.create_task(queue.run())
    for i in range(50):
        await queue.put(i)
        assert queue.waiting <= 3
    await queue.settled()
    assert kept == list(range(50))
    task.cancel()


async def test_what_waited_for_a_commit_longer_than_the_linger_waits_no_more() -> None:
    batches: list[list[int]] = []
    gate = asyncio.Event()

    async def commit(batch: list[int]) -> None:
        batches.append(list(batch))
        await gate.wait()

    queue = GroupCommit("numbers", commit, linger=0.05)
    task = asyncio.create_task(queue.run())
    await queue.put(1)
    while not batches:
        await asyncio.sleep(0.005)
    await queue.put(2)
    await asyncio.sleep(0.06)
    gate.set()
    for _ in range(10):  # turns of the loop, no time
        await asyncio.sleep(0)
    assert batches == [[1], [2]]
    task.cancel()


async def test_a_run_that_is_cancelled_in_the_middle_of_a_commit_does_not_commit_it_twice() -> None:
    kept: list[int] = []
    begun, gate = asyncio.Event(), asyncio.Event()

    async def store(batch: list[int]) -> None:
        begun.set()
        await gate.wait()
        kept.extend(batch)

    async def commit(batch: list[int]) -> None:
        await asyncio.wait((asyncio.ensure_future(store(batch)),))  # a database goes on, whoever waits for it

    queue = GroupCommit("numbers", commit)
    task = asyncio.create_task(queue.run())
    await queue.put(1)
    await begun.wait()
    await queue.put(2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    asyncio.get_running_loop().call_later(0.01, gate.set)
    await queue.drain()
    assert kept == [1, 2]
