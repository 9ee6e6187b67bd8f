"""Messages of every channel: what the exchange said against what is stored, byte for byte."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from tally import Check, gap_spans, inside

from onetape.venue.journal import Journal, Said

NAMES = {
    "trades": "trades", "trades-all": "trades_all", "books": "book", "books5": "book5", "bbo-tbt": "bbo",
    "tickers": "ticker", "mark-price": "mark", "index-tickers": "index", "funding-rate": "funding",
    "instruments": "instruments", "status": "status",
}  # fmt: skip
NUMBERED = ("trades", "trades_all", "book")  # the stream itself shows that something is missing
REPEATED = ("funding", "instruments", "status")  # the next message has all that was missed: there are no gaps of them
_TRADES = ("trades", "trades_all")
_VENUE = ("instruments", "status")  # of the exchange as a whole
_NOISE = '{"newField":{"a":[1,null,"x"]},'  # what the fault `noise` puts before a message


class Stream(NamedTuple):
    symbol: str
    channel: str


def stream_of(said: Said) -> Stream:
    if said.channel.startswith("candle"):
        return Stream(said.symbol, "candles:" + said.channel.removeprefix("candle").replace("H", "h"))
    name = NAMES[said.channel]
    return Stream("*" if name in _VENUE else said.symbol, name)


async def of_messages(database: Any, journal: Journal, until_ts: int) -> list[Check]:
    """Of each stream: stored once, unchanged, and what is not stored inside a gap."""
    said, greeted = _by_stream(journal.said), _by_stream(journal.greeted)
    stored: defaultdict[Stream, Counter[str]] = defaultdict(Counter)
    rows = await database.fetch("SELECT symbol, channel, data::text AS data FROM raw_market_data")
    for row in rows:
        text = row["data"]
        if text.startswith(('{"arg"', _NOISE)):  # the others are answers to requests
            plain = text
            while plain.startswith(_NOISE):  # twice, where two such faults overlap
                plain = "{" + plain[len(_NOISE) :]
            stored[Stream(row["symbol"], row["channel"])][plain] += 1
    found = []
    for stream in sorted(said.keys() | stored.keys()):
        spans = await gap_spans(database, *stream)
        if stream.channel in _TRADES:  # one of them fills the other's holes, and the counts by id are of both
            spans = [span for channel in _TRADES for span in await gap_spans(database, stream.symbol, channel)]
        told = [one for one in said[stream] if one.ts <= until_ts]
        found.append(_whole(stream, told, stored[stream], spans))
        found += _true(stream, stored[stream], Counter(one.text for one in said[stream]), greeted[stream])
    return found


def _by_stream(all_said: Iterable[Said]) -> defaultdict[Stream, list[Said]]:
    found: defaultdict[Stream, list[Said]] = defaultdict(list)
    for one in all_said:
        found[stream_of(one)].append(one)
    return found


def _true(stream: Stream, stored: Counter[str], said: Counter[str], greeted: list[Said]) -> list[Check]:
    """Nothing is stored that was not said, and nothing more often than it was said."""
    welcome = Counter(one.text for one in greeted)
    if stream.channel not in _VENUE:  # lists of instruments have no time: the same text is another message
        welcome = Counter(dict.fromkeys(welcome, 1))
    changed = sum(n for text, n in stored.items() if not said[text] and not welcome[text])
    twice = sum(max(0, n - said[text] - welcome[text]) for text, n in stored.items() if said[text] or welcome[text])
    total = sum(stored.values())
    return [
        Check("no message is changed", _name(stream), not changed, {"messages": total, "changed": changed}),
        Check("no message is stored twice", _name(stream), not twice, {"messages": total, "twice": twice}),
    ]


def _whole(stream: Stream, told: list[Said], stored: Counter[str], spans: list[tuple[int, int]]) -> Check:
    """What was said and is not stored: in a gap; or, where a message has no number and says everything anew, kept from
    a listener by a fault, which nobody could notice."""
    kind = stream.channel.partition(":")[0]
    if kind == "candles":  # those that run are overtaken; those that are closed are compared one by one
        told = [one for one in told if one.text.endswith('"1"]]}')]
    lost = [one for one in told if not stored[one.text]]
    left = [one for one in lost if not inside(spans, _time(one))]
    known = len(lost) - len(left)
    if kind == "candles":
        unknown: list[Said] = []  # fetched, and compared there
    elif kind in REPEATED:
        unknown = [one for one in left if one is told[-1] and not one.harmed]
    else:
        unknown = [one for one in left if kind in NUMBERED or not one.harmed]
    figures = {"said": len(told), "not stored": len(lost), "in gaps": known, "unexplained": len(unknown)}
    return Check(f"messages of {kind} are stored", stream.symbol, not unknown, figures)


def _time(said: Said) -> int:
    """The message's own time."""
    row = json.loads(said.text)["data"][0]
    return int(row["ts"]) * 1_000 if isinstance(row, dict) and "ts" in row else said.ts


def _name(stream: Stream) -> str:
    return f"{stream.symbol} {stream.channel}"
