"""Token buckets in Redis or Valkey, so that all processes together keep to what a venue allows. Fulfils ports.Budgets.

The arithmetic is one script that the server runs whole, on the server's clock: processes cannot get between each other,
and their own clocks do not matter.
"""

from __future__ import annotations

import time
from typing import Any, Final

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from onetape.domain.errors import Transient

TIMEOUT: Final = 0.5  # seconds: a request to a venue does not wait longer for its permission
AWAY: Final = 5.0  # seconds for which a server that did not answer is not asked again

# Who has to wait takes nothing: it may never come back. Half the rate until `slow`, nothing until `closed`.
_DELAY: Final = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
local capacity, rate = tonumber(ARGV[1]), tonumber(ARGV[2])
local known = redis.call('HMGET', KEYS[1], 'tokens', 'ts', 'closed', 'slow')
local tokens, ts = tonumber(known[1]) or capacity, tonumber(known[2]) or now
local closed, slow = tonumber(known[3]) or 0, tonumber(known[4]) or 0
if now < slow then rate = rate / 2 end
local cost = tonumber(ARGV[3])
tokens = math.min(capacity, tokens + math.max(0, now - ts) * rate)
local wait = math.max((math.min(cost, capacity) - tokens) / rate, closed - now)
if wait <= 0.000001 then
  tokens = tokens - cost
  wait = 0
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'ts', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], 600)
return string.format('%.6f', wait)
"""
_EXCEEDED: Final = """
local t = redis.call('TIME')
local now = tonumber(t[1]) + tonumber(t[2]) / 1000000
redis.call('HSET', KEYS[1], 'closed', string.format('%.6f', now + tonumber(ARGV[1])),
           'slow', string.format('%.6f', now + tonumber(ARGV[2])))
redis.call('EXPIRE', KEYS[1], 600)
return '0'
"""
_GIVE_BACK: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBYFLOAT', KEYS[1], 'tokens', ARGV[1]) end
return '0'
"""


class RedisBudgets:
    """`url` as for the bus. Nothing is connected before it is first needed."""

    def __init__(self, url: str) -> None:
        self._client: Any = redis.from_url(
            url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0), protocol=2
        )
        self._delay = self._client.register_script(_DELAY)
        self._exceeded = self._client.register_script(_EXCEEDED)
        self._give_back = self._client.register_script(_GIVE_BACK)
        self._away_until = 0.0

    async def delay(self, name: str, capacity: float, rate: float, cost: float = 1.0) -> float:
        return float(await self._run(self._delay, name, capacity, rate, cost))

    async def give_back(self, name: str, cost: float) -> None:
        await self._run(self._give_back, name, cost)

    async def exceeded(self, name: str, closed: float, slow: float) -> None:
        await self._run(self._exceeded, name, closed, slow)

    async def close(self) -> None:
        await self._client.aclose()

    async def _run(self, script: Any, name: str, *arguments: float) -> Any:
        if time.monotonic() < self._away_until:
            raise Transient("Valkey did not answer a moment ago.")
        try:
            return await script(keys=[f"budget:{name}"], args=arguments)
        except (OSError, TimeoutError, RedisError) as problem:
            self._away_until = time.monotonic() + AWAY
            raise Transient(f"Valkey did not answer: {str(problem).rstrip('.')}.") from None
