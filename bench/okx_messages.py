"""Messages as OKX sends them, the same everywhere: trades at a walking price, and a book of 400 levels a side with the
changes of its updates (about a dozen each). Written to files too, for the peers."""

from __future__ import annotations

import random
from collections.abc import Iterator

SYMBOL = "BTC-USDT"
START = 1_767_225_600_000  # ms
LEVELS = 400
COUNT = 200_000


def trades(count: int = COUNT) -> list[bytes]:
    chance, price, ts = random.Random(1), 300_000, START
    found = []
    for number in range(130_000_000, 130_000_000 + count):
        price += chance.choice((-1, 0, 0, 0, 1))
        ts += int(chance.expovariate(0.025))
        size, side = chance.lognormvariate(-5, 2), chance.choice(("buy", "sell"))
        found.append(
            f'{{"arg":{{"channel":"trades","instId":"{SYMBOL}"}},"data":[{{"instId":"{SYMBOL}","tradeId":"{number}",'
            f'"px":"{price / 10:.1f}","sz":"{size:.8f}","side":"{side}","ts":"{ts}","count":"1","source":"0",'
            f'"seqId":{number}}}]}}'.encode()
        )
    return found


def books(count: int = COUNT) -> list[bytes]:
    """A snapshot and `count` updates in an unbroken chain."""
    return list(_books(count))


def _books(count: int) -> Iterator[bytes]:
    chance, middle, seq = random.Random(2), 300_000, 1_000
    bids = {middle - 1 - i: _size(chance) for i in range(LEVELS)}
    asks = {middle + 1 + i: _size(chance) for i in range(LEVELS)}
    yield _book("snapshot", asks, bids, 0, seq, -1)
    for i in range(1, count + 1):
        middle += chance.choice((-2, -1, 0, 0, 0, 0, 1, 2))
        changed: tuple[dict[int, str], dict[int, str]] = ({}, {})
        for side, change, gone in ((bids, changed[0], 1), (asks, changed[1], -1)):
            for price in [middle + gone * step for step in range(4) if middle + gone * step in side]:
                del side[price]
                change[price] = "0"
        for _ in range(2 + int(chance.expovariate(1 / 11.5))):
            away = 1 + int(chance.expovariate(0.04)) % LEVELS
            buys = chance.random() < 0.5
            side, change, price = (bids, changed[0], middle - away) if buys else (asks, changed[1], middle + away)
            if price in side and chance.random() < 0.35:
                del side[price]
                change[price] = "0"
            else:
                side[price] = change[price] = _size(chance)
        before, seq = seq, seq + chance.randrange(1, 12)
        yield _book("update", changed[1], changed[0], i, seq, before)


def _size(chance: random.Random) -> str:
    return f"{chance.lognormvariate(-1.5, 1.8):.8f}"


def _book(action: str, asks: dict[int, str], bids: dict[int, str], i: int, seq: int, before: int) -> bytes:
    texts = [
        ",".join(f'["{price / 10:g}","{size}","0","{0 if size == "0" else 2}"]' for price, size in sorted(side.items()))
        for side in (asks, bids)
    ]
    return (
        f'{{"arg":{{"channel":"books","instId":"{SYMBOL}"}},"action":"{action}","data":[{{"asks":[{texts[0]}],'
        f'"bids":[{texts[1]}],"ts":"{START + 100 * i}","checksum":0,"seqId":{seq},"prevSeqId":{before}}}]}}'
    ).encode()
