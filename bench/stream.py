"""`python -m bench.stream RATE SECONDS`: as much of OKX's public side as a collector needs, in a process of its own.

Sends RATE trades a second over all subscribed symbols for SECONDS after the first subscription, on each connection that
asked for them, then says how many.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

from aiohttp import WSMsgType, web

_BEAT = 0.002  # seconds between two writes


class Venue:
    def __init__(self, rate: int, seconds: float) -> None:
        self.rate, self.seconds = rate, seconds
        self.sent: dict[str, int] = {}
        self.over = asyncio.Event()
        self.lines: dict[web.WebSocketResponse, set[str]] = {}  # by connection: the symbols that it asked for
        self.sending: asyncio.Task[None] | None = None

    async def time(self, _: web.Request) -> web.Response:
        return web.json_response({"code": "0", "msg": "", "data": [{"ts": str(time.time_ns() // 1_000_000)}]})

    async def nothing(self, _: web.Request) -> web.Response:
        return web.json_response({"code": "0", "msg": "", "data": []})

    async def listen(self, request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse(compress=False)
        await line.prepare(request)
        async for message in line:
            if message.type is not WSMsgType.TEXT:
                continue
            if message.data == "ping":
                await line.send_str("pong")
                continue
            asked: dict[str, Any] = json.loads(message.data)
            for arg in asked["args"]:
                self.sent.setdefault(arg["instId"], 0)
                self.lines.setdefault(line, set()).add(arg["instId"])
                await line.send_str(json.dumps({"id": asked["id"], "event": "subscribe", "arg": arg}))
            self.sending = self.sending or asyncio.create_task(self.send())
        self.lines.pop(line, None)
        return line

    async def send(self) -> None:
        begun, done = time.monotonic(), 0
        while (passed := time.monotonic() - begun) < self.seconds:
            while done < passed * self.rate:
                symbol, text = self.trade(done)
                for line, symbols in list(self.lines.items()):
                    if symbol in symbols:
                        await line.send_str(text)
                done += 1
            await asyncio.sleep(_BEAT)
        self.over.set()

    def trade(self, i: int) -> tuple[str, str]:
        symbols = list(self.sent)
        symbol = symbols[i % len(symbols)]
        self.sent[symbol] += 1
        number, price, now = 1_000_000 + self.sent[symbol], 30_000 + i % 97 / 10, time.time_ns() // 1_000_000
        return symbol, (
            f'{{"arg":{{"channel":"trades","instId":"{symbol}"}},"data":[{{"instId":"{symbol}","tradeId":"{number}",'
            f'"px":"{price:.1f}","sz":"0.12060306","side":"buy","ts":"{now}","count":"1","source":"0",'
            f'"seqId":{number}}}]}}'
        )


async def main() -> None:
    venue = Venue(int(sys.argv[1]), float(sys.argv[2]))
    app = web.Application()
    app.router.add_get("/api/v5/public/time", venue.time)
    app.router.add_get("/api/v5/{path:.*}", venue.nothing)
    app.router.add_get("/ws/v5/{path}", venue.listen)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await venue.over.wait()
    print(sum(venue.sent.values()), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
