"""`/api/v1/stream`: the WebSocket that pushes market data and bots to pages. Knows the hub."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from onetape.api.hub import Hub, Mailbox

router = APIRouter()


@router.websocket("/stream")
async def stream(
    socket: WebSocket, symbol: str = "", bots: bool = False, data: bool = False, jobs: bool = False
) -> None:
    """`?symbol=okx:BTC-USDT&bots=true&data=true&jobs=true`. Each message is a JSON object with `seq` (rising by one),
    `sent` and any of

    `quote`, `book`, `forming_1m` (newest value), `candles`, `prints`, `signals`, `fills`, `orders`, `gaps` (lists,
    oldest first), `bots` (by name; null = deleted), `streams` (by exchange), `jobs` (by id), `services`, `resync`;
    `received` is when the newest market data came in, in microseconds since 1970.
    """
    hub: Hub = socket.app.state.hub
    await socket.accept()
    box = hub.open(symbol, bots, data, jobs)
    sending = asyncio.create_task(_send(socket, hub, box))
    try:
        while True:
            await socket.receive_text()  # nothing is expected; this is how a closed socket is noticed
    except (WebSocketDisconnect, RuntimeError):
        pass
    finally:
        hub.close(box)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
            await sending


async def _send(socket: WebSocket, hub: Hub, box: Mailbox) -> None:
    async for message in hub.updates(box):
        await socket.send_text(msgspec.json.encode(message).decode())
