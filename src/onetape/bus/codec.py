"""What travels over the bus: msgpack of tagged structs. A kind that is not in the registry cannot be published."""

from __future__ import annotations

from typing import Final

import msgspec

from onetape.domain.bots import BotView, Wish
from onetape.domain.jobs import Job
from onetape.domain.market import (
    Book,
    Candle,
    Corrected,
    Drained,
    Forming,
    Funding,
    Gap,
    Index,
    InstrumentChange,
    Mark,
    Prints,
    Quote,
    Streams,
    VenueStatus,
)
from onetape.domain.orders import Fill, OrderEvent
from onetape.domain.services import Recording, ServiceState
from onetape.domain.topics import Note
from onetape.ports import EquityPoint, SignalView

# Structs that carry their own tag, and plain ones that travel under the name given here.
TAGGED: Final = (
    *(Candle, Forming, Prints, Quote, Book, Funding, Mark, Index, VenueStatus, InstrumentChange, Gap, Streams),
    *(Corrected, Drained),
    *(OrderEvent, Fill, Job, Note, Recording, ServiceState, Wish),
)
NAMED: Final[dict[str, type[msgspec.Struct]]] = {"bot": BotView, "signal": SignalView, "equity": EquityPoint}

_KINDS: Final[dict[str, type[msgspec.Struct]]] = {
    **{str(kind.__struct_config__.tag): kind for kind in TAGGED},
    **NAMED,
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}


class _Envelope(msgspec.Struct, frozen=True, array_like=True):
    """Wire: ["candle", {...}] in msgpack."""

    kind: str
    body: msgspec.Raw


_encoder: Final = msgspec.msgpack.Encoder()
_envelopes: Final = msgspec.msgpack.Decoder(_Envelope)
_bodies: Final = {name: msgspec.msgpack.Decoder(kind) for name, kind in _KINDS.items()}


def encode(body: msgspec.Struct) -> bytes:
    """Raises TypeError for a struct that is not in the registry: a bug of the caller."""
    name = _NAMES.get(type(body))
    if name is None:
        raise TypeError(f"{type(body).__name__} is not known to the bus: add it to bus.codec")
    return _encoder.encode((name, body))


def decode(data: bytes) -> msgspec.Struct | None:
    """None for what this version does not understand: a hint from a newer one is no error."""
    try:
        envelope = _envelopes.decode(data)
        decoder = _bodies.get(envelope.kind)
        return decoder.decode(envelope.body) if decoder else None
    except msgspec.DecodeError:
        return None
