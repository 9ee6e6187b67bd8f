"""What can go wrong at the venue, as a script: faults with their times. A file of it is a list of JSON objects.

    [{"kind": "drop", "at_s": 5}, {"kind": "freeze", "at_s": 9, "for_s": 3, "channel": "trades-all"}]

Times are real seconds from the first subscription on, so that a client may take its time to start.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from onetape.domain import documents
from onetape.domain.errors import BadInput
from onetape.domain.units import Micros

REST: Final = "rest"  # the `url` of requests, beside public, business and private


class Kind(enum.StrEnum):
    DROP = "drop"  # cut the connections without a close frame
    SILENT = "silent"  # the sockets stay open, nothing is sent or answered on them
    FREEZE = "freeze"  # a stream sends nothing more, the others on its socket go on; what it misses is lost
    SKIP = "skip"  # the next `count` messages of a stream are lost
    DUPLICATE = "duplicate"  # every message comes twice
    REORDER = "reorder"  # every two messages of a stream change places
    GARBLE = "garble"  # the next `count` messages are cut in half: broken JSON in place of data
    NOISE = "noise"  # an unknown field in every message; unknown events, unknown channels, broken JSON between them
    REVISE = "revise"  # the next `count` closed bars of a stream are told wrong, and right when the next one closes
    RESTART = "restart"  # the sequence numbers of the books begin again: seqId < prevSeqId
    REFUSE = "refuse"  # REST answers with `status` and `code`; `channel` names an endpoint by its last part
    SKEW = "skew"  # the venue's clock is `ms` ahead: the time it tells, and the time of its books
    UPGRADE = "upgrade"  # 64008 is announced, and the connections are closed after `for_s`
    SLOW = "slow"  # every message waits `ms` before it is sent, and so does every REST answer


COUNTED: Final = frozenset({Kind.SKIP, Kind.GARBLE, Kind.REVISE})
_MOMENTARY: Final = COUNTED | {Kind.DROP, Kind.RESTART}


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault. `for_s` is how long it lasts (real seconds).

    Empty `url` (public, business, private, rest), `channel`, `symbol` mean all; `candle` means all candle channels.
    `listener` hits one connection of those that listen: 0 the one that has listened longest, 1 the next; -1 all.
    `count` is counted for each stream and listener.
    """

    kind: Kind
    at_s: float = 0.0
    for_s: float = 0.0
    url: str = ""
    channel: str = ""
    symbol: str = ""
    listener: int = -1
    count: int = 1
    ms: int = 0
    status: int = 503
    code: str = "50001"

    def __post_init__(self) -> None:
        if self.at_s < 0 or self.for_s < 0 or self.count < 1:
            raise ValueError("at_s and for_s are 0 or more, count is 1 or more")
        if self.kind not in _MOMENTARY and not self.for_s:
            raise ValueError(f"{self.kind} needs for_s, the seconds it lasts")
        if self.kind in (Kind.SKEW, Kind.SLOW) and not self.ms:
            raise ValueError(f"{self.kind} needs ms")

    def concerns(self, url: str, channel: str, symbol: str) -> bool:
        family = "candle" if channel.startswith("candle") else channel
        wanted = ((self.url, (url,)), (self.channel, (channel, family)), (self.symbol, (symbol,)))
        return all(not mine or mine in theirs for mine, theirs in wanted)


class Injected(msgspec.Struct, frozen=True):
    """A fault that was put in, in venue time. A fault that goes on has `end_ts` 0."""

    fault: Fault
    start_ts: Micros
    end_ts: Micros = 0


@dataclasses.dataclass
class Faults:
    """What goes wrong at this moment."""

    silent: bool = False  # sockets stay open, nothing is sent, nothing is answered
    refusals: int = 0  # REST requests still to refuse
    refusal_status: int = 503
    refusal_code: str = "50001"
    delay_s: float = 0.0  # before each REST answer
    active: dict[int, Fault] = dataclasses.field(default_factory=dict)  # of the script, and those put in by hand
    counted: Counter[tuple[int, str, str, int]] = dataclasses.field(default_factory=Counter)

    def of(self, kind: Kind) -> list[Fault]:
        return [fault for fault in self.active.values() if fault.kind is kind]

    def counts(self, number: int, fault: Fault, stream: tuple[str, str, int]) -> bool:
        """Whether this one (of a channel, a symbol and a listener) is among the first `count`."""
        self.counted[number, *stream] += 1
        return self.counted[number, *stream] <= fault.count

    @property
    def skew_us(self) -> Micros:
        return sum(fault.ms for fault in self.of(Kind.SKEW)) * 1_000

    def wait_s(self, url: str) -> float:
        """How long everything on a URL waits."""
        return sum(fault.ms for fault in self.of(Kind.SLOW) if fault.url in ("", url)) / 1_000


def read_script(path: Path) -> list[Fault]:
    """Raises BadInput with the place in the file."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadInput("--faults", str(path), f"cannot be read ({error.strerror})", "Give a JSON file.") from error
    if not text.lstrip().startswith(b"["):
        remedy = 'Write a list of objects: [{"kind": "drop", "at_s": 5}].'
        raise BadInput("--faults", str(path), "not a list of faults", remedy)
    script = documents.decode(text, list[Fault], "a list of faults", str(path), lambda _: Fault.__struct_fields__)
    return in_order(script)


def in_order(script: Sequence[Fault]) -> list[Fault]:
    return sorted(script, key=lambda fault: fault.at_s)
