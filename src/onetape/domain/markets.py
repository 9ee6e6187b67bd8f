"""What is recorded and how long it is kept: `config/markets.json`, changed by hand or by a page while it runs.

    {"markets": [{"symbols": ["BTC-USDT"], "channels": ["trades", "candles"], "timeframes": ["5m", "7m"]}],
     "keep": {"raw": {"*": {"database": "30d"}}, "candles": {"1m": {"database": "730d"}}},
     "spool_mb": 2048}

A length of time is `forever` or a number with s, m, h, d or w.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from onetape.domain import documents
from onetape.domain.errors import BadInput
from onetape.domain.market import UNKNOWN, WATCHED, Channel, Want
from onetape.domain.units import DAY, Micros, Timeframe

FOREVER: Final = "forever"
TIMEFRAMES: Final = ("5m", "15m", "1h")  # of the venue, recorded beside 1m unless asked otherwise
_OF_THE_VENUE: Final = (Channel.INSTRUMENTS, Channel.STATUS)
_LENGTH: Final = re.compile(r"[1-9][0-9]{0,4}[smhdw]")


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long rows stay in the database, and how long in the archive after that. `archive` "0" keeps none."""

    database: str = FOREVER
    archive: str = FOREVER

    @property
    def in_database(self) -> Micros | None:
        """None = for ever."""
        return _length(self.database)

    @property
    def in_archive(self) -> Micros | None:
        """None = for ever, 0 = rows that leave the database are deleted."""
        return 0 if self.archive == "0" else _length(self.archive)


class Keep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Raw frames by channel (`trades`, `candles:1m`, `candles`), candles by timeframe; `*` is for all others."""

    raw: dict[str, Kept] = msgspec.field(default_factory=lambda: {"*": Kept()})
    candles: dict[str, Kept] = msgspec.field(default_factory=lambda: {"*": Kept()})

    def of_raw(self, channel: str) -> Kept:
        """By its full name, else by its kind, else what holds for all."""
        for name in (channel, channel.partition(":")[0], "*"):
            if name in self.raw:
                return self.raw[name]
        return Kept()

    def of_candles(self, timeframe: str) -> Kept:
        return self.candles.get(timeframe) or self.candles.get("*") or Kept()


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Instruments that are recorded alike. `exchange` "" is the one the platform runs on.

    `timeframes` that the venue has come from it; others are made of those, or built from trades (30s, or what
    the venue refuses of a symbol), which are recorded then, whether `channels` name them or not.
    Candles that the exchange itself does not have are taken from the exchanges of `fallback`, the first one first, and
    are marked foreign. `missed_trades` is how old trades may be that a hole has left and that are fetched again:
    `forever` (as long as the venue has them), a length of time, or "0" for none.
    """

    symbols: tuple[str, ...]
    channels: tuple[Channel, ...] = WATCHED
    timeframes: tuple[str, ...] = TIMEFRAMES
    exchange: str = ""
    fallback: tuple[str, ...] = ()
    missed_trades: str = FOREVER

    def wants(self) -> list[Want]:
        """Candles of 1m always: fills are simulated on them."""
        lengths = dict.fromkeys(["1m", *(str(Timeframe.parse(each)) for each in self.timeframes)])
        return [
            Want("*" if channel in _OF_THE_VENUE else symbol, channel, timeframe)
            for symbol in dict.fromkeys(self.symbols)
            for channel in self.channels
            for timeframe in (lengths if channel is Channel.CANDLES else [""])
        ]


class Markets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    markets: tuple[Recorded, ...]
    keep: Keep = msgspec.field(default_factory=Keep)
    spool_mb: int = 2_048  # the most that waits on disk while the database is away

    def of(self, exchange: str, configured: str) -> tuple[Recorded, ...]:
        """What is recorded of one exchange; `configured` is the one that "" stands for."""
        return tuple(one for one in self.markets if (one.exchange or configured) == exchange)

    def missed_trades(self, exchange: str, configured: str, symbol: str) -> Micros | None:
        """How old missed trades of a symbol may be to be wanted: None = however old. The longest of what is said."""
        said = [one.missed_trades for one in self.of(exchange, configured) if symbol in one.symbols]
        lengths = [0 if text == "0" else _length(text) for text in said]
        return None if None in lengths or not lengths else max(each for each in lengths if each is not None)

    def check(self) -> Markets:
        """Itself. Raises BadInput with the JSON path of a value that makes no sense."""
        for i, one in enumerate(self.markets):
            for j, symbol in enumerate(one.symbols):
                if not symbol or symbol != symbol.strip().upper():
                    raise BadInput(f"$.markets[{i}].symbols[{j}]", symbol, "not a symbol", "Write it like BTC-USDT.")
            for j, text in enumerate(one.timeframes):
                Timeframe.parse(text, f"$.markets[{i}].timeframes[{j}]")
            for j, name in enumerate(one.fallback):
                if not name or name == one.exchange:
                    raise BadInput(f"$.markets[{i}].fallback[{j}]", name, "not another exchange")
            if one.missed_trades not in (FOREVER, "0") and not _LENGTH.fullmatch(one.missed_trades):
                remedy = "Write forever, 0, or a number with s, m, h, d or w: 7d."
                raise BadInput(f"$.markets[{i}].missed_trades", one.missed_trades, "not a length of time", remedy)
        for kind in ("raw", "candles"):
            for name, kept in getattr(self.keep, kind).items():
                self._check_kept(f"$.keep.{kind}", kind, name, kept)
        if not 16 <= self.spool_mb <= 1_000_000:
            raise BadInput("$.spool_mb", self.spool_mb, "not between 16 and 1000000 megabytes")
        return self

    def _check_kept(self, path: str, kind: str, name: str, kept: Kept) -> None:
        if kind == "candles" and name != "*":
            Timeframe.parse(name, f"{path}.{name}")
        elif kind == "raw" and name != "*" and name.partition(":")[0].removesuffix("_rest") not in (*Channel, UNKNOWN):
            raise BadInput(f"{path}.{name}", name, "not a channel", f"Channels are {', '.join(Channel)}.")
        for field in ("database", "archive"):
            text = getattr(kept, field)
            if text != FOREVER and not (field == "archive" and text == "0") and not _LENGTH.fullmatch(text):
                remedy = "Write forever, or a number with s, m, h, d or w: 30d."
                raise BadInput(f"{path}.{name}.{field}", text, "not a length of time", remedy)
        if kept.in_database is not None and kept.in_database < DAY:
            raise BadInput(f"{path}.{name}.database", kept.database, "shorter than a day", "Write 1d or more.")


def _length(text: str) -> Micros | None:
    return None if text == FOREVER else Timeframe.parse(text).micros


def parse(text: bytes | str, source: str = "markets.json") -> Markets:
    """A checked document. Raises BadInput with the JSON path of what is wrong."""
    return documents.decode(text, Markets, "the list of markets", source, _keys).check()


def _keys(place: str) -> tuple[str, ...]:
    if place.startswith("$.markets["):
        return Recorded.__struct_fields__
    if place.startswith("$.keep"):
        return Keep.__struct_fields__ if place.count(".") == 2 else Kept.__struct_fields__
    return Markets.__struct_fields__
