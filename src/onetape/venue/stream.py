"""One instrument's subscribers and what they were told last; the frame of a push. Knows no network."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from onetape.domain.units import Micros
from onetape.venue import wire
from onetape.venue.book import Book
from onetape.venue.channels import Channel, is_index
from onetape.venue.journal import Journal, Said
from onetape.venue.played import Played
from onetape.venue.tamper import About
from onetape.venue.traded import Market, Row


class Subscriber(Protocol):
    """A connection. `put` never waits, and gives whether the message goes out whole and in its turn. `about` is given
    for what a stream says: faults may change it."""

    def put(self, text: str, about: About | None = None) -> bool: ...


class Stream:
    """`cursor` is the venue time up to which the tape was pushed; `book` what the listeners of `books` hold."""

    def __init__(self, tape: Market, cursor: Micros, journal: Journal | None = None) -> None:
        self.tape, self.cursor, self.journal = tape, cursor, journal
        self.listeners: defaultdict[str, dict[Subscriber, None]] = defaultdict(dict)
        self.book: Book | None = None
        self.replay = tape.replay() if isinstance(tape, Played) else None
        self.book_s = 0.0
        self.pushed: dict[str, str] = {}  # channel -> what was said last, to say nothing twice
        self.pushed_s: defaultdict[str, float] = defaultdict(float)
        self.owed: dict[str, Row] = {}  # by channel: the bar that was told wrong

    @property
    def active(self) -> bool:
        return any(self.listeners.values())

    @property
    def symbol(self) -> str:
        return self.tape.listing.symbol

    def arg(self, name: str) -> dict[str, str]:
        return {"channel": name, "instId": self.tape.listing.pair if is_index(name) else self.symbol}

    def frame(self, name: str, data: list[Any], action: str = "") -> str:
        return frame(self.arg(name), data, action)

    def say(self, name: str, text: str) -> None:
        say(text, Channel(name, self.symbol), self.listeners[name], self.cursor, self.journal)

    def due(self, name: str, mark: str, every_s: float) -> bool:
        """Whether a channel has something to say: its mark has changed, or nothing was said for a while."""
        moment = time.monotonic()
        if self.pushed.get(name) == mark and moment - self.pushed_s[name] < every_s:
            return False
        self.pushed[name], self.pushed_s[name] = mark, moment
        return True


def say(
    text: str, channel: Channel, listeners: Iterable[Subscriber], now: Micros, journal: Journal | None = None
) -> None:
    """To all who listen, the oldest first."""
    told = [listener.put(text, About(*channel, rank)) for rank, listener in enumerate(tuple(listeners))]
    if journal and told:
        journal.said.append(Said(*channel, now, text, harmed=not all(told)))


def frame(arg: dict[str, str], data: list[Any], action: str = "") -> str:
    return wire.encode({"arg": arg, **({"action": action} if action else {}), "data": data})
