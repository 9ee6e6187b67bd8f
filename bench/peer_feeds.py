"""What a peer does with the same messages: `python peer_feeds.py cryptofeed|ccxt.pro FOLDER`, in its own interpreter.

Each message goes through the peer's own handler of OKX into its normalised form: trades into a callback, books into its
order book. One JSON line a kind.
"""

# mypy: ignore-errors
from __future__ import annotations

import asyncio
import gc
import json
import pathlib
import sys
import time
from importlib.metadata import version

TIMES = 3


def told(tool, kind, rates, note):
    print(json.dumps({"tool": tool, "kind": kind, "rates": rates, "note": note}), flush=True)


def messages(folder, kind):
    return pathlib.Path(folder, kind).read_bytes().splitlines()


async def cryptofeed(folder):
    from cryptofeed.defines import L2_BOOK, TRADES
    from cryptofeed.exchanges import OKX
    from cryptofeed.symbols import Symbols

    calls = 0

    async def heard(*_):
        nonlocal calls
        calls += 1

    names = {"BTC-USDT": "BTC-USDT"}
    OKX.symbol_mapping = classmethod(lambda *_, **__: names)
    Symbols.set(OKX.id, names, {"instrument_type": {"BTC-USDT": "spot"}, "tick_size": {"BTC-USDT": "0.1"}})
    feed = OKX(symbols=["BTC-USDT"], channels=[TRADES, L2_BOOK], callbacks={TRADES: heard, L2_BOOK: heard})
    for kind in ("trades", "books"):
        texts = [m.decode() for m in messages(folder, kind)]
        rates = []
        for _ in range(TIMES):
            feed._l2_book.clear()
            gc.collect()
            calls, begun = 0, time.process_time()
            for text in texts:
                await feed.message_handler(text, None, 0.0)
            rates.append(len(texts) / (time.process_time() - begun))
        told(f"cryptofeed {version('cryptofeed')}", kind, rates, f"{calls:,} callbacks")


async def ccxt_pro(folder):
    import ccxt.pro
    import orjson

    exchange = ccxt.pro.okx({"enableRateLimit": False})
    market = {
        "id": "BTC-USDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "baseId": "BTC", "quoteId": "USDT",
        "type": "spot", "spot": True, "active": True, "swap": False, "future": False, "option": False,
        "contract": False, "precision": {"amount": 1e-8, "price": 0.1}, "limits": {}, "info": {}, "taker": 0.001,
        "maker": 0.001,
    }  # fmt: skip
    exchange.set_markets([market])

    class Client:
        url, subscriptions, futures = "wss://venue", {}, {}
        calls = 0

        def resolve(self, result, _):
            Client.calls += 1
            return result

        def reject(self, error, _):
            raise error

    for kind in ("trades", "books"):
        lines = messages(folder, kind)[:50_001]
        rates = []
        for _ in range(TIMES):
            exchange.trades, exchange.orderbooks = {}, {}
            gc.collect()
            Client.calls, client, begun = 0, Client(), time.process_time()
            for line in lines:
                exchange.handle_message(client, orjson.loads(line))
            rates.append(len(lines) / (time.process_time() - begun))
        told(f"ccxt.pro {version('ccxt')}", kind, rates, f"{Client.calls:,} answers")
    await exchange.close()


if __name__ == "__main__":
    asyncio.run({"cryptofeed": cryptofeed, "ccxt.pro": ccxt_pro}[sys.argv[1]](sys.argv[2]))
