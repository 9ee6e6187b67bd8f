"""What faults make of the messages of one connection: lost, doubled, exchanged, cut in half, mixed with noise."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final, NamedTuple

from onetape.venue.faults import Fault, Faults, Kind

_NOISE: Final = (
    '{"event":"weather","msg":"an event that no documentation names"}',
    '{"arg":{"channel":"sunspots","instId":"BTC-USDT"},"data":[{"ts":"1","count":"7"}]}',
    '{"arg":{"channel":"trades","instId":"BTC-USDT"},"da',
    "[]",
    '"pong?"',
    '{"arg":null,"data":{"a":[[[[[[[[]]]]]]]]}}',
)
_UNKNOWN: Final = '{"newField":{"a":[1,null,"x"]},'


class About(NamedTuple):
    """What a message is about. `rank`: which of the stream's listeners gets it, 0 = the one that listens longest."""

    channel: str
    symbol: str
    rank: int


class _Held(NamedTuple):
    number: int
    channel: str
    symbol: str


class Tampering:
    """One connection's."""

    def __init__(self, url: str, faults: Faults) -> None:
        self._url, self._faults = url, faults
        self._held: dict[_Held, str] = {}
        self._noise = itertools.cycle(_NOISE)
        self._react: dict[Kind, Callable[[int, Fault, About, str], list[str]]] = {
            Kind.FREEZE: lambda *_: [],
            Kind.SKIP: lambda number, fault, about, text: [] if self._counts(number, fault, about) else [text],
            Kind.DUPLICATE: lambda _number, _fault, _about, text: [text, text],
            Kind.REORDER: self._reorder,
            Kind.GARBLE: self._garble,
            Kind.NOISE: lambda _number, _fault, _about, text: [next(self._noise), _UNKNOWN + text[1:]],
        }

    def pass_on(self, text: str, about: About) -> list[str]:
        """What is sent in place of a message."""
        texts = [text]
        for number, fault in self._faults.active.items():
            react = self._react.get(fault.kind)
            if react and self._hits(fault, about):
                texts = [out for each in texts for out in react(number, fault, about, each)]
        return texts

    def release(self, number: int) -> list[str]:
        """What a fault that has ended still held back."""
        return [self._held.pop(key) for key in tuple(self._held) if key.number == number]

    def _hits(self, fault: Fault, about: About) -> bool:
        return fault.listener in (-1, about.rank) and fault.concerns(self._url, about.channel, about.symbol)

    def _counts(self, number: int, fault: Fault, about: About) -> bool:
        return self._faults.counts(number, fault, about)

    def _garble(self, number: int, fault: Fault, about: About, text: str) -> list[str]:
        return [text[: len(text) // 2]] if self._counts(number, fault, about) else [text]

    def _reorder(self, number: int, _: Fault, about: About, text: str) -> list[str]:
        key = _Held(number, about.channel, about.symbol)
        earlier = self._held.pop(key, None)
        if earlier is None:
            self._held[key] = text
            return []
        return [text, earlier]
