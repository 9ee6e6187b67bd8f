"""One instrument's subscribers and what they were told last; the frame of a push. Knows no network."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any, Protocol

from onetape.domain.units import Micros
from onetape.venue import wire
from onetape.venue.book import Book
from onetape.venue.channels import INDEX
from onetape.venue.played import Played
from onetape.venue.tamper import About
from onetape.venue.traded import Market


class Subscriber(Protocol):
    """A connection. `put` never waits. `about` is given for what a stream says: faults may change it."""

    def put(self, text: str, about: About | None = None) -> None: ...


class Stream:
    """`cursor` is the venue time up to which the tape was pushed; `book` what the listeners of `books` hold."""

    def __init__(self, tape: Market, cursor: Micros) -> None:
        self.tape, self.cursor = tape, cursor
        self.listeners: defaultdict[str, dict[Subscriber, None]] = defaultdict(dict)
        self.book: Book | None = None
        self.replay = tape.replay() if isinstance(tape, Played) else None
        self.book_s = 0.0
        self.pushed: dict[str, str] = {}  # channel -> what was said last, to say nothing twice
        self.pushed_s: defaultdict[str, float] = defaultdict(float)

    @property
    def active(self) -> bool:
        return any(self.listeners.values())

    @property
    def symbol(self) -> str:
        return self.tape.listing.symbol

    def arg(self, name: str) -> dict[str, str]:
        return {"channel": name, "instId": self.tape.listing.pair if name == INDEX else self.symbol}

    def frame(self, name: str, data: list[Any], action: str = "") -> str:
        return frame(self.arg(name), data, action)

    def say(self, name: str, text: str) -> None:
        for rank, listener in enumerate(tuple(self.listeners[name])):
            listener.put(text, About(name, self.symbol, rank))

    def due(self, name: str, mark: str, every_s: float) -> bool:
        """Whether a channel has something to say: its mark has changed, or nothing was said for a while."""
        moment = time.monotonic()
        if self.pushed.get(name) == mark and moment - self.pushed_s[name] < every_s:
            return False
        self.pushed[name], self.pushed_s[name] = mark, moment
        return True


def frame(arg: dict[str, str], data: list[Any], action: str = "") -> str:
    return wire.encode({"arg": arg, **({"action": action} if action else {}), "data": data})
